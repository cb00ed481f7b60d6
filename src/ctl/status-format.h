/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The status of a volume as text and as JSON; pure, so that it is tested without a volume. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "luks/status.h"

/* How the mapping of an open volume stands to its header. */
enum status_table {
	STATUS_TABLE_AGREES,  /* what `cryptsetup open` would make of the header */
	STATUS_TABLE_STACK,   /* a worker's helper devices: one is at work, or was killed */
	STATUS_TABLE_SIZE,    /* the first but for its size: the device has grown, or shrunk */
	STATUS_TABLE_DIFFERS, /* none of these */
	STATUS_TABLE_UNKNOWN, /* it could not be looked at */
};

struct status {
	const char *device;
	const char *header;      /* path of a detached header, or NULL */
	const char *name;        /* dm name of the open volume, NULL: closed */
	enum status_table table; /* of an open volume */
	/* Bytes of it, 0: not to be told; and of the data on the device, which may be more than
	 * what is re-encrypted. */
	uint64_t active_size, data_size;
	const char *other_name; /* dm name of another open volume with this UUID, or NULL */
	/* What the daemon makes of it: its state, and the name that its verbs take; NULL: it knows
	 * nothing of the volume. */
	const char *daemon_state, *daemon_name;
	struct luks_status luks;
};

/* Lines of "Name: value". -EIO when @out fails. */
int status_format_text(const struct status *s, FILE *out);

/* The object that recryptctl(8) documents; the caller's to put. */
int status_format_json(const struct status *s, json_object **ret);
