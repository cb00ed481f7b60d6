/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls of the header store, in a lane of its own where there is one: what has been read is
 * checksummed and converted, and requests go on, while the header's disk is waited for.
 *
 *     engine   ---- lane_start() ---- flush, requests, jobs ---- lane_finish() ----
 *     lane          '-------- lock, look, write, flush --------'
 *
 * One call is under way at a time. Offline the lock is held from the first call of a hotzone to the
 * commit that makes the next one hot (or this one clean), so that the header is looked at once.
 * Online the freezer holds it, and a thread that would only wait for the lane makes the call
 * itself.
 *
 * A hot commit is over when the primary copy is durable. HEADER_RELEASE, which follows it, writes
 * the secondary while the data is written.
 */
#include <assert.h>

#include "engine/engine-internal.h"
#include "util/log.h"

static int run_hold(struct engine *e)
{
	const struct engine_config *cfg = &e->config;

	if (cfg->freezer || !cfg->header->ops->hold)
		return 0;
	return cfg->header->ops->hold(cfg->header);
}

static int run_copy(struct engine *e)
{
	struct header_store *h = e->config.header;
	const bool due = e->copy_due;

	e->copy_due = false;
	return due && h->ops->copy ? h->ops->copy(h) : 0;
}

/* The next commit refuses where the copy has failed. */
static int run_release(struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	int r = run_copy(e);

	if (!cfg->freezer && cfg->header->ops->release)
		cfg->header->ops->release(cfg->header);
	return r;
}

static int run_protect(struct engine *e)
{
	struct header_store *h = e->config.header;
	int r = run_hold(e);

	return r < 0 ? r : h->ops->protect(h, e->call.data, e->call.size);
}

static int run_protect_ahead(struct engine *e)
{
	struct header_store *h = e->config.header;
	int r = run_hold(e);

	return r < 0 ? r : h->ops->protect_ahead(h, e->call.offset, e->call.data, e->call.size);
}

static int run_commit(struct engine *e)
{
	struct header_store *h = e->config.header;
	int r;

	assert(!e->copy_due);
	r = run_hold(e);
	if (r < 0)
		return r;
	r = h->ops->commit(h, &e->call.position);
	if (r < 0)
		return r;
	e->copy_due = true;
	if (e->call.copy_later)
		return 0;
	r = run_copy(e);
	return r < 0 || !e->call.both_copies ? r : h->ops->flush(h);
}

static int run_call(struct engine *e)
{
	/* Due still where the disk failed beside the commit. A commit refuses where this fails. */
	if (e->call.what != HEADER_RELEASE)
		(void)run_copy(e);
	switch (e->call.what) {
	case HEADER_HOLD:
		return run_hold(e);
	case HEADER_PROTECT:
		return run_protect(e);
	case HEADER_PROTECT_AHEAD:
		return run_protect_ahead(e);
	case HEADER_COMMIT:
		return run_commit(e);
	case HEADER_RELEASE:
		return run_release(e);
	}
	return 0;
}

static int run_in_lane(void *arg, unsigned lane)
{
	struct engine *e = arg;
	int r;

	(void)lane;
	log_capture_for(e->call.captured);
	r = run_call(e);
	log_capture_for((struct log_capture){});
	return r;
}

static bool is_for_lane(const struct engine *e, const struct header_call *call)
{
	return e->config.header_lane && (!e->config.freezer || call->what == HEADER_RELEASE);
}

void lane_start(struct engine *e, const struct header_call *call)
{
	assert(!e->calling);
	e->call = *call;
	e->calling = true;
	e->call.job = (struct pool_job){.run = run_in_lane, .arg = e};
	e->call.captured = log_captured();
	e->call.in_lane = is_for_lane(e, call);
	if (e->call.in_lane)
		pool_submit(e->config.header_lane, &e->call.job);
	else
		e->call.job.result = run_call(e);
}

static int wait_for_lane(struct engine *e)
{
	while (!pool_collect(e->config.header_lane)) {
		const int r = batch_step(&e->queue);

		if (r < 0) {
			(void)pool_wait(e->config.header_lane);
			return r;
		}
	}
	return 0;
}

int lane_finish(struct engine *e)
{
	int r;

	if (!e->calling)
		return 0;
	e->queue.jobs++; /* it wakes the disk, too */
	r = e->call.in_lane ? wait_for_lane(e) : 0;
	e->queue.jobs--;
	e->calling = false;
	return r < 0 ? r : e->call.job.result;
}

int lane_call(struct engine *e, const struct header_call *call)
{
	int r = lane_finish(e);

	if (r < 0)
		return r;
	/* So that the disk and the pool have work while this thread waits. */
	r = is_for_lane(e, call) ? 0 : batch_submit(&e->queue);
	if (r < 0)
		return r;
	lane_start(e, call);
	return lane_finish(e);
}
