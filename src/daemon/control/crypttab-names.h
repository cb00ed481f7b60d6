/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that crypttab(5) gives to volumes, open or closed: which volume was found behind each. */
#pragma once

#include "daemon/control/crypttab.h"

/* A line of crypttab. */
struct crypttab_name {
	struct crypttab_name *next;
	char *name, *device;
	char uuid[37]; /* of the volume that was found there; "": none yet */
};

struct crypttab_names {
	struct crypttab_name *first;
};

void crypttab_names_clear(struct crypttab_names *n);

/* The first line of a name counts, as it does for systemd. */
int crypttab_names_add(struct crypttab_names *n, const struct crypttab_entry *e);

/* A look at the path has shown the volume. */
void crypttab_names_found(struct crypttab_names *n, const char *device, const char *uuid);

/* "": no volume is known by that name. */
const char *crypttab_names_uuid(const struct crypttab_names *n, const char *name);
