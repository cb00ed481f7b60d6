/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a volume hears from its worker: ends of jobs, progress, keys, its death. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "daemon/workers/store.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

#define DEATHS_MAX       5
#define RESTART_DELAY    UINT64_C(200000) /* after the second death in a row; then it doubles */
#define DELAY_SHIFT_MAX  6U
#define LOOK_PATIENCE    4U /* times ProbeTimeout=, for a volume that was there before */
#define RATE_SMOOTHING_N 8  /* a new figure counts one part in so many */

void volume_drop_keys(struct volume *v)
{
	struct volume_core *c = v->core;

	if (c->old_key_fd < 0)
		return;
	store_drop(STORE_OLD_KEY, v->uuid);
	store_drop(STORE_NEW_KEY, v->uuid);
	c->old_key_fd = (close(c->old_key_fd), -1);
	c->new_key_fd = (close(c->new_key_fd), -1);
}

void volume_lose_keys(struct volume *v)
{
	struct volume_core *c = v->core;

	c->provider_asked = c->provider_asked && !c->keys;
	c->keys = false;
}

static void abandon_worker(struct volume *v)
{
	struct volume_core *c = v->core;

	if (c->stored)
		store_drop(STORE_WORKER, v->uuid);
	c->stored = false;
}

void volume_use_up_keys(struct volume *v)
{
	v->core->keys = false;
	v->core->used_up = true;
	abandon_worker(v);
}

void volume_drop_worker(struct volume *v)
{
	struct volume_core *c = v->core;

	if (!c->link)
		return;
	abandon_worker(v);
	worker_link_retire(TAKE_PTR(c->link));
	c->limits_sent = c->governor_sent = c->stop_sent = c->reverse_sent = false;
	/* Its answers are not heard any more: the next worker is asked again. */
	c->record_sent = c->record_durable;
	request_unsend(v);
	c->at_work = WORKER_NONE;
}

static void look_failed(struct volume *v, int error, const struct failure *f);

/* Its disk hangs. A worker that only looks may be killed at any time. */
static int on_look_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;
	_cleanup_close_ int pidfd = -1;
	struct failure f;

	(void)s;
	(void)usec;
	if (!c->link || c->looked)
		return 0;
	(void)worker_link_kill(c->link, &pidfd);
	(void)failure_set(&f, -ETIMEDOUT, "%s: the device does not answer", v->device);
	look_failed(v, -ETIMEDOUT, &f);
	volume_mark(v, VOLUME_CHANGED_STATE);
	return 0;
}

static int limit_look(struct volume *v)
{
	struct volume_core *c = v->core;

	c->look_limit = sd_event_source_disable_unref(c->look_limit);
	return sd_event_add_time_relative(v->manager->event, &c->look_limit, CLOCK_MONOTONIC,
					  v->manager->config->probe_timeout_usec * LOOK_PATIENCE,
					  10000, on_look_limit, v);
}

struct worker_spec volume_worker_spec(const struct volume_config *config)
{
	return (struct worker_spec){
		.threads = config->threads,
		.key_timeout_usec = config->provider.timeout_usec,
		.key_memory_max = config->key_memory_max,
		.key_cost_max = config->key_cost_max,
		.allow_shared_files = config->allow_shared_files,
	};
}

/* It looks first, and that may not take for ever. */
static int start_worker(struct volume *v)
{
	struct volume_core *c = v->core;
	const struct volume_config *config = config_for_volume(v->manager->config, v->uuid);
	struct worker_spec spec = volume_worker_spec(config);
	int r;

	spec.device = v->device;
	spec.header_device = v->header_device;
	spec.name = config->name; /* left out, the worker finds whatever is active */
	r = worker_link_spawn(v->manager->event, &spec, &volume_worker_handler, v, &c->link);
	if (r < 0)
		return r;
	r = worker_link_inspect(c->link);
	return r < 0 ? r : limit_look(v);
}

int volume_need_worker(struct volume *v)
{
	struct volume_core *c = v->core;
	int r;

	assert(!c->link && c->at_work == WORKER_NONE);
	if (c->restart_due)
		return -EAGAIN;
	r = start_worker(v);
	if (r < 0) {
		(void)log_warning_errno(r, "%s: no worker", v->device);
		volume_worker_handler.died(v);
		return r;
	}
	c->looked = c->keys = false;
	return 0;
}

void volume_give_up_record(struct volume *v, int error, const struct failure *f)
{
	struct volume_core *c = v->core;

	assert(error < 0);
	c->record_given_up = c->record_given_up || c->record_durable != c->record_wanted;
	c->record_only_here = c->record_only_here || c->record_given_up;
	c->record_durable = c->record_sent = c->record_wanted;
	request_record_failed(v, c->record_wanted, error, f);
}

static int on_restart(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	(void)s;
	(void)usec;
	v->core->restart_due = false;
	volume_mark(v, 0);
	return 0;
}

