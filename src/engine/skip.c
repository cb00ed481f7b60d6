/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies ahead of the boundary and was never written. Offline the file system under an image or
 * loop device knows its holes, and they are not even read: hotzones lie around them.
 *
 *     | data      data |      hole, MiB or GiB      | data   data | hole ...
 *     '--- hotzone ----'  in the header with the    '-- hotzone --'
 *                         hotzone behind it
 *
 * Online a look without freezing is a hint how long the next hotzone may be, and no more than that:
 * what it has is seen once it is frozen. A hole that the disk knows of while nobody can write to it
 * has a commit of its own then, and none of it is read either (skip-pass.c).
 */
#include "engine/engine-internal.h"
#include "engine/unwritten.h"
#include "util/checked.h"

/* Bytes; to read less takes no longer than to ask for it, or online than to freeze and commit. */
#define LEAST_HOLE        (UINT64_C(256) << 10)
#define LEAST_HOLE_ONLINE (UINT64_C(1) << 20)

/* From the @at-th to the (@at + @size)-th byte of the way on from @boundary. */
static bool is_hole(const struct engine *e, uint64_t boundary, uint64_t at, uint64_t size)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t offset =
		cfg->direction == ENGINE_FORWARD ? boundary + at : boundary - at - size;

	return cfg->disk->ops->is_hole(cfg->disk, cfg->disk_offset + offset, size);
}

bool skip_asks_for_holes(const struct engine *e)
{
	return e->config.skip_unwritten && e->config.disk->ops->is_hole;
}

static bool sees_holes(const struct engine *e)
{
	return skip_asks_for_holes(e) && (!e->config.freezer || e->looks);
}

void skip_begin(struct engine *e)
{
	if (skip_asks_for_holes(e))
		e->looks = skip_look(e, &(struct hotzone){0, e->config.size});
}

bool skip_look(const struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;

	return cfg->disk->ops->look &&
	       cfg->disk->ops->look(cfg->disk, cfg->disk_offset + z->offset, z->size);
}

/* Bytes, in whole units; in small hotzones holes are looked for as well. */
static uint64_t least_hole(const struct engine *e)
{
	const uint64_t unit = plan_unit(&e->config);
	const uint64_t least =
		MIN(e->hotzone_max / 4, e->config.freezer ? LEAST_HOLE_ONLINE : LEAST_HOLE);

	return MAX(round_down_u64(least, unit), unit);
}

uint64_t skip_hole_at(const struct engine *e, uint64_t boundary)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t room = plan_jump_max(cfg, boundary), least = MIN(room, least_hole(e));
	uint64_t size = 0, step = least;

	if (!sees_holes(e))
		return boundary;
	while (size < room && is_hole(e, boundary, size, MIN(step, room - size))) {
		size += MIN(step, room - size);
		step *= 2;
	}
	for (; size > 0 && step >= least; step /= 2)
		if (step <= room - size && is_hole(e, boundary, size, step))
			size += step;
	return cfg->direction == ENGINE_FORWARD ? boundary + size : boundary - size;
}

void skip_cut_at_hole(const struct engine *e, struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t boundary =
		cfg->direction == ENGINE_FORWARD ? z->offset : z->offset + z->size;
	uint64_t size = z->size;

	if (!sees_holes(e) || plan_is_at_end(cfg, plan_boundary_after(cfg, z)))
		return;
	for (uint64_t step = round_down_u64(size / 2, cfg->block_size); step >= least_hole(e);
	     step = round_down_u64(step / 2, cfg->block_size))
		if (is_hole(e, boundary, size - step, step))
			size -= step;
	plan_cut(cfg, z, size);
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
