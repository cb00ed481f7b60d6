/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/reencrypt-area.h"

#include <assert.h>

#include "crypto/hash.h"
#include "luks/freed.h"
#include "util/checked.h"

/*
 * Blocks by which the area may be cut. cryptsetup wipes the area at the end, in 512-byte sectors,
 * and fails on an area that is no multiple of them.
 */
static uint64_t area_granule(const struct luks_reenc *r)
{
	uint64_t blocks = 1;

	if (r->resilience == LUKS_RESILIENCE_CHECKSUM)
		while (!is_aligned(blocks * (uint64_t)hash_size(r->hash), SECTOR_SIZE))
			blocks *= 2;
	return blocks;
}

void reenc_cut_area(struct luks_reenc *r, uint64_t hotzone_size)
{
	const uint64_t left =
		r->direction == LUKS_BACKWARD ? r->boundary : r->data_size - r->boundary;
	const uint64_t wanted = MIN(hotzone_size, left), granule = area_granule(r);
	const uint64_t blocks = MAX(wanted / r->block_size / granule, UINT64_C(1)) * granule;
	const uint64_t capacity = blocks * r->block_size;

	assert(r->boundary <= r->data_size);
	if (wanted == 0 || capacity >= r->capacity)
		return;
	r->area_size = r->resilience == LUKS_RESILIENCE_CHECKSUM
			       ? blocks * (uint64_t)hash_size(r->hash)
			       : capacity;
	r->capacity = capacity;
}

void reenc_note_cut(json_object *json, uint64_t header_size, const struct luks_reenc *before,
		    const struct luks_reenc *r)
{
	const struct luks_areas cut = {
		.count = before->area_size > r->area_size,
		.area = {{r->area_offset + r->area_size, before->area_size - r->area_size}},
	};

	assert(before->area_offset == r->area_offset);
	luks_freed_note(json, header_size, &cut);
}