/* The first time at once: somebody's I/O may wait. */
static void pause_before_restart(struct volume *v)
{
	struct volume_core *c = v->core;
	int r = 0;

	if (c->deaths < 2)
		return;
	c->restart = sd_event_source_disable_unref(c->restart);
	r = sd_event_add_time_relative(v->manager->event, &c->restart, CLOCK_MONOTONIC,
				       RESTART_DELAY << MIN(c->deaths - 2, DELAY_SHIFT_MAX), 10000,
				       on_restart, v);
	c->restart_due = r >= 0;
}

static void on_died(void *userdata)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;
	const bool wanted = c->at_work != WORKER_NONE || !c->looked;

	if (c->stored)
		store_drop(STORE_WORKER, v->uuid);
	c->link = worker_link_free(c->link);
	c->keys = c->keys || c->at_work == WORKER_USE_PROVIDER;
	volume_lose_keys(v);
	c->stored = c->limits_sent = c->governor_sent = c->looked = false;
	c->unseen = c->unseen || c->at_work == WORKER_PREPARE;
	c->at_work = WORKER_NONE;
	c->record_sent = c->record_durable;
	request_worker_died(v);
	c->deaths++;
	if (c->deaths > DEATHS_MAX && wanted) {
		struct failure f;

		(void)failure_set(&f, -EIO,
				  "%s: its worker died %u times; see the messages before this one",
				  v->device, c->deaths);
		c->deaths = 0;
		c->looked = true; /* no more attempts until somebody asks */
		volume_fail(v, -EIO, &f);
		volume_give_up_record(v, -EIO, &f);
	} else {
		pause_before_restart(v);
	}
	volume_mark(v, VOLUME_CHANGED_STATE);
}

/* It cannot be read: nothing is tried again until somebody asks. */
static void look_failed(struct volume *v, int error, const struct failure *f)
{
	struct volume_core *c = v->core;

	assert(error < 0); /* or no request would be answered */
	request_ended(v, REQUEST_LOOK, error, f, NULL);
	for (struct request *q; (q = request_to_send(v));)
		request_ended(v, q->kind, error, f, NULL);
	if (c->record.has_queued || c->reencryption != REENCRYPTION_NONE || c->unseen)
		volume_fail(v, error, f);
	else
		log_warning("%s", f->text);
	volume_give_up_record(v, error, f);
	volume_drop_worker(v);
	c->looked = true;
}

/* What is done next relies on it. */
static void write_given_up(struct volume *v)
{
	struct volume_core *c = v->core;

	if (!c->record_given_up)
		return;
	c->record_given_up = c->record_only_here = false;
	request_wait_until(v, volume_record_changed(v));
}

/* What the worker saw becomes the volume's, where it is the volume. */
static int take_look(struct volume *v, struct worker_end *e, struct failure *f)
{
	int r;

	*f = e->failure;
	if (e->error < 0)
		return e->error;
	if (!e->look.valid || strcmp(e->look.uuid, v->uuid) != 0)
		return failure_set(f, -ERROR_HEADER_CHANGED,
				   "%s: volume %s is there now, and not %s", v->device,
				   e->look.uuid, v->uuid);
	r = volume_check_place(v, &e->look, f);
	if (r < 0)
		return r;
	volume_set_place(v, &e->look);
	return volume_apply_look(v, &e->look) < 0
		       ? failure_set(f, -ENOMEM, "%s: out of memory", v->device)
		       : 0;
}

static void inspected(struct volume *v, struct worker_end *e)
{
	struct failure f;
	int r = take_look(v, e, &f);

	if (r < 0) {
		look_failed(v, r, &f);
		return;
	}
	v->core->looked = true;
	volume_send_identity(v);
	write_given_up(v);
	/* A worker before this one may have died with its last word unsaid. */
	volume_settle_record(v);
	request_ended(v, REQUEST_LOOK, 0, NULL, NULL);
}

static void on_ended(void *userdata, struct worker_end *e)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;
	const bool was_backward = strcmp(v->direction, "backward") == 0;

	if (c->at_work == e->job)
		c->at_work = WORKER_NONE;
	if (e->error == -ERROR_OTHER_VOLUME && c->looked) {
		log_notice("%s", e->failure.text);
		volume_found_other(v);
		return;
	}
	if (e->job == WORKER_INSPECT) {
		inspected(v, e);
		group_settle(v->manager);
		volume_mark(v, 0);
		return;
	}
	if (e->look.valid && volume_apply_look(v, &e->look) < 0)
		log_warning("%s: out of memory", v->device);
	/* Why it failed may be that another header is there. */
	if (e->look.valid && e->error < 0)
		(void)volume_check_header(v);
	volume_job_ended(v, e, was_backward);
	if (e->look.valid) {
		volume_settle_record(v); /* a key may have told which record counts */
		volume_note_sequence(v);
	}
	/* An adopted worker may only now have written that its volume is held for a group. */
	group_settle(v->manager);
	volume_mark(v, VOLUME_CHANGED_STATE);
}

/* Of a worker that an earlier manager began with. */
/* Until the next worker has looked, nobody knows what this one has written. */
static void replace_worker(struct volume *v)
{
	volume_drop_worker(v);
	v->core->unseen = true;
}

