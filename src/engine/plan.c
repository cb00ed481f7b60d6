/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/plan.h"

#include "util/checked.h"

/* What resilience area and memory allow, bytes. */
static uint64_t capacity(const struct engine_config *cfg)
{
	uint64_t bytes = cfg->header->area_size;

	if (cfg->resilience == ENGINE_CHECKSUM &&
	    mul_u64(bytes / checksum_size(cfg->checksum), cfg->block_size, &bytes) < 0)
		bytes = UINT64_MAX;
	return round_down_u64(MIN(bytes, ENGINE_HOTZONE_MAX), cfg->block_size);
}

uint64_t plan_hotzone_max(const struct engine_config *cfg)
{
	return MIN(round_down_u64(cfg->hotzone_size, cfg->block_size), capacity(cfg));
}

uint64_t plan_memory(const struct engine_config *cfg)
{
	return cfg->direction == ENGINE_FORWARD ? plan_hotzone_max(cfg) : capacity(cfg);
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
	const uint64_t last = capacity(cfg);
	uint64_t size = MIN(limit, boundary);

	if (cfg->direction == ENGINE_FORWARD)
		return (struct hotzone){boundary, MIN(limit, cfg->size - boundary)};
	if (boundary > last)
		size = MIN(limit, boundary - last);
	else if (limit >= plan_hotzone_max(cfg))
		size = boundary;
	return (struct hotzone){boundary - size, size};
}

void plan_cut(const struct engine_config *cfg, struct hotzone *z, uint64_t size)
{
	const bool backward = cfg->direction == ENGINE_BACKWARD;

	size = MAX(round_down_u64(size, cfg->block_size), (uint64_t)cfg->block_size);
	if (size >= z->size || (backward && z->offset == 0))
		return;
	if (backward)
		z->offset += z->size - size;
	z->size = size;
}

uint64_t plan_jump_max(const struct engine_config *cfg, uint64_t boundary)
{
	const bool forward = cfg->direction == ENGINE_FORWARD;
	const uint64_t left = forward ? cfg->size - boundary : boundary;
	const uint64_t last = forward ? plan_hotzone_max(cfg) : capacity(cfg);

	return left > last ? left - last : 0;
}

uint64_t plan_boundary_after(const struct engine_config *cfg, const struct hotzone *z)
{
	return cfg->direction == ENGINE_FORWARD ? z->offset + z->size : z->offset;
}

uint64_t plan_converted(const struct engine_config *cfg, uint64_t boundary)
{
	return cfg->direction == ENGINE_FORWARD ? boundary : cfg->size - boundary;
}
