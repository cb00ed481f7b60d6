/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One segment of the LUKS2 metadata: a piece of the data, and how it is encrypted. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "luks/reason.h"

enum segment_kind { SEGMENT_CRYPT, SEGMENT_LINEAR, SEGMENT_UNKNOWN };

enum segment_flag {
	SEGMENT_HOT = 1 << 0,      /* "in-reencryption" */
	SEGMENT_PREVIOUS = 1 << 1, /* "backup-previous" */
	SEGMENT_FINAL = 1 << 2,    /* "backup-final" */
	SEGMENT_MOVED = 1 << 3,    /* "backup-moved-segment" */
	SEGMENT_BACKUP = 1 << 4,   /* any "backup-...": not part of the mapping */
};

struct segment {
	enum segment_kind kind;
	uint64_t offset; /* bytes on the data device */
	uint64_t size;   /* bytes; 0: "dynamic", to the end of the device */
	unsigned flags;  /* of enum segment_flag */
	bool integrity;
	/* SEGMENT_CRYPT */
	uint64_t iv_tweak; /* 512-byte sectors */
	char cipher[65];
	uint32_t sector_size; /* bytes */
};

/* -EINVAL: not what the format allows. */
int segment_parse(json_object *json, struct segment *ret, struct luks_reason *why);

/* Of the kinds crypt and linear, with SEGMENT_HOT as the only flag; NULL without memory. */
json_object *segment_to_json(const struct segment *s);
