/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/worker-slot.h"

#include <assert.h>
#include <errno.h>

#include "daemon/workers/store.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define DEATHS_MAX      5
#define RESTART_DELAY   UINT64_C(200000) /* after the second death in a row; then it doubles */
#define DELAY_SHIFT_MAX 6U
#define BUSY_TRIES      7
#define BUSY_DELAY      UINT64_C(200000) /* after the first try; then it doubles */
#define ACCURACY        UINT64_C(10000)

void worker_slot_init(struct worker_slot *w, sd_event *event, struct volume_mark *mark,
		      const char *uuid, bool adopted)
{
	*w = (struct worker_slot){.event = event,
				  .mark = mark,
				  .uuid = uuid,
				  .stored = adopted,
				  .presence = WORKER_WANTED};
}

void worker_slot_free(struct worker_slot *w)
{
	w->link = worker_link_free(w->link);
	w->restart = sd_event_source_disable_unref(w->restart);
	w->look_limit = sd_event_source_disable_unref(w->look_limit);
	w->retry.timer = sd_event_source_disable_unref(w->retry.timer);
}

void worker_slot_take(struct worker_slot *w, struct worker_link *link,
		      const struct worker_handler *handler, void *userdata)
{
	assert(link && !w->link);
	w->link = link;
	w->presence = w->stored ? WORKER_LOOKING : WORKER_READY;
	worker_link_set_handler(link, handler, userdata);
}

bool worker_slot_may_start(const struct worker_slot *w)
{
	return w->presence == WORKER_ABSENT || w->presence == WORKER_WANTED;
}

int worker_slot_start(struct worker_slot *w, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata, uint64_t limit_usec,
		      sd_event_time_handler_t on_limit)
{
	int r;

	assert(worker_slot_may_start(w) && !w->link && w->job == WORKER_NONE);
	r = worker_link_spawn(w->event, spec, handler, userdata, &w->link);
	if (r < 0)
		return r;
	r = worker_link_inspect(w->link);
	if (r < 0)
		return r;
	w->look_limit = sd_event_source_disable_unref(w->look_limit);
	r = sd_event_add_time_relative(w->event, &w->look_limit, CLOCK_MONOTONIC, limit_usec,
				       ACCURACY, on_limit, userdata);
	if (r < 0)
		return r;
	w->presence = WORKER_LOOKING;
	return 0;
}

bool worker_slot_knows_header(const struct worker_slot *w)
{
	return w->presence == WORKER_ABSENT || w->presence == WORKER_READY;
}

void worker_slot_looked(struct worker_slot *w)
{
	w->presence = w->link ? WORKER_READY : WORKER_ABSENT;
}

void worker_slot_look_again(struct worker_slot *w)
{
	assert(!w->link);
	if (w->presence == WORKER_ABSENT)
		w->presence = WORKER_WANTED;
}

void worker_slot_begin(struct worker_slot *w, enum worker_job job)
{
	assert(w->link && w->job == WORKER_NONE && job != WORKER_NONE);
	w->job = job;
	w->stop_sent = w->reverse_sent = false;
}

void worker_slot_found(struct worker_slot *w, const struct worker_status *s)
{
	assert(w->link);
	w->job = s->job;
	if (s->job != WORKER_NONE)
		worker_link_expect(w->link, s->job);
	w->told.run = s->run;
	w->presence = WORKER_READY;
}

void worker_slot_ended(struct worker_slot *w, enum worker_job job)
{
	if (w->job == job)
		w->job = WORKER_NONE;
	if (job == WORKER_REVERSE) /* perhaps refused while it converts */
		w->reverse_sent = false;
}

int worker_slot_stop(struct worker_slot *w)
{
	if (w->stop_sent)
		return 0;
	w->stop_sent = true;
	return worker_link_stop(w->link);
}

void worker_slot_reverse_next(struct worker_slot *w)
{
	assert(w->job == WORKER_CONVERT);
	w->reverse_sent = true;
}

void worker_slot_converted(struct worker_slot *w)
{
	if (w->reverse_sent)
		w->job = WORKER_REVERSE;
	w->reverse_sent = false;
}

void worker_slot_keep(struct worker_slot *w)
{
	if (!w->stored)
		w->stored = store_put(STORE_WORKER, w->uuid, worker_link_control_fd(w->link));
}

void worker_slot_abandon(struct worker_slot *w)
{
	if (w->stored)
		store_drop(STORE_WORKER, w->uuid);
	w->stored = false;
}

