/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The run: one hotzone after the other, each by the list
 *
 *   1. freeze   2. read and checksum   3. protect   4. commit hot   5. convert, write, flush
 *   6. commit clean   7. thaw
 *
 * Offline nothing is frozen, so the next hotzone is read and checksummed while this one is written,
 * the one after it while steps 3 and 4 of that one wait for the disk, and in checksum mode 6 merges
 * with the next 4: once the data is durable, whatever stands in the area reads as "already
 * converted". Online 7 comes before such a merged commit, since suspending the mapping for a second
 * range would wait for the I/O that is parked in the first.
 */
#include "engine/engine-internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"

/*
 * Bytes of the next hotzone that are asked for at once while the header is at work, in two requests
 * or more. That keeps a disk busy.
 */
#define READS_BESIDE_HEADER (UINT32_C(2) << 20)

static bool is_hot(const struct engine *e)
{
	return e->position.hotzone_size > 0;
}

static void report(struct engine *e)
{
	const struct engine_config *cfg = &e->config;

	e->progress.position = e->position;
	if (is_hot(e)) {
		e->progress.position.boundary += e->durable;
		e->progress.position.hotzone_size -= e->durable;
	}
	e->progress.converted = plan_converted(cfg, e->progress.position.boundary);
	for (enum stage s = STAGE_CHECKSUM; s < STAGES; s++)
		e->progress.stages.usec[s] = e->queue.stages.usec[s];
	if (cfg->progress)
		cfg->progress(cfg->callback_arg, &e->progress);
}

static bool wants_stop(const struct engine *e)
{
	return e->config.stop && e->config.stop(e->config.callback_arg);
}

/* What has been read on the way to @boundary, in this run and before. */
static uint64_t passed(const struct engine *e, uint64_t boundary)
{
	return plan_converted(&e->config, boundary) - e->jumped;
}

static bool pause_due(const struct engine *e, uint64_t boundary)
{
	const struct engine_config *cfg = &e->config;

	return cfg->pause_due && cfg->pause_due(cfg->callback_arg, passed(e, boundary));
}

static int make_pause(struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	int r = pause_due(e, e->position.boundary) ? engine_say_done(e) : 0;

	if (r < 0 || !cfg->pause)
		return r;
	return cfg->pause(cfg->callback_arg, passed(e, e->position.boundary), &e->limits);
}

static struct position hot_position(const struct engine_config *cfg, const struct hotzone *z)
{
	return (struct position){
		.boundary = cfg->direction == ENGINE_FORWARD ? z->offset : z->offset + z->size,
		.hotzone_size = z->size,
	};
}

/*
 * Nothing of it is to be written, so it needs no protection and no hot header. The last hotzone has
 * both whatever it holds: only from there on may the header say that all is done.
 */
static bool is_unwritten(const struct batch *b)
{
	const struct hotzone z = {b->offset, b->size};

	return batch_unwritten(b) == b->size &&
	       !plan_is_at_end(b->config, plan_boundary_after(b->config, &z));
}

/*
 * In whole blocks, so that none has to be read before it is written: what follows the checksums are
 * older ones. Behind the old data there might be plaintext.
 */
static uint64_t protection_size(const struct engine_config *cfg, uint64_t size)
{
	const uint64_t needed = plan_resilience_size(cfg, size);

	if (cfg->resilience != ENGINE_CHECKSUM)
		return needed;
	return MIN(round_up_u64(needed, 4096), cfg->header->area_size);
}

static int protect(struct engine *e, const struct batch *b)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t size = protection_size(cfg, b->size);
	const void *data = cfg->resilience == ENGINE_CHECKSUM ? b->digests : b->data;
	int r = engine_protect(e, data, (size_t)size);

	if (r == -ERROR_HEADER_CHANGED)
		return engine_log_foreign(e, r);
	if (r < 0)
		log_error_errno(r,
				"%s: cannot write the resilience area for the hotzone at offset "
				"%" PRIu64,
				cfg->disk->name, b->offset);
	return r;
}

