/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Online, to the other side of a hole. What is known of it is a hint, as somebody may have written
 * there since; so it is frozen, looked at again, and only then left behind:
 *
 *     look  -->  freeze  -->  look  --> still a hole: commit clean behind it --> thaw
 *     hint, and what                `-> not any more: thaw, all as before
 *     the disk has to do for it
 *     is done for the second time
 */
#include <assert.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/clock.h"

/* After a look that failed or took long, bytes to be converted before the next one. */
#define RETRY_AFTER (UINT64_C(64) << 20)

static struct hotzone known_hole(const struct engine *e)
{
	const uint64_t boundary = e->position.boundary, end = skip_hole_at(e, boundary);

	return (struct hotzone){MIN(boundary, end), MAX(boundary, end) - MIN(boundary, end)};
}

/* The one of the two looks that nobody has to wait for. */
static bool is_fast_to_look_at(const struct engine *e, const struct hotzone *z)
{
	const uint64_t begin = now_usec(), target = e->limits.stall_target;

	return skip_look(e, z) && (target == 0 || now_usec() - begin <= target / 4);
}

static void read_on(struct engine *e)
{
	e->no_pass = plan_converted(&e->config, e->position.boundary) + RETRY_AFTER;
}

struct hotzone skip_hole_to_pass(struct engine *e)
{
	struct hotzone hole = {0};

	if (e->config.freezer && e->looks &&
	    plan_converted(&e->config, e->position.boundary) >= e->no_pass)
		hole = known_hole(e);
	if (hole.size == 0)
		return hole;
	if (!is_fast_to_look_at(e, &hole)) {
		read_on(e);
		return (struct hotzone){0};
	}
	return known_hole(e);
}

/* If not, what the look has found makes the next attempt a shorter one. */
static bool is_still_hole(struct engine *e, const struct hotzone *hole)
{
	const struct engine_config *cfg = &e->config;

	if (!skip_look(e, hole)) {
		read_on(e);
		return false;
	}
	return cfg->disk->ops->is_hole(cfg->disk, cfg->disk_offset + hole->offset, hole->size);
}

int skip_pass(struct engine *e, const struct hotzone *hole)
{
	int r;

	assert(e->config.freezer && hole->size > 0);
	r = engine_freeze(e, hole);
	e->sampled = NULL;
	if (r < 0)
		return r;
	if (!is_still_hole(e, hole))
		return engine_thaw(e);
	e->progress.unwritten += hole->size;
	e->jumped += hole->size;
	e->after_unwritten = false;
	return engine_end(e, hole);
}