/* Whatever was said to the worker that was here: the next one does not know it. */
static void forget_worker(struct worker_slot *w)
{
	w->job = WORKER_NONE;
	w->told.limits_sent = w->told.governor_sent = false;
	w->stop_sent = w->reverse_sent = false;
}

bool worker_slot_drop(struct worker_slot *w)
{
	if (!w->link)
		return false;
	worker_slot_abandon(w);
	worker_link_retire(TAKE_PTR(w->link));
	w->presence = w->presence == WORKER_READY ? WORKER_ABSENT : WORKER_WANTED;
	forget_worker(w);
	return true;
}

static int on_restart(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct worker_slot *w = userdata;

	(void)s;
	(void)usec;
	if (w->presence == WORKER_PAUSED)
		w->presence = WORKER_WANTED;
	mark_set(w->mark, 0);
	return 0;
}

/* The first time at once: somebody's I/O may wait. */
static void pause_before_restart(struct worker_slot *w)
{
	int r;

	if (w->deaths < 2)
		return;
	w->restart = sd_event_source_disable_unref(w->restart);
	r = sd_event_add_time_relative(w->event, &w->restart, CLOCK_MONOTONIC,
				       RESTART_DELAY << MIN(w->deaths - 2, DELAY_SHIFT_MAX),
				       ACCURACY, on_restart, w);
	if (r >= 0)
		w->presence = WORKER_PAUSED;
}

bool worker_slot_died(struct worker_slot *w)
{
	const bool needed = w->job != WORKER_NONE || !worker_slot_knows_header(w);

	worker_slot_abandon(w);
	w->link = worker_link_free(w->link);
	forget_worker(w);
	w->deaths++;
	if (w->deaths > DEATHS_MAX && needed) {
		w->deaths = 0;
		w->presence = WORKER_ABSENT;
		return true;
	}
	w->presence = WORKER_WANTED;
	pause_before_restart(w);
	return false;
}

void worker_slot_forgive(struct worker_slot *w)
{
	w->deaths = w->retry.tries = 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct worker_slot *w = userdata;

	(void)s;
	(void)usec;
	w->retry.due = false;
	mark_set(w->mark, 0);
	return 0;
}

bool worker_slot_retry_later(struct worker_slot *w, int error)
{
	struct worker_retry *retry = &w->retry;
	int r;

	if (error != -EBUSY || retry->tries >= BUSY_TRIES)
		return false;
	retry->timer = sd_event_source_disable_unref(retry->timer);
	r = sd_event_add_time_relative(w->event, &retry->timer, CLOCK_MONOTONIC,
				       BUSY_DELAY << retry->tries++, ACCURACY, on_retry, w);
	retry->due = r >= 0;
	return retry->due;
}

void worker_slot_got_through(struct worker_slot *w)
{
	w->retry.tries = 0;
}

static bool same_limits(const struct worker_limits *a, const struct worker_limits *b)
{
	return a->rate == b->rate && a->hotzone_max == b->hotzone_max &&
	       a->stall_target_usec == b->stall_target_usec;
}

int worker_slot_tell_limits(struct worker_slot *w, const struct worker_limits *limits)
{
	struct worker_told *told = &w->told;

	if (!w->link || (told->limits_sent && same_limits(&told->limits, limits)))
		return 0;
	told->limits_sent = true;
	told->limits = *limits;
	return worker_link_set_limits(w->link, limits);
}

/* A floor that creeps up with the time is told in steps of 2 %. */
static bool is_near(uint64_t a, uint64_t b)
{
	return a > b ? a - b <= a / 50 : b - a <= b / 50;
}

static bool same_governor(const struct governor_config *a, const struct governor_config *b)
{
	return a->mode == b->mode && a->rate_max == b->rate_max &&
	       a->latency_target == b->latency_target && is_near(a->rate_min, b->rate_min);
}

int worker_slot_tell_governor(struct worker_slot *w, const struct governor_config *g)
{
	struct worker_told *told = &w->told;

	/* One that is found at work may have another from before. */
	if (!w->link || (told->governor_sent && same_governor(g, &told->governor)))
		return 0;
	told->governor_sent = true;
	told->governor = *g;
	return worker_link_set_governor(w->link, g);
}

void worker_slot_note_run(struct worker_slot *w, const struct run_options *run)
{
	w->told.run = *run;
}
