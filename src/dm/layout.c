/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/layout.h"

#include <errno.h>

#include "util/checked.h"

/*
 * The hotzone device is longer than the volume, by a block of each helper: so it uses both of them
 * also when one side has no data, and `cryptsetup close`, which follows what is used, finds both.
 */
#define TAIL_SECTORS 16

static int add_crypt(const struct layout *l, struct table *t, enum side side, uint64_t start,
		     uint64_t end)
{
	const struct target target = {
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

	return table_add(t, &target);
}

static int add_linear(struct table *t, dev_t device, uint64_t start, uint64_t end)
{
	const struct target target = {
		.type = TARGET_LINEAR,
		.start = start,
		.size = end - start,
		.device = device,
		.offset = start,
	};

	return table_add(t, &target);
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
	struct table t = {};
	int r = add_crypt(l, &t, low_side(l), 0, boundary);

	if (r == 0)
		r = add_crypt(l, &t, high_side(l), boundary, l->size);
	if (r == 0)
		*ret = t;
	return r;
}

int layout_side(const struct layout *l, enum side side, struct table *ret)
{
	struct table t = {};
	int r = add_crypt(l, &t, side, 0, l->size);

	if (r == 0)
		*ret = t;
	return r;
}

static int one_linear(const struct layout *l, dev_t device, struct table *ret)
{
	struct table t = {};
	int r = add_linear(&t, device, 0, l->size);

	if (r == 0)
		*ret = t;
	return r;
}

int layout_top(const struct layout *l, struct table *ret)
{
	return one_linear(l, l->pieces, ret);
}

int layout_rest(const struct layout *l, struct table *ret)
{
	return one_linear(l, l->hotzone, ret);
}

/* Nothing is routed to the tail. */
static int add_tail(const struct layout *l, struct table *t, enum side first, enum side second)
{
	const enum side sides[] = {first, second};
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sides) && r == 0; i++) {
		const struct target target = {
			.type = TARGET_LINEAR,
			.start = table_size(t),
			.size = TAIL_SECTORS / ARRAY_SIZE(sides),
			.device = l->helpers[sides[i]],
		};

		r = table_add(t, &target);
	}
	return r;
}

int layout_one_side(const struct layout *l, enum side side, struct table *ret)
{
	struct table t = {};
	int r = add_linear(&t, l->helpers[side], 0, l->size);

	if (r == 0)
		r = add_tail(l, &t, side, side);
	if (r == 0)
		*ret = t;
	return r;
}

int layout_hot(const struct layout *l, uint64_t offset, uint64_t size, struct table *ret)
{
	struct table t = {};
	int r = add_linear(&t, l->helpers[low_side(l)], 0, offset);

	if (r == 0)
		r = add_linear(&t, l->hotzone, offset, offset + size);
	if (r == 0)
		r = add_linear(&t, l->helpers[high_side(l)], offset + size, l->size);
	if (r == 0)
		*ret = t;
	return r;
}

int layout_split(const struct layout *l, uint64_t boundary, struct table *ret)
{
	struct table t = {};
	int r = add_linear(&t, l->helpers[low_side(l)], 0, boundary);

	if (r == 0)
		r = add_linear(&t, l->helpers[high_side(l)], boundary, l->size);
	if (r == 0)
		r = add_tail(l, &t, SIDE_OLD, SIDE_NEW);
	if (r == 0)
		*ret = t;
	return r;
}

int layout_error(const struct layout *l, struct table *ret)
{
	struct table t = {};
	const struct target target = {.type = TARGET_ERROR, .size = l->size + TAIL_SECTORS};
	int r = table_add(&t, &target);

	if (r == 0)
		*ret = t;
	return r;
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