/* Steps 3 and 4, with the old data in @b and everything before it durable. */
static int make_hot(struct engine *e, struct batch *b)
{
	const struct engine_config *cfg = &e->config;
	struct position hot = hot_position(cfg, &(struct hotzone){b->offset, b->size});
	const bool ahead = ahead_take(e, b, &hot);
	int r, flushed;

	if (cfg->resilience == ENGINE_CHECKSUM && !engine_has_plaintext_side(cfg))
		batch_convert(b); /* in memory, while the header waits for the disk */
	flushed = unflushed_start(e);
	r = ahead ? 0 : protect(e, b);
	if (flushed == 0)
		flushed = unflushed_finish(e);
	if (flushed < 0)
		engine_log_io(e, flushed, "flush", b->offset, b->size);
	if (r < 0 || flushed < 0)
		return r < 0 ? r : flushed;
	if (!engine_has_plaintext_side(cfg))
		batch_convert(b); /* the journal has what it takes from here */
	r = engine_commit(e, &hot);
	if (r < 0)
		return r;
	e->durable = hot.hotzone_size - b->size;
	return 0;
}

/* Nothing of the hotzone was written: it is let go as it was. Returns @error. */
static int thaw_as_it_was(struct engine *e, int error, bool unreadable)
{
	const int r = engine_thaw(e);

	if (r < 0)
		return r;
	e->read_failed = unreadable;
	return error;
}

/* The disk may say "hot" although the commit failed: nobody may write before it does not. */
static int make_clean(struct engine *e, struct batch *b, const struct position *clean)
{
	const int r = engine_drain(e, b);

	return r < 0 || !e->uncertain ? r : engine_commit(e, clean);
}

/* Steps 3 and 4 have failed with @error, which is returned. */
static int undo_first(struct engine *e, struct batch *b, const struct hotzone *z,
		      const struct position *clean, int error)
{
	if (make_clean(e, b, clean) < 0) {
		e->position = hot_position(&e->config, z);
		return engine_give_up(e, error);
	}
	return thaw_as_it_was(e, error, false);
}

/*
 * Steps 1 to 4 for a first hotzone, of an unwritten one 1 and 2. After an error the header is clean
 * and nothing frozen, or hot.
 */
static int begin_first(struct engine *e, struct batch *b, const struct hotzone *z)
{
	const struct position clean = e->position;
	int r = engine_freeze(e, z);

	if (r < 0)
		return r;
	batch_load(b, z->offset, z->size);
	r = engine_wait_loaded(e, b);
	if (r < 0)
		return thaw_as_it_was(e, r, b->error < 0);
	next_note_loaded(e, b);
	if (is_unwritten(b))
		return 0;
	r = make_hot(e, b);
	return r < 0 ? undo_first(e, b, z, &clean, r) : 0;
}

/* Step 5 has failed with @error, or for an unwritten hotzone just the flush. */
static int end_unstored(struct engine *e, int error)
{
	int r;

	if (is_hot(e))
		return engine_give_up(e, error);
	r = engine_thaw(e);
	return r < 0 ? r : error;
}

/* The header may say either: nobody shall write there by one key or the other. */
static int give_up_between(struct engine *e, const struct hotzone *z, int error)
{
	if (e->config.freezer)
		e->position = hot_position(&e->config, z);
	return engine_give_up(e, error);
}

int engine_end(struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const struct position clean = {.boundary = plan_boundary_after(cfg, z)};
	int r;

	assert(z->size > 0);
	if (plan_is_at_end(cfg, clean.boundary)) {
		/* One commit says both: never "all converted, still in re-encryption" (P1). */
		(void)lane_finish(e);
		r = cfg->header->ops->finish(cfg->header);
		if (r < 0)
			return give_up_between(
				e, z,
				log_error_errno(r,
						"%s: cannot make the final commit of the "
						"LUKS2 header",
						cfg->disk->name));
		e->position = clean;
		e->finished = true;
	} else {
		r = engine_commit(e, &clean);
		if (r < 0 && r != -ERROR_HEADER_CHANGED)
			r = engine_commit(e, &clean);
		if (r < 0)
			return give_up_between(e, z, r);
	}
	r = engine_thaw(e);
	report(e);
	return r;
}

/*
 * Between @boundary and @z nothing is stored, so there was nothing to protect or convert, and the
 * header says that it is done with the same commit as whatever comes behind it.
 */
static void count_hole(struct engine *e, uint64_t boundary, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t size =
		plan_converted(cfg, hot_position(cfg, z).boundary) - plan_converted(cfg, boundary);

	if (size > 0)
		log_debug("%s: %" PRIu64 " bytes before the hotzone at offset %" PRIu64
			  " were never written",
			  cfg->disk->name, size, z->offset);
	e->progress.unwritten += size;
	e->jumped += size;
}