static void on_status(void *userdata, int error, const struct worker_status *s)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;

	if (error < 0) {
		(void)log_warning_errno(error, "%s: its worker does not say what it does",
					v->device);
		replace_worker(v);
	} else if (strcmp(s->version, PACKAGE_VERSION) != 0) {
		/* Its manager was killed in the middle of an upgrade. It ends at the next hotzone
		 * boundary, and what it had in hand its successor looks up in the header. */
		log_notice("%s: its worker is of another version of the program and is replaced",
			   v->device);
		replace_worker(v);
	} else {
		c->keys = (s->unlocked || s->passphrases > 0) && !c->used_up;
		c->at_work = s->job;
		c->sent_run = s->run;
		if (s->job != WORKER_NONE)
			worker_link_expect(c->link, s->job);
		if (s->job == WORKER_CONVERT) {
			schedule_add_running(&v->manager->core->convert, &c->convert);
			if (v->job)
				job_member_started(v->job, v);
		}
		c->looked = true;
		volume_send_identity(v);
	}
	volume_mark(v, VOLUME_CHANGED_STATE);
}

static void record_written(struct volume *v, int error, const struct failure *f)
{
	struct volume_core *c = v->core;

	assert(c->record_sent > c->record_durable); /* only one is on its way */
	if (volume_retry_later(v, error)) {
		c->record_sent = c->record_durable;
		return;
	}
	c->record_durable = c->record_sent;
	c->record_only_here = error < 0;
	if (error < 0) {
		log_warning("%s: its record cannot be written: %s", v->device, f->text);
		request_record_failed(v, c->record_durable, error, f);
	} else {
		c->busy = 0;
		volume_remember_written(v);
		/* Its word may be this host's only now, and others of its group wait for it. */
		group_settle(v->manager);
	}
}

static void on_replied(void *userdata, enum worker_call call, int error, const struct failure *f)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;

	if (error == -ERROR_OTHER_VOLUME) {
		log_notice("%s", f->text);
		volume_found_other(v);
	} else if (call == WORKER_CALL_SET_RECORD) {
		record_written(v, error, f);
	} else if (call == WORKER_CALL_LOCK) {
		if (error == 0) {
			c->keys = false;
			c->locked_by_user = true;
			c->lock_reason[0] = '\0';
			volume_drop_keys(v);
		}
		request_ended(v, REQUEST_LOCK, error, f, NULL);
	} else if (error < 0) {
		log_warning("%s: %s", v->device, f->text);
	}
	volume_mark(v, VOLUME_CHANGED_STATE);
}

static void on_progress(void *userdata, const struct worker_progress *p)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;
	const uint64_t stall_before = v->longest_stall_usec;
	const uint64_t target = v->stall_target_usec;

	if (p->bytes_done != v->bytes_done)
		c->deaths = c->busy = 0;
	v->bytes_total = p->bytes_total;
	v->bytes_done = p->bytes_done;
	v->hotzone_offset = p->hotzone_offset;
	v->hotzone_size = p->hotzone_size;
	v->longest_stall_usec = p->longest_stall_usec;
	v->stall_999_usec = p->stall_999_usec;
	v->longest_suspend_usec = p->longest_suspend_usec;
	v->unavoidable_stall_usec = p->unavoidable_stall_usec;
	v->rate = v->rate == 0 ? p->rate
			       : v->rate - v->rate / RATE_SMOOTHING_N + p->rate / RATE_SMOOTHING_N;
	v->expected_end_usec = volume_end_at_rate(v);
	v->governor_rate = p->governor_rate;
	(void)text_copy(v->governor_reason, sizeof(v->governor_reason), p->governor_reason);
	/* Once a run, and not for what is within the disk's ups and downs. */
	if (target > 0 && stall_before <= 2 * target && v->longest_stall_usec > 2 * target)
		event_volume(v, EVENT_HOTZONE_FROZEN_LONG, LOG_WARNING,
			     "I/O to the range in work waited %llu ms, StallTarget= is %llu ms",
			     (unsigned long long)(v->longest_stall_usec / 1000),
			     (unsigned long long)(target / 1000));
	volume_mark(v, VOLUME_CHANGED_PROGRESS);
}

static void on_keys(void *userdata, int old_fd, int new_fd)
{
	struct volume *v = userdata;
	struct volume_core *c = v->core;
	_cleanup_close_ int old_copy = fcntl(old_fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_close_ int new_copy = fcntl(new_fd, F_DUPFD_CLOEXEC, 0);

	if (old_copy < 0 || new_copy < 0) {
		log_warning("%s: its keys cannot be kept for the next worker", v->device);
		return;
	}
	volume_drop_keys(v);
	(void)store_put(STORE_OLD_KEY, v->uuid, old_copy);
	(void)store_put(STORE_NEW_KEY, v->uuid, new_copy);
	c->old_key_fd = TAKE_FD(old_copy);
	c->new_key_fd = TAKE_FD(new_copy);
}

const struct worker_handler volume_worker_handler = {
	.ended = on_ended,
	.status = on_status,
	.replied = on_replied,
	.progress = on_progress,
	.keys = on_keys,
	.died = on_died,
};
