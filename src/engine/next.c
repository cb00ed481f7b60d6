/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which range is the next hotzone: what plan.h allows, cut to the limits of the run, to what the
 * stall target leaves, and where a hole begins.
 */
#include "engine/engine-internal.h"

/* The next one on from @boundary, offline from behind the hole that is there. */
static struct hotzone longest_hotzone(const struct engine *e, uint64_t boundary)
{
	const bool online = e->config.freezer;
	struct hotzone z =
		plan_next(&e->config, online ? boundary : skip_hole_at(e, boundary), e->limit);

	if (!online)
		plan_cut(&e->config, &z, overlap_size(&e->overlap));
	if (e->limits.hotzone_size > 0)
		plan_cut(&e->config, &z, e->limits.hotzone_size);
	skip_cut_at_hole(e, &z);
	return z;
}

struct hotzone next_hotzone(const struct engine *e, uint64_t boundary)
{
	struct hotzone z = longest_hotzone(e, boundary);

	if (e->config.freezer && e->limits.stall_target > 0)
		plan_cut(&e->config, &z, stall_next_size(&e->stall));
	return z;
}

struct hotzone next_first_hotzone(struct engine *e)
{
	struct hotzone z = next_hotzone(e, e->position.boundary), longer;

	if (!e->config.skip_unwritten || !e->config.freezer || e->limits.stall_target == 0 ||
	    !e->after_unwritten)
		return z;
	longer = longest_hotzone(e, e->position.boundary);
	plan_cut(&e->config, &longer, stall_next_size(&e->stall_unwritten));
	plan_cut(&e->config, &longer, skip_look_ahead(e, &longer));
	return longer.size > z.size ? longer : z;
}

void next_heed_stall(struct engine *e)
{
	if (e->sampled && e->config.freezer && e->limits.stall_target > 0)
		stall_update(e->sampled, &e->sample, e->limits.stall_target, e->config.block_size,
			     e->hotzone_max);
	engine_tell_reach(e);
}

/* One that is mostly empty says little of how long others will take. */
void next_note_loaded(struct engine *e, const struct batch *b)
{
	const uint64_t unwritten = batch_unwritten(b);

	if (unwritten == b->size)
		e->sampled = &e->stall_unwritten;
	else
		e->sampled = unwritten > b->size / 2 ? NULL : &e->stall;
	e->after_unwritten = batch_ends_unwritten(b);
}