static bool is_last(const struct engine *e, const struct hotzone *z)
{
	return plan_is_at_end(&e->config, plan_boundary_after(&e->config, z));
}

/* Online: is another hotzone to follow at once, whose hot commit can say that @z is done? */
static bool can_merge(const struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;

	return cfg->freezer && cfg->resilience == ENGINE_CHECKSUM && is_hot(e) && !is_last(e, z) &&
	       !wants_stop(e) && !pause_due(e, plan_boundary_after(cfg, z));
}

/* Starts to read the hotzone after @z into @b, which is returned. */
static struct hotzone read_next(struct engine *e, struct batch *b, const struct hotzone *z)
{
	const struct hotzone next = next_hotzone(e, plan_boundary_after(&e->config, z));

	batch_load(b, next.offset, next.size);
	return next;
}

/*
 * The same while something else is done, or size 0 where that is not wanted. A request for the
 * header may have to wait for those that came before it, so few are handed out before it is hot.
 */
static struct hotzone read_ahead(struct engine *e, struct batch *b, const struct hotzone *z)
{
	struct hotzone ahead;

	if (engine_is_single(e) || !e->overlap.beside || is_last(e, z))
		return (struct hotzone){0};
	ahead = read_next(e, b, z);
	b->reads_max = MAX(READS_BESIDE_HEADER / batch_chunk_size(&e->config), 2U);
	/* Reads first: they take less of this thread's time, and writes wait for the pool. */
	if (e->queue.batches[0] != b) {
		e->queue.batches[1] = e->queue.batches[0];
		e->queue.batches[0] = b;
	}
	return ahead;
}

/* The header is hot: from now on writes are handed out, and get one half of what the disk takes. */
static void share_disk(struct engine *e, struct batch *ahead)
{
	ahead->reads_max = MAX(e->config.disk->depth / 2, 1U);
	engine_release(e);
}

/*
 * The hotzone in @next cannot be made hot: clean after @z, which is right whether or not a failed
 * commit reached the disk. Returns @error.
 */
static int end_before(struct engine *e, const struct hotzone *z, struct batch *next, int error,
		      bool unreadable)
{
	int r = engine_drain(e, next);

	if (r < 0)
		return r;
	/* Only the header says "changed by others": whatever a read fails with, this is our
	 * hotzone. */
	if (e->uncertain || (is_hot(e) && (unreadable || error != -ERROR_HEADER_CHANGED))) {
		r = engine_end(e, z);
		if (r < 0)
			return r;
	}
	e->read_failed = unreadable;
	return error;
}

/*
 * From the hotzone in @b, durable but hot in the header, to the one in @next. Checksum mode says
 * both in one commit; the journal must be clean before it is overwritten. An unwritten one is not
 * made hot.
 */
static int go_on(struct engine *e, const struct hotzone *z, struct batch *next)
{
	const bool journal = e->config.resilience == ENGINE_JOURNAL;
	int r = journal ? engine_end(e, z) : 0;

	if (r < 0)
		return r;
	r = engine_wait_loaded(e, next);
	if (r < 0)
		return end_before(e, z, next, r, next->error < 0);
	if (is_unwritten(next))
		return journal ? 0 : engine_end(e, z);
	r = make_hot(e, next);
	if (r < 0)
		return end_before(e, z, next, r, false);
	report(e);
	return 0;
}

