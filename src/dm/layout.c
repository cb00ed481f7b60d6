/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/layout.h"

#include <assert.h>
#include <errno.h>

#include "util/checked.h"

/*
 * The hotzone device is longer than the volume, by a block of each helper: so it uses both of them
 * also when one side has no data, and `cryptsetup close`, which follows what is used, finds both.
 */
#define TAIL_SECTORS 16

static struct target crypt_target(const struct layout *l, enum side side, uint64_t start,
				  uint64_t end)
{
	assert(side < SIDES);
	return (struct target){
		.type = TARGET_CRYPT,
		.start = start,
		.size = end - start,
		.device = l->data,
		.offset = l->data_offset + start,
		.cipher = l->sides[side].cipher,
		.key = l->sides[side].key,
		.iv_offset = start,
		.flags = l->flags,
		.sector_size = l->sides[side].sector_size,
	};
}

static struct target linear_target(dev_t device, uint64_t start, uint64_t end)
{
	assert(start <= end);
	return (struct target){
		.type = TARGET_LINEAR,
		.start = start,
		.size = end - start,
		.device = device,
		.offset = start,
	};
}

/* One of the two parts of the tail. Nothing is routed there. */
static struct target tail_target(const struct layout *l, unsigned part, enum side side)
{
	const uint64_t size = TAIL_SECTORS / SIDES;

	return (struct target){
		.type = TARGET_LINEAR,
		.start = l->size + part * size,
		.size = size,
		.device = l->helpers[side],
	};
}

static int make_table(const struct target *targets, size_t n, struct table *ret)
{
	struct table t = {};

	for (size_t i = 0; i < n; i++) {
		const int r = table_add(&t, &targets[i]);

		if (r < 0)
			return r;
	}
	*ret = t;
	return 0;
}

/* Logical order: converted first in a forward conversion, last in a backward one. */
static enum side low_side(const struct layout *l)
{
	return l->backward ? SIDE_OLD : SIDE_NEW;
}

static enum side high_side(const struct layout *l)
{
	return l->backward ? SIDE_NEW : SIDE_OLD;
}

int layout_plain(const struct layout *l, uint64_t boundary, struct table *ret)
{
	const struct target targets[] = {
		crypt_target(l, low_side(l), 0, boundary),
		crypt_target(l, high_side(l), boundary, l->size),
	};

	return make_table(targets, ARRAY_SIZE(targets), ret);
}

int layout_side(const struct layout *l, enum side side, struct table *ret)
{
	const struct target whole = crypt_target(l, side, 0, l->size);

	return make_table(&whole, 1, ret);
}

int layout_top(const struct layout *l, struct table *ret)
{
	const struct target whole = linear_target(l->pieces, 0, l->size);

	return make_table(&whole, 1, ret);
}

int layout_rest(const struct layout *l, struct table *ret)
{
	const struct target whole = linear_target(l->hotzone, 0, l->size);

	return make_table(&whole, 1, ret);
}

int layout_one_side(const struct layout *l, enum side side, struct table *ret)
{
	const struct target targets[] = {
		linear_target(l->helpers[side], 0, l->size),
		tail_target(l, 0, side),
		tail_target(l, 1, side),
	};

	return make_table(targets, ARRAY_SIZE(targets), ret);
}

int layout_hot(const struct layout *l, uint64_t offset, uint64_t size, struct table *ret)
{
	const struct target targets[] = {
		linear_target(l->helpers[low_side(l)], 0, offset),
		linear_target(l->hotzone, offset, offset + size),
		linear_target(l->helpers[high_side(l)], offset + size, l->size),
	};

	return make_table(targets, ARRAY_SIZE(targets), ret);
}

int layout_split(const struct layout *l, uint64_t boundary, struct table *ret)
{
	const struct target targets[] = {
		linear_target(l->helpers[low_side(l)], 0, boundary),
		linear_target(l->helpers[high_side(l)], boundary, l->size),
		tail_target(l, 0, SIDE_OLD),
		tail_target(l, 1, SIDE_NEW),
	};

	return make_table(targets, ARRAY_SIZE(targets), ret);
}

int layout_error(const struct layout *l, struct table *ret)
{
	const struct target target = {.type = TARGET_ERROR, .size = l->size + TAIL_SECTORS};

	return make_table(&target, 1, ret);
}

bool layout_is_pieces(const struct layout *l, const struct table *pieces)
{
	uint64_t expected_start = 0;

	for (unsigned i = 0; i < pieces->count; i++) {
		const struct target *t = &pieces->targets[i];

		if (t->type != TARGET_LINEAR || t->start != expected_start ||
		    t->offset != t->start ||
		    (t->device != l->hotzone && t->device != l->helpers[SIDE_OLD] &&
		     t->device != l->helpers[SIDE_NEW]))
			return false;
		expected_start = t->start + t->size;
	}
	return expected_start == l->size;
}

bool layout_fits(const struct layout *l, const struct table *pieces, uint64_t boundary,
		 uint64_t hot_size)
{
	/* Where the low side's data ends, and where the high side's begins. */
	const uint64_t low_end = l->backward ? boundary - hot_size : boundary;
	const uint64_t high_start = l->backward ? boundary : boundary + hot_size;

	assert(low_end <= high_start && high_start <= l->size);
	for (unsigned i = 0; i < pieces->count; i++) {
		const struct target *t = &pieces->targets[i];

		if (t->device == l->helpers[low_side(l)] && t->start + t->size > low_end)
			return false;
		if (t->device == l->helpers[high_side(l)] && t->start < high_start)
			return false;
	}
	return true;
}

int layout_hot_range(const struct layout *l, const struct table *pieces, uint64_t *ret_offset,
		     uint64_t *ret_size)
{
	for (unsigned i = 0; i < pieces->count; i++) {
		const struct target *t = &pieces->targets[i];

		if (t->device == l->hotzone) {
			*ret_offset = t->start;
			*ret_size = t->size;
			return 0;
		}
	}
	return -ENOENT;
}
