/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a position looks in the metadata. One description serves both ways: positions are written
 * from it, and a header is believed only if it is what we would have written for some position.
 *
 *   forward    | new            |boundary  hot (new) |            old |
 *   backward   | old                | hot (new)  boundary|        new |
 *
 * Behind these regular segments stand the backup segments. Digests list the segments whose key they
 * verify; the hot segment needs both keys.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "luks/reencrypt.h"
#include "luks/segment.h"

struct reencrypt_layout {
	unsigned count; /* of regular segments */
	struct segment segment[3];
	bool is_new[3]; /* of the new side; so is the hot one */
};

/* Ids of the backup segments; -1 where there is none. */
struct backups {
	int previous, final, moved;
};

void layout_build(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size,
		  struct reencrypt_layout *ret);

/*
 * Are the regular segments of @json (@count of them in @segment) and the segment lists of all
 * digests what @want describes? The last segment may reach the end of the data as "dynamic" or with
 * its size.
 */
bool layout_matches(json_object *json, const struct luks_reenc *r,
		    const struct reencrypt_layout *want, const struct segment *segment,
		    unsigned count, const struct backups *backups);

/*
 * Writes @l and the backup segments into @json, in the order in which cryptsetup does, and assigns
 * them to the digests. On -ENOMEM @json is in between: work on a copy.
 */
int layout_store(json_object *json, const struct luks_reenc *r, const struct reencrypt_layout *l);

/*
 * Is the hotzone inside the data and the capacity, and a whole number of sectors of both sides? The
 * clean state has size 0. The blocks of the checksums say nothing about positions: cryptsetup
 * changes their size on each resume, and counts them from the start of the hotzone.
 */
bool position_is_valid(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size);

/* Bytes: the larger sector size of the two sides. */
uint32_t reenc_sector_size(const struct luks_reenc *r);

/*
 * The largest power of two up to @wanted, a power of two, that divides both the size of the data
 * and the boundary: bytes, at least the sector size where @wanted is.
 */
uint32_t reenc_fitting_block(const struct luks_reenc *r, uint32_t wanted);

/* Replaces h->json by an edited copy, which is taken over. */
void header_replace_json(struct luks_header *h, json_object *json);

/* A copy of h->json to edit, or NULL. */
json_object *header_copy_json(const struct luks_header *h);
