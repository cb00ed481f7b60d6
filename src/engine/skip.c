/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies ahead of the boundary and was never written. Offline the file system under an image or
 * loop device knows its holes, and they are not even read. Online a look without freezing is a hint
 * how long the next hotzone may be, and no more than that: what it has is seen once it is frozen.
 */
#include "engine/engine-internal.h"
#include "engine/unwritten.h"
#include "util/checked.h"

/* From the @at-th to the (@at + @size)-th byte of the way on from @boundary. */
static bool is_hole(const struct engine *e, uint64_t boundary, uint64_t at, uint64_t size)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t offset =
		cfg->direction == ENGINE_FORWARD ? boundary + at : boundary - at - size;

	return cfg->disk->ops->is_hole(cfg->disk, cfg->disk_offset + offset, size);
}

uint64_t skip_hole_at(const struct engine *e, uint64_t boundary)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t room = plan_jump_max(cfg, boundary);
	const uint64_t size = MIN(room, e->hotzone_max);

	if (!cfg->skip_unwritten || cfg->freezer || !cfg->disk->ops->is_hole || size == 0)
		return 0;
	return is_hole(e, boundary, 0, size) ? size : 0;
}

uint64_t skip_whole_hole_at(const struct engine *e, uint64_t boundary)
{
	const uint64_t room = plan_jump_max(&e->config, boundary);
	const uint64_t least = skip_hole_at(e, boundary);
	uint64_t size = least, step = least;

	if (least == 0)
		return 0;
	while (size < room && is_hole(e, boundary, size, MIN(step, room - size))) {
		size += MIN(step, room - size);
		step *= 2;
	}
	for (; step >= least; step /= 2)
		if (step <= room - size && is_hole(e, boundary, size, step))
			size += step;
	return size;
}

/* The bytes of [@data, @data + @size) that are unwritten on the boundary's side. */
static uint64_t unwritten_beside(const struct engine_config *cfg, const uint8_t *data,
				 uint32_t size)
{
	uint32_t last = 0;
	bool unwritten;

	for (uint32_t at = 0, n; at < size; at += n) {
		n = unwritten_run(data + at, size - at, cfg->block_size, &unwritten);
		if (cfg->direction == ENGINE_FORWARD)
			return unwritten ? n : 0;
		last = unwritten ? n : 0;
	}
	return last;
}

uint64_t skip_look_ahead(struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const uint32_t piece = batch_chunk_size(cfg);
	uint8_t *data = e->batch[0].data; /* idle before a hotzone */
	uint64_t found = 0;

	while (found < z->size) {
		const uint32_t size = (uint32_t)MIN(z->size - found, (uint64_t)piece);
		const uint64_t offset = cfg->direction == ENGINE_FORWARD
						? z->offset + found
						: z->offset + z->size - found - size;
		uint64_t n;

		if (disk_run(cfg->disk, DISK_READ, cfg->disk_offset + offset, data, size) < 0)
			break;
		n = unwritten_beside(cfg, data, size);
		found += n;
		if (n < size)
			break;
	}
	return found;
}
