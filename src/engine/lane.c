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
 * Online the freezer holds it.
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

static int run_release(struct engine *e)
{
	const struct engine_config *cfg = &e->config;

	if (!cfg->freezer && cfg->header->ops->release)
		cfg->header->ops->release(cfg->header);
	return 0;
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
	int r = run_hold(e);

	if (r == 0)
		r = h->ops->commit(h, &e->call.position);
	return r < 0 || !e->call.both_copies ? r : h->ops->flush(h);
}

static int run(struct engine *e)
{
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
	r = run(e);
	log_capture_for((struct log_capture){});
	return r;
}

void lane_start(struct engine *e, const struct header_call *call)
{
	struct pool *lane = e->config.header_lane;

	assert(!e->calling);
	e->call = *call;
	e->calling = true;
	e->call.job = (struct pool_job){.run = run_in_lane, .arg = e};
	e->call.captured = log_captured();
	if (!lane) {
		e->call.job.result = run(e);
		return;
	}
	pool_submit(lane, &e->call.job);
}

int lane_finish(struct engine *e)
{
	struct pool *lane = e->config.header_lane;
	int r = 0;

	if (!e->calling)
		return 0;
	e->queue.jobs++; /* it wakes the disk, too */
	while (lane && r == 0 && !pool_collect(lane))
		r = batch_step(&e->queue);
	if (lane && r < 0)
		(void)pool_wait(lane);
	e->queue.jobs--;
	e->calling = false;
	return r < 0 ? r : e->call.job.result;
}

int lane_call(struct engine *e, const struct header_call *call)
{
	int r = lane_finish(e);

	if (r < 0)
		return r;
	lane_start(e, call);
	return lane_finish(e);
}
