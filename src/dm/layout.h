/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which tables the stack's devices have at which point of the conversion, and whether a table that
 * was found fits what the header says. Pure; all offsets and sizes are 512-byte sectors from the
 * start of the data unless said otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm/table.h"

enum side { SIDE_OLD, SIDE_NEW, SIDES };

struct layout {
	uint64_t size;
	bool backward;
	dev_t data;
	uint64_t data_offset; /* on @data */
	dev_t pieces, hotzone;
	dev_t helpers[SIDES]; /* the crypt devices NAME-old, NAME-new */
	unsigned flags;       /* enum crypt_flags, of all crypt targets */
	struct {
		struct text cipher, key;
		uint32_t sector_size; /* bytes */
	} sides[SIDES];
};

/* What `cryptsetup open` makes: a crypt target for each side that has something. */
int layout_plain(const struct layout *l, uint64_t boundary, struct table *ret);

/* A crypt helper: one side, the whole volume. */
int layout_side(const struct layout *l, enum side side, struct table *ret);

/* NAME, once it has a stack: the pieces device, unchanged from then on. */
int layout_top(const struct layout *l, struct table *ret);

/* The pieces device at rest: everything through the hotzone device. */
int layout_rest(const struct layout *l, struct table *ret);

/* The pieces device with only [offset, offset + size), which lies at the edge, through the hotzone
 * device. */
int layout_hot(const struct layout *l, uint64_t offset, uint64_t size, struct table *ret);

/* The hotzone device: every sector to the side where the data is. */
int layout_split(const struct layout *l, uint64_t boundary, struct table *ret);

/* The hotzone device when all that comes through it belongs to one side, or to nobody. */
int layout_one_side(const struct layout *l, enum side side, struct table *ret);
int layout_error(const struct layout *l, struct table *ret);

/* Is @pieces made of pieces of our devices, each sector in its own place? */
bool layout_is_pieces(const struct layout *l, const struct table *pieces);

/*
 * Does the table of the pieces device send no sector to a side where its data is not, when the edge
 * is at @boundary and @hot_size on its unconverted side may be either?
 */
bool layout_fits(const struct layout *l, const struct table *pieces, uint64_t boundary,
		 uint64_t hot_size);

/* The range that goes through the hotzone device. -ENOENT: none. */
int layout_hot_range(const struct layout *l, const struct table *pieces, uint64_t *ret_offset,
		     uint64_t *ret_size);
