/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The arguments of a verb. Parsing leaves pointers into the message; a call that has to wait keeps
 * them with arguments_keep(), so that the message goes, with its body and its descriptors, which
 * may be megabytes and hundreds.
 */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "daemon/state/accepted.h"
#include "daemon/state/failure.h"
#include "daemon/control/volume.h"

/* Bytes of all texts of one call: two paths, with each byte escaped, or 64 UUIDs. */
#define ARGUMENTS_TEXT_MAX (8 * PATH_MAX + 512)

struct arguments {
	const char *text;
	const char *header_device, *name;
	const char *group, *state;
	const char *volumes[64 + 1]; /* NULL-terminated */
	uint64_t rate;
	bool force;
	int fd; /* the message's, or our own once kept; -1: none */
	struct rotate_options rotate;
	struct unlock_options unlock;
	struct resume_options resume;
	struct run_choices cancel;
	struct request_id request;
	char *kept; /* what the texts point into; NULL: the message */
};
#define ARGUMENTS_NONE                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Copies the texts and the descriptor. -EINVAL: too much text; then *@a is as it was. */
int arguments_keep(struct arguments *a, struct failure *f);

/* Frees what was kept. */
void arguments_clear(struct arguments *a);
