/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline, with checksums, and header and data on one disk: the checksums of the next hotzone are
 * written before the flush of this one's data, which makes both durable. They go to a part of the
 * area that protects nothing any more. Checksums are counted from the start of the hot range, so
 * the length of that says where they are:
 *
 *     header: hot    area             now
 *     | 1 |          | of 1 |         1 is written, and the checksums of 2 behind those of 1
 *     | 1 | 2 |      | of 1 | of 2 |  1 is durable, 2 is written, the checksums of 3 at the front
 *     | 3 |          | of 3 | of 2 |  2 is durable, 3 is written, and so on
 *
 * In the second line the range is longer than what is in work. Recovery takes each block of 1 for
 * new, whatever the front of the area has by then: checksums of the old data of 1, of 3, or a mix.
 */
#include <assert.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/clock.h"

/* A block that protects data is never written for something else, not even with the same bytes. */
#define AREA_BLOCK 4096

/* Where in the area the checksums of @next may go, and the position that they belong to. */
static bool find_place(const struct engine *e, const struct batch *next, uint64_t *ret_at,
		       struct position *ret_hot)
{
	const struct engine_config *cfg = &e->config;
	const struct position *p = &e->position;
	const uint64_t size = plan_resilience_size(cfg, next->size);
	const uint64_t at = plan_resilience_size(cfg, p->hotzone_size);

	if (p->hotzone_size == 0)
		return false;
	if (e->durable > 0) {
		*ret_at = 0;
		*ret_hot = (struct position){next->offset, next->size};
		return size <= plan_resilience_size(cfg, e->durable);
	}
	*ret_at = at;
	*ret_hot = (struct position){p->boundary, p->hotzone_size + next->size};
	return next->offset == p->boundary + p->hotzone_size && is_aligned(at, AREA_BLOCK) &&
	       range_inside(at, size, cfg->header->area_size);
}

/* A trial (overlap.h) takes the visit to the header for the same both ways. */
static bool is_possible(const struct engine *e, const struct batch *next)
{
	const struct engine_config *cfg = &e->config;
	struct position hot;
	uint64_t at;

	return next && cfg->resilience == ENGINE_CHECKSUM && cfg->direction == ENGINE_FORWARD &&
	       !cfg->freezer && !engine_has_plaintext_side(cfg) && cfg->header->on_data_disk &&
	       cfg->header->ops->protect_ahead && e->overlap.beside &&
	       e->overlap.phase == OVERLAP_DECIDED && find_place(e, next, &at, &hot);
}

/* A header that somebody else has changed is found by the look, and then nothing is written. */
static void start_call(struct engine *e, const struct header_call *call, enum ahead_state state)
{
	(void)lane_finish(e);
	lane_start(e, call);
	e->ahead.state = state;
}

static void start_writing(struct engine *e, const struct batch *next)
{
	const struct engine_config *cfg = &e->config;
	uint64_t at, size = plan_resilience_size(cfg, next->size);

	if (!find_place(e, next, &at, &e->ahead.hot))
		return;
	assert(is_aligned(at, AREA_BLOCK));
	size = MIN(round_up_u64(size, AREA_BLOCK), cfg->header->area_size - at);
	start_call(e,
		   &(struct header_call){.what = HEADER_PROTECT_AHEAD,
					 .offset = at,
					 .data = next->digests,
					 .size = (size_t)size},
		   AHEAD_WRITING);
}

/* They are not used where the next hotzone needs none, or the header is made clean before. */
void ahead_forget(struct engine *e)
{
	e->ahead.state = AHEAD_NONE;
}

void ahead_step(struct engine *e, const struct batch *b, const struct batch *next)
{
	switch (e->ahead.state) {
	case AHEAD_NONE:
		/* From here on the header is locked: not while there is much to come. */
		if (is_possible(e, next) && batch_is_handed_out(b) && batch_is_asked_for(next))
			start_call(e, &(struct header_call){.what = HEADER_HOLD}, AHEAD_LOOKING);
		return;
	case AHEAD_LOOKING:
		if (batch_is_loaded(next))
			start_writing(e, next);
		return;
	case AHEAD_WRITING:
	case AHEAD_WRITTEN:
		return;
	}
}

/*
 * Reads that are on their way take about as long as the flush that is saved. Where there are more
 * to come, the flush of the data is better done beside them.
 */
void ahead_finish(struct engine *e, struct batch *next)
{
	uint64_t begin;

	if (e->ahead.state != AHEAD_WRITING && is_possible(e, next) && batch_is_asked_for(next) &&
	    engine_wait_loaded(e, next) == 0)
		start_writing(e, next);
	if (e->ahead.state != AHEAD_WRITING)
		return;
	begin = now_usec();
	/* Nothing is lost by a failure: the checksums are written once more, in the usual way. */
	e->ahead.state = lane_finish(e) == 0 ? AHEAD_WRITTEN : AHEAD_NONE;
	engine_count(e, STAGE_PROTECT, begin);
}

bool ahead_take(struct engine *e, const struct batch *b, struct position *ret_hot)
{
	const struct position *hot = &e->ahead.hot;

	if (e->ahead.state != AHEAD_WRITTEN)
		return false;
	ahead_forget(e);
	assert(hot->boundary + hot->hotzone_size == b->offset + b->size);
	*ret_hot = *hot;
	return true;
}
