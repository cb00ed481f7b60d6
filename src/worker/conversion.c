/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run from the header as it is found to its end, and what is said and wiped afterwards. */
#include "worker/conversion-internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "util/clock.h"
#include "util/log.h"
#include "worker/volume-use.h"

/* Online, what a worker that died had let go needs no more than a clean header. */
static int recover(struct conversion *c)
{
	const struct position hot = c->position;
	const bool thawed = c->stack && stack_is_thawed(c->stack);
	int r;

	log_info("%s: recovering the hotzone at offset %" PRIu64 "%s", c->volume->data_path,
		 hot.boundary, thawed ? ", which is converted" : "");
	r = thawed ? engine_recover_thawed(c->engine, &hot) : engine_recover(c->engine, &hot);
	c->position = engine_position(c->engine);
	return r;
}

static int convert(struct conversion *c, bool recover_only, enum engine_outcome *ret)
{
	const struct luks_reenc *reenc = &c->volume->reenc;
	struct position from;
	int r;

	c->position = (struct position){reenc->boundary, reenc->hot_size};
	if (reenc->state == LUKS_REENC_HOT) {
		r = recover(c);
		if (r < 0)
			return r;
	}
	*ret = reenc->state == LUKS_REENC_NONE ? ENGINE_FINISHED : ENGINE_STOPPED;
	if (recover_only || *ret == ENGINE_FINISHED)
		return 0;
	from = c->position;
	r = engine_run(c->engine, &from, ret);
	c->position = engine_position(c->engine);
	return r;
}

static void tell_how_to_go_on(const struct conversion *c)
{
	const struct work_volume *v = c->volume;

	if (v->reenc.state == LUKS_REENC_NONE)
		return; /* the final commit is made; what failed behind it has been said */
	if (device_is_gone(&v->data))
		log_error("%s: the device itself is gone; connect it again, under whatever name%s",
			  v->data_path, v->name ? ", close the volume and open it from there" : "");
	if (c->position.hotzone_size == 0)
		log_error("%s: stopped with a clean header; resume with: recryptctl reencrypt "
			  "--resume-only %s",
			  v->data_path, v->arguments);
	else if (engine_is_thawed(c->engine))
		log_error("%s: stopped; the hotzone at offset %" PRIu64
			  " is converted and in use, but "
			  "the header does not say so yet; resume with: recryptctl reencrypt "
			  "--resume-only %s",
			  v->data_path, c->position.boundary, v->arguments);
	else
		log_error(
			"%s: the hotzone at offset %" PRIu64 " is not finished%s; all else is in "
			"order. Repair the cause, then run: recryptctl reencrypt --resume-only %s",
			v->data_path, c->position.boundary,
			v->name ? " and answers with I/O errors" : "", v->arguments);
}

int conversion_finish(struct work_volume *v)
{
	struct luks_store store;
	int r;

	luks_store_init(&store, v->meta, v->header, &v->reenc, v->meta_fd, v->header_on_data);
	r = store.store.ops->finish(&store.store);
	if (r < 0)
		return log_error_errno(r, "%s: cannot make the final commit of the LUKS2 header",
				       v->header_path);
	return volume_wipe_freed(v, &store.freed);
}

/* For bench/offline. @cpu: microseconds of the thread that submits requests. */
static void tell_stages(const struct conversion *c, uint64_t cpu)
{
	static const char *const names[STAGES] = {
		[STAGE_FREEZE] = "freeze",   [STAGE_LOAD] = "load",
		[STAGE_PROTECT] = "protect", [STAGE_COMMIT] = "commit",
		[STAGE_STORE] = "store",     [STAGE_FLUSH] = "flush",
		[STAGE_VERIFY] = "verify",   [STAGE_CHECKSUM] = "checksum",
		[STAGE_CONVERT] = "convert",
	};

	for (enum stage s = 0; s < STAGES; s++)
		log_debug("stage %s: %" PRIu64 " us", names[s], c->progress.stages.usec[s]);
	log_debug("stage thread: %" PRIu64 " us", cpu);
}

/* For bench/online. */
static void tell_times(const char *what, const struct histogram *h)
{
	log_debug("%s: %" PRIu64 " times; microseconds of half %" PRIu64 ", of 99 %% %" PRIu64
		  ", of 99.9 %% %" PRIu64 ", of all %" PRIu64,
		  what, h->n, histogram_percentile(h, 500), histogram_percentile(h, 990),
		  histogram_percentile(h, 999), h->max);
}

int conversion_run(struct work_volume *v, const struct conversion_keys *keys, bool recover_only,
		   const struct conversion_watch *watch, enum engine_outcome *ret)
{
	struct conversion c = {
		.volume = v,
		.keys = keys,
		.watch = watch,
	};
	uint64_t cpu;
	int r, r2;

	assert(v->lock);
	assert(v->reenc.state == LUKS_REENC_CLEAN || v->reenc.state == LUKS_REENC_HOT);
	assert(watch->stop && !watch->pause_due == !watch->pause);
	r = conversion_set_up(&c);
	if (r < 0) {
		conversion_tear_down(&c);
		return r;
	}
	cpu = thread_cpu_usec();
	r = convert(&c, recover_only, ret);
	cpu = thread_cpu_usec() - cpu;
	if (r == 0 && c.in_use && *ret == ENGINE_STOPPED)
		r = -EBUSY;
	if (watch->ended)
		watch->ended(watch->arg);
	if (r < 0)
		tell_how_to_go_on(&c);
	else if (c.skips)
		log_notice("%s: %" PRIu64 " bytes were never written or were discarded, and are "
			   "left as they are",
			   v->data_path, c.progress.unwritten);
	r2 = conversion_unstack(&c);
	tell_stages(&c, cpu);
	log_debug("flushes: %" PRIu64 " of data, %" PRIu64 " of the header; longest freeze %" PRIu64
		  " us",
		  c.progress.flushes, c.store.flushes, c.progress.frozen.max);
	tell_times("hotzones frozen", &c.progress.frozen);
	tell_times("to freeze them", &c.progress.freezing);
	conversion_tear_down(&c);
	if (r < 0 || r2 < 0)
		return r < 0 ? r : r2;
	/* The caller may go on to commit, and a private mapping took the claim with it. */
	if (v->reenc.state != LUKS_REENC_NONE)
		return volume_claim_device(v);
	/* The header is read again for it: the memory of the hotzones is free by now. */
	return *ret == ENGINE_FINISHED ? volume_wipe_freed(v, &c.store.freed) : 0;
}
