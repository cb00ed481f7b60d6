/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What this host knows of a volume's state token, in a file that only root can write:
 * STATE-DIRECTORY/volumes/UUID. A token that is here word for word was written by this host, which
 * holds without any key; one with a lower serial is a replay.
 *
 *   order of writes   {pending = new} durable -> header -> {written = new, pending = none}
 *   after a crash     the header has what is written or what is pending: both are ours
 */
#pragma once

#include <stdint.h>

struct remembered {
	char *written;     /* in the header, durable; "": no token; NULL: never seen by this host */
	char *pending;     /* may be in the header; NULL: none */
	uint64_t serial;   /* the highest */
	uint64_t sequence; /* of the header, as this host's worker left it; 0: not known */
};

/* Empty where there is no file, or no usable one (logged). @dir: NULL: nothing is kept. */
void remembered_load(const char *dir, const char *uuid, struct remembered *ret);

/* Durable on return. Logs failures. */
int remembered_save(const char *dir, const char *uuid, const struct remembered *r);

void remembered_forget(const char *dir, const char *uuid);
void remembered_clear(struct remembered *r);