/* Hotzones one after the other, until the end, a stop, an error, or (online) just one. */
static int convert_hotzones(struct engine *e)
{
	uint64_t boundary = e->position.boundary;
	struct cycle cycle = cycle_begin(e);
	struct batch *b = &e->batch[0], *other = &e->batch[1];
	struct hotzone z, next, third;
	int r;

	ahead_forget(e);
	overlap_disturbed(&e->overlap);
	z = next_first_hotzone(e);
	r = begin_first(e, b, &z);
	if (r < 0)
		return r;
	next = read_ahead(e, other, &z);
	for (;; z = next, next = third) {
		share_disk(e, other);
		count_hole(e, boundary, &z);
		boundary = plan_boundary_after(&e->config, &z);
		r = engine_store(e, b, next.size > 0 ? other : NULL);
		if (r < 0) {
			/* None of its writes may reach the disk after its I/O is let go with EIO.
			 */
			(void)engine_drain(e, b);
			return end_unstored(e, r);
		}
		if (can_merge(e, &z)) {
			r = engine_thaw_hot(e, &z);
			report(e);
			return r;
		}
		if (engine_is_single(e) || is_last(e, &z) || wants_stop(e) ||
		    pause_due(e, boundary))
			return engine_end(e, &z);
		cycle_end(e, b->size, &cycle);
		/* What is durable needs its memory no longer. */
		if (next.size == 0) {
			e->batch[1].n_chunks = 0; /* it may go into the memory of both */
			next = read_next(e, &e->batch[0], &z);
		}
		b = next.offset == e->batch[0].offset ? &e->batch[0] : &e->batch[1];
		other = b == &e->batch[0] ? &e->batch[1] : &e->batch[0];
		third = read_ahead(e, other, &next);
		r = go_on(e, &z, b);
		if (r < 0)
			return r;
	}
}

/* Whatever happens: no request or job outlives the call, as the memory may not outlive the engine.
 */
static int convert(struct engine *e)
{
	const int r = convert_hotzones(e);

	for (unsigned i = 0; i < e->queue.n_batches; i++)
		batch_abandon(&e->queue, &e->batch[i]);
	engine_release(e);
	(void)lane_finish(e);
	return r;
}

/* After a read error: a smaller hotzone, so that all up to the bad sector is converted first. */
static int retry_smaller(struct engine *e, int error)
{
	const struct engine_config *cfg = &e->config;
	const uint32_t unit = plan_unit(cfg);
	struct hotzone z;

	e->read_failed = false;
	if (e->limit > unit) {
		e->limit = MAX(round_down_u64(e->limit / 8, unit), (uint64_t)unit);
		log_debug("%s: read error, going on with hotzones of %" PRIu64 " bytes",
			  cfg->disk->name, e->limit);
		return 0;
	}
	z = next_hotzone(e, e->position.boundary);
	engine_log_io(e, error, "read", z.offset, z.size);
	return error;
}

static int convert_or_pass(struct engine *e)
{
	const struct hotzone hole = skip_hole_to_pass(e);
	const int r = hole.size > 0 ? skip_pass(e, &hole) : convert(e);

	if (r < 0)
		return e->read_failed ? retry_smaller(e, r) : r;
	e->limit = MIN(e->limit * 2, e->hotzone_max);
	return 0;
}

/* Until all is converted, a stop is wanted, or something fails. */
static int convert_all(struct engine *e)
{
	while (!plan_is_at_end(&e->config, e->position.boundary) && !wants_stop(e)) {
		int r = make_pause(e);

		if (r < 0)
			return r;
		if (wants_stop(e))
			return 0;
		r = convert_or_pass(e);
		if (r < 0)
			return r;
		next_heed_stall(e);
	}
	return 0;
}

static int end_run(struct engine *e, enum engine_outcome *ret)
{
	struct header_store *h = e->config.header;
	int r;

	if (!plan_is_at_end(&e->config, e->position.boundary)) {
		*ret = ENGINE_STOPPED;
		return h->ops->flush(h);
	}
	*ret = ENGINE_FINISHED;
	r = e->finished ? 0 : h->ops->finish(h);
	return r < 0 ? log_error_errno(r, "%s: cannot make the final commit of the LUKS2 header",
				       e->config.disk->name)
		     : 0;
}

int engine_run(struct engine *e, const struct position *from, enum engine_outcome *ret)
{
	const struct engine_config *cfg = &e->config;
	int r;

	assert(from->hotzone_size == 0 && !e->calling);
	if (!is_aligned(cfg->size | from->boundary, cfg->block_size))
		return -EINVAL;
	r = unflushed_before_run(e);
	if (r < 0)
		return r;
	skip_begin(e);
	cycle_begin_run(e, from->boundary);
	e->position = *from;
	e->thawed = (struct hotzone){0};
	e->finished = e->read_failed = false;
	e->jumped = e->no_pass = 0;
	e->after_unwritten = true;
	r = engine_end_thawed(e, convert_all(e));
	return r < 0 ? r : end_run(e, ret);
}

struct position engine_position(const struct engine *e)
{
	return e->position;
}
