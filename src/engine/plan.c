/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/plan.h"

#include "util/checked.h"

/* What the resilience area allows, @most at most, bytes. */
static uint64_t protected_by_area(const struct engine_config *cfg, uint64_t most)
{
	uint64_t bytes = cfg->header->area_size;

	if (cfg->resilience == ENGINE_CHECKSUM &&
	    mul_u64(bytes / checksum_size(cfg->checksum), cfg->block_size, &bytes) < 0)
		bytes = UINT64_MAX;
	return round_down_u64(MIN(bytes, most), cfg->block_size);
}

/* What resilience area and memory allow, bytes. */
static uint64_t capacity(const struct engine_config *cfg)
{
	return protected_by_area(cfg, ENGINE_HOTZONE_MAX);
}

uint32_t plan_unit(const struct engine_config *cfg)
{
	return MAX(cfg->position_unit, cfg->block_size);
}

/*
 * Shortens what begins at @boundary and has @size bytes so that it ends at a multiple of the unit;
 * not where it ends with the data, or nothing would be left.
 */
static uint64_t cut_at_unit(const struct engine_config *cfg, uint64_t boundary, uint64_t size)
{
	const uint32_t unit = plan_unit(cfg);
	uint64_t end;

	if (cfg->direction == ENGINE_FORWARD) {
		end = round_down_u64(boundary + size, unit);
		return boundary + size == cfg->size || end <= boundary ? size : end - boundary;
	}
	end = round_up_u64(boundary - size, unit);
	return boundary == size || end >= boundary ? size : boundary - end;
}

uint64_t plan_hotzone_max(const struct engine_config *cfg)
{
	return MIN(round_down_u64(cfg->hotzone_size, cfg->block_size), capacity(cfg));
}

uint64_t plan_alone_max(const struct engine_config *cfg)
{
	const uint64_t most = plan_hotzone_max(cfg), wanted = MIN(cfg->alone_size, 2 * most);

	return cfg->direction == ENGINE_BACKWARD ? most : MAX(most, protected_by_area(cfg, wanted));
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
		return (struct hotzone){
			boundary,
			cut_at_unit(cfg, boundary, MIN(limit, cfg->size - boundary)),
		};
	if (boundary > last)
		size = MIN(limit, boundary - last);
	else if (limit >= plan_hotzone_max(cfg))
		size = boundary;
	size = cut_at_unit(cfg, boundary, size);
	return (struct hotzone){boundary - size, size};
}

void plan_cut(const struct engine_config *cfg, struct hotzone *z, uint64_t size)
{
	const bool backward = cfg->direction == ENGINE_BACKWARD;

	size = MAX(round_down_u64(size, cfg->block_size), (uint64_t)plan_unit(cfg));
	if (size >= z->size || (backward && z->offset == 0))
		return;
	size = cut_at_unit(cfg, backward ? z->offset + z->size : z->offset, size);
	if (backward)
		z->offset += z->size - size;
	z->size = size;
}

uint64_t plan_jump_max(const struct engine_config *cfg, uint64_t boundary)
{
	const bool forward = cfg->direction == ENGINE_FORWARD;
	const uint64_t left = forward ? cfg->size - boundary : boundary;
	const uint64_t last = forward ? plan_hotzone_max(cfg) : capacity(cfg);

	return left > last ? cut_at_unit(cfg, boundary, left - last) : 0;
}

uint64_t plan_boundary_after(const struct engine_config *cfg, const struct hotzone *z)
{
	return cfg->direction == ENGINE_FORWARD ? z->offset + z->size : z->offset;
}

uint64_t plan_converted(const struct engine_config *cfg, uint64_t boundary)
{
	return cfg->direction == ENGINE_FORWARD ? boundary : cfg->size - boundary;
}
