/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What cryptsetup's backward recovery can stand. The arithmetic is explained in reencrypt.h; the
 * limits are its own: no hotzone is longer than 1 GiB, nor than its resilience area protects.
 */
#include <assert.h>

#include "luks/reencrypt.h"
#include "util/checked.h"

#define STOCK_MAX_HOTZONE (UINT64_C(1) << 30)

/* The longest hotzone that cryptsetup makes on any machine. */
static uint64_t stock_hotzone(const struct luks_reenc *r)
{
	const uint64_t limit = round_down_u64(STOCK_MAX_HOTZONE, r->block_size);
	const uint64_t capacity = MIN(r->capacity, limit);

	return MIN(capacity, r->data_size);
}

bool luks_reenc_stock_safe(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size)
{
	if (r->direction == LUKS_FORWARD || hot_size == 0)
		return true;
	assert(hot_size <= boundary && boundary <= r->data_size);
	if (boundary == hot_size)
		return hot_size >= stock_hotzone(r);
	return hot_size <= boundary - hot_size;
}

uint64_t luks_reenc_next_hotzone(const struct luks_reenc *r, uint64_t boundary, uint64_t wanted)
{
	const uint64_t size = round_down_u64(MIN(wanted, r->capacity), r->block_size);
	const uint64_t last = stock_hotzone(r);
	uint64_t start;

	if (boundary > r->data_size)
		return 0;
	if (r->direction == LUKS_FORWARD)
		return MIN(size, r->data_size - boundary);

	start = boundary > size ? boundary - size : 0;
	if (size >= last && boundary > last)
		start = MAX(start, last);
	/* Only the end of the data may be odd. */
	start = MIN(round_down_u64(start + r->block_size - 1, r->block_size), boundary);
	return boundary - start;
}
