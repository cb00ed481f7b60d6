/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Online, in checksum mode: a hotzone is let go as soon as its data is durable, and the hot commit
 * of the next one says that it is done. That takes one commit and one flush out of each freeze:
 *
 *     freeze N | read, area, hot N, write, flush | thaw N | freeze N+1 | read, area, hot N+1 ...
 *                          header:   hot N -------------------------------'
 *
 * A crash in between leaves a header that is hot. Its recovery leaves each block as it is, those
 * too that applications have written since the thaw: none has the checksum of the old data any
 * more. What the area holds does not matter either, so it can be written for N+1. A journal would
 * put the old data back, so there the clean commit comes first.
 *
 * The devices of a worker that died show that its hotzone was let go (dm/stack.h), and so that it
 * is done. Whatever ends the work makes the clean commit, but a header that another program has
 * changed.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/error.h"

bool engine_is_thawed(const struct engine *e)
{
	return e->thawed.size > 0;
}

static struct position after(const struct engine *e, const struct hotzone *z)
{
	return (struct position){.boundary = plan_boundary_after(&e->config, z)};
}

int engine_thaw_hot(struct engine *e, const struct hotzone *z)
{
	const struct position hot = e->position;
	int r;

	assert(e->config.freezer && e->thawed.size == 0);
	assert(e->config.resilience == ENGINE_CHECKSUM && hot.hotzone_size == z->size);
	e->position = after(e, z);
	r = engine_thaw(e);
	if (r < 0) {
		e->position = hot;
		return r;
	}
	e->thawed = *z;
	return 0;
}

/* The header says hot, so the devices are not to be taken away: they show that it is done. */
static void leave_hot(struct engine *e)
{
	e->position = (struct position){
		.boundary = e->config.direction == ENGINE_FORWARD
				    ? e->thawed.offset
				    : e->thawed.offset + e->thawed.size,
		.hotzone_size = e->thawed.size,
	};
}

int engine_say_done(struct engine *e)
{
	const struct position clean = e->position;
	int r;

	/* Hot: it was tried before, and failed. */
	if (!engine_is_thawed(e) || clean.hotzone_size > 0)
		return 0;
	r = engine_commit(e, &clean);
	if (r < 0 && r != -ERROR_HEADER_CHANGED)
		r = engine_commit(e, &clean);
	if (r < 0)
		leave_hot(e);
	return r;
}

int engine_end_thawed(struct engine *e, int error)
{
	int r = 0;

	if (!engine_is_thawed(e))
		return error;
	if (error == -ERROR_HEADER_CHANGED)
		leave_hot(e);
	else
		r = engine_say_done(e);
	return error < 0 ? error : r;
}

int engine_recover_thawed(struct engine *e, const struct position *hot)
{
	const bool forward = e->config.direction == ENGINE_FORWARD;
	const struct hotzone z = {
		.offset = forward ? hot->boundary : hot->boundary - hot->hotzone_size,
		.size = hot->hotzone_size,
	};
	int r;

	if (e->config.resilience != ENGINE_CHECKSUM ||
	    !range_inside(z.offset, z.size, e->config.size) ||
	    plan_is_at_end(&e->config, after(e, &z).boundary))
		return -EINVAL;
	r = unflushed_before_recovery(e, &z);
	if (r < 0)
		return r;
	e->position = after(e, &z);
	e->thawed = z;
	r = engine_say_done(e);
	return r < 0 ? r : e->config.header->ops->flush(e->config.header);
}
