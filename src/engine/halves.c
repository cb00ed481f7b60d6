/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline, with a journal, and header and data on one disk: a hotzone becomes hot in two halves, so
 * that something is written during four of six flushes, where the disk allows that. J: old data to
 * the area, D: new data to its place, each in two halves; F: flush.
 *
 *     header     clean           | hot: half       | hot: all              | clean
 *     writes     J1    J2 .......................  D1 ....  D2
 *     flushes             F, commit, F         F, commit, F         F, commit, F
 *
 * J2 lies behind J1, where the journal of the whole range has it. D1 needs not be durable before
 * the end: J1 stays in the area, so whatever the header says, recovery converts D1 again. J2 is
 * needed once the header says that all is hot, and D2 is written then only.
 *
 * A disk that does nothing else during a flush takes longer this way: halves-trial.h.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/clock.h"

/* Writes that may be under way while the header is: it waits for those that came before it. */
#define WRITES_BESIDE_HEADER 2

/* Chunks of the first half; 0: there is no place to end it. */
static unsigned first_half(const struct engine *e, const struct batch *b)
{
	const unsigned n = b->n_chunks / 2;

	if (n == 0 || !is_aligned(b->chunks[n].offset, plan_unit(&e->config)))
		return 0;
	return n;
}

bool halves_are_wanted(const struct engine *e, const struct batch *b)
{
	const struct engine_config *cfg = &e->config;
	const struct header_store *h = cfg->header;

	return cfg->resilience == ENGINE_JOURNAL && cfg->direction == ENGINE_FORWARD &&
	       !cfg->freezer && !engine_has_plaintext_side(cfg) && cfg->header_lane &&
	       h->on_data_disk && h->ops->hold && h->ops->flush_area && e->overlap.beside &&
	       e->overlap.phase == OVERLAP_DECIDED && e->halves_trial.halves &&
	       is_aligned(h->area_offset, cfg->disk->block_size) && b->size <= h->area_size &&
	       range_inside(h->area_offset, b->size, cfg->disk->size) && first_half(e, b) > 0;
}

bool halves_are_under_way(const struct engine *e)
{
	return e->halves.state != HALVES_NONE;
}

static struct position hot_half(const struct batch *b, unsigned chunks)
{
	return (struct position){b->offset, b->chunks[chunks].offset - b->offset};
}

static struct position hot_whole(const struct batch *b)
{
	return (struct position){b->offset, b->size};
}

static int write_first(struct engine *e, struct batch *b, unsigned n)
{
	batch_journal(b, e->config.header->area_offset);
	b->n_journal = n;
	while (!batch_part_has_reached(b, 0, n, CHUNK_JOURNALED) && !b->error) {
		int r = batch_step(&e->queue);

		if (r < 0)
			return r;
	}
	return b->error;
}

/* The second half follows at once, as the disk has nothing to write during the flush. */
static int protect_first(struct engine *e, struct batch *b, unsigned n)
{
	int r = lane_call(e, &(struct header_call){.what = HEADER_HOLD});

	if (r < 0)
		return r;
	r = write_first(e, b, n);
	if (r < 0)
		return r;
	b->n_journal = b->n_chunks;
	b->writes_max = WRITES_BESIDE_HEADER;
	r = batch_submit(&e->queue);
	return r < 0 ? r : lane_call(e, &(struct header_call){.what = HEADER_FLUSH_AREA});
}

int halves_begin(struct engine *e, struct batch *b)
{
	const unsigned n = first_half(e, b);
	const struct position hot = hot_half(b, n);
	const uint64_t begin = now_usec();
	int r = protect_first(e, b, n);

	engine_count(e, STAGE_PROTECT, begin);
	if (r < 0)
		return engine_log_unprotected(e, b, r);
	batch_convert(b);
	b->n_protected = n;
	r = engine_commit(e, &hot);
	if (r < 0)
		return r;
	e->halves = (struct halves){.state = HALVES_WRITING, .first = n, .used = true};
	return 0;
}

/* The second half cannot become hot. Whatever is under way for the first one comes to its end. */
static int leave_out(struct engine *e, struct batch *b, int error)
{
	e->halves.error = b->error = error;
	return 0;
}

static int step_writing(struct engine *e, struct batch *b)
{
	const unsigned n = e->halves.first;

	/* Nothing can go on without the journal, so it is handed out before the data. */
	if (batch_part_has_reached(b, n, b->n_chunks, CHUNK_JOURNALING))
		b->n_hot = n;
	if (!batch_part_has_reached(b, n, b->n_chunks, CHUNK_JOURNALED))
		return 0;
	lane_start(e, &(struct header_call){.what = HEADER_FLUSH_AREA});
	e->halves.state = HALVES_FLUSHING;
	return 0;
}

static int step_flushing(struct engine *e, struct batch *b)
{
	const struct position hot = hot_whole(b);
	int r = lane_finish(e);

	if (r < 0)
		return leave_out(e, b, engine_log_unprotected(e, b, r));
	b->n_protected = b->n_chunks;
	engine_start_commit(e, &hot);
	e->halves.state = HALVES_COMMITTING;
	return 0;
}

static int step_committing(struct engine *e, struct batch *b, struct batch *next)
{
	const struct position hot = hot_whole(b);
	int r = engine_end_commit(e, &hot, lane_finish(e));

	if (r < 0)
		return leave_out(e, b, r);
	assert(batch_part_has_reached(b, 0, b->n_chunks, CHUNK_JOURNALED) || b->error);
	e->halves.state = HALVES_NONE;
	b->n_hot = b->n_chunks;
	b->writes_max = e->config.disk->depth;
	if (next)
		engine_share_disk(e, next);
	else
		engine_release(e);
	return 0;
}

int halves_step(struct engine *e, struct batch *b, struct batch *next)
{
	if (b->error || lane_is_busy(e))
		return 0;
	switch (e->halves.state) {
	case HALVES_NONE:
		return 0;
	case HALVES_WRITING:
		return step_writing(e, b);
	case HALVES_FLUSHING:
		return step_flushing(e, b);
	case HALVES_COMMITTING:
		return step_committing(e, b, next);
	}
	return 0;
}

/* The call that is under way, if any: the header may be hot for all when it ends. */
static void finish_call(struct engine *e, const struct batch *b)
{
	const bool commits = e->halves.state == HALVES_COMMITTING && e->calling;
	const struct position hot = hot_whole(b);
	const int r = lane_finish(e);

	if (commits)
		(void)engine_end_commit(e, &hot, r);
}

/*
 * A flush that failed may have lost what was written of the first half, too, so all of that is
 * written again. The flush of the data and the clean header that come then are right whether or not
 * a failed commit has reached the disk: the second half is as it was.
 */
bool halves_survive(struct engine *e, struct batch *b)
{
	const unsigned n = e->halves.first;

	if (e->halves.state == HALVES_NONE || engine_drain(e, b) < 0)
		return false;
	finish_call(e, b);
	e->halves.state = HALVES_NONE;
	if (!batch_part_has_reached(b, 0, n, CHUNK_LOADED))
		return false;
	if (e->halves.error == 0)
		e->halves.error = engine_log_unprotected(e, b, b->error);
	batch_shorten(b, n);
	b->writes_max = e->config.disk->depth;
	return true;
}
