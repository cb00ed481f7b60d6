/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/plan.h"

#include "util/checked.h"

/*
 * Twice this is in memory offline, where the next hotzone is read while one is written; with the
 * checksums and the program itself that stays well below 128 MiB.
 */
#define HOTZONE_MEMORY_MAX (UINT64_C(32) << 20)

uint64_t plan_hotzone_max(const struct engine_config *cfg)
{
	const uint64_t area = cfg->header->area_size;
	const uint64_t max = MIN(cfg->hotzone_size, HOTZONE_MEMORY_MAX);
	uint64_t capacity;

	if (cfg->resilience == ENGINE_CHECKSUM) {
		if (mul_u64(area / checksum_size(cfg->checksum), cfg->block_size, &capacity) < 0)
			capacity = UINT64_MAX;
	} else {
		capacity = area;
	}
	return round_down_u64(MIN(max, capacity), cfg->block_size);
}

uint64_t plan_resilience_size(const struct engine_config *cfg, uint64_t size)
{
	if (cfg->resilience == ENGINE_CHECKSUM)
		return size / cfg->block_size * checksum_size(cfg->checksum);
	return size;
}

bool plan_is_at_end(const struct engine_config *cfg, uint64_t boundary)
{
	return boundary == (cfg->direction == ENGINE_FORWARD ? cfg->size : 0);
}

struct hotzone plan_next(const struct engine_config *cfg, uint64_t boundary, uint64_t limit)
{
	uint64_t size;

	if (cfg->direction == ENGINE_FORWARD)
		return (struct hotzone){boundary, MIN(limit, cfg->size - boundary)};
	size = boundary % limit;
	if (size == 0)
		size = limit;
	return (struct hotzone){boundary - size, size};
}

uint64_t plan_boundary_after(const struct engine_config *cfg, const struct hotzone *z)
{
	return cfg->direction == ENGINE_FORWARD ? z->offset + z->size : z->offset;
}

uint64_t plan_converted(const struct engine_config *cfg, uint64_t boundary)
{
	return cfg->direction == ENGINE_FORWARD ? boundary : cfg->size - boundary;
}
