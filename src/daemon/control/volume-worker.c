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
#include "util/log.h"
#include "util/text.h"

#define DEATHS_MAX       5
#define RESTART_DELAY    UINT64_C(200000) /* after the second death in a row; then it doubles */
#define DELAY_SHIFT_MAX  6U
#define LOOK_PATIENCE    4U /* times ProbeTimeout=, for a volume that was there before */
#define RATE_SMOOTHING_N 8  /* a new figure counts one part in so many */

void volume_drop_keys(struct volume *v)
{
	if (v->keys.old_fd < 0)
		return;
	store_drop(STORE_OLD_KEY, v->uuid);
	store_drop(STORE_NEW_KEY, v->uuid);
	v->keys.old_fd = (close(v->keys.old_fd), -1);
	v->keys.new_fd = (close(v->keys.new_fd), -1);
}

void volume_lose_keys(struct volume *v)
{
	v->keys.provider_asked = v->keys.provider_asked && !v->keys.held;
	v->keys.held = false;
}

static void abandon_worker(struct volume *v)
{
	if (v->worker.stored)
		store_drop(STORE_WORKER, v->uuid);
	v->worker.stored = false;
}

void volume_use_up_keys(struct volume *v)
{
	v->keys.held = false;
	v->keys.used_up = true;
	abandon_worker(v);
}

void volume_drop_worker(struct volume *v)
{
	if (!v->worker.link)
		return;
	abandon_worker(v);
	worker_link_retire(TAKE_PTR(v->worker.link));
	v->worker.told.limits_sent = v->worker.told.governor_sent = v->worker.stop_sent =
		v->worker.reverse_sent = false;
	/* Its answers are not heard any more: the next worker is asked again. */
	v->writing.sent = v->writing.durable;
	request_unsend(v);
	v->worker.job = WORKER_NONE;
}

static void look_failed(struct volume *v, int error, const struct failure *f);

/* Its disk hangs. A worker that only looks may be killed at any time. */
static int on_look_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;
	_cleanup_close_ int pidfd = -1;
	struct failure f;

	(void)s;
	(void)usec;
	if (!v->worker.link || v->worker.looked)
		return 0;
	(void)worker_link_kill(v->worker.link, &pidfd);
	(void)failure_set(&f, -ETIMEDOUT, "%s: the device does not answer", v->place.device);
	look_failed(v, -ETIMEDOUT, &f);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
	return 0;
}

static int limit_look(struct volume *v)
{
	v->worker.look_limit = sd_event_source_disable_unref(v->worker.look_limit);
	return sd_event_add_time_relative(v->manager->event, &v->worker.look_limit, CLOCK_MONOTONIC,
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
	const struct volume_config *config = config_for_volume(v->manager->config, v->uuid);
	struct worker_spec spec = volume_worker_spec(config);
	int r;

	spec.device = v->place.device;
	spec.header_device = v->place.header_device;
	spec.name = config->name; /* left out, the worker finds whatever is active */
	r = worker_link_spawn(v->manager->event, &spec, &volume_worker_handler, v, &v->worker.link);
	if (r < 0)
		return r;
	r = worker_link_inspect(v->worker.link);
	return r < 0 ? r : limit_look(v);
}

int volume_need_worker(struct volume *v)
{
	int r;

	assert(!v->worker.link && v->worker.job == WORKER_NONE);
	if (v->worker.restart_due)
		return -EAGAIN;
	r = start_worker(v);
	if (r < 0) {
		(void)log_warning_errno(r, "%s: no worker", v->place.device);
		volume_worker_handler.died(v);
		return r;
	}
	v->worker.looked = v->keys.held = false;
	return 0;
}

void volume_give_up_record(struct volume *v, int error, const struct failure *f)
{
	assert(error < 0);
	v->writing.given_up = v->writing.given_up || v->writing.durable != v->writing.wanted;
	v->writing.only_here = v->writing.only_here || v->writing.given_up;
	v->writing.durable = v->writing.sent = v->writing.wanted;
	request_record_failed(v, v->writing.wanted, error, f);
}

static int on_restart(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	(void)s;
	(void)usec;
	v->worker.restart_due = false;
	mark_set(&v->mark, 0);
	return 0;
}

/* The first time at once: somebody's I/O may wait. */
static void pause_before_restart(struct volume *v)
{
	int r = 0;

	if (v->worker.deaths < 2)
		return;
	v->worker.restart = sd_event_source_disable_unref(v->worker.restart);
	r = sd_event_add_time_relative(v->manager->event, &v->worker.restart, CLOCK_MONOTONIC,
				       RESTART_DELAY << MIN(v->worker.deaths - 2, DELAY_SHIFT_MAX),
				       10000, on_restart, v);
	v->worker.restart_due = r >= 0;
}

static void on_died(void *userdata)
{
	struct volume *v = userdata;
	const bool wanted = v->worker.job != WORKER_NONE || !v->worker.looked;

	if (v->worker.stored)
		store_drop(STORE_WORKER, v->uuid);
	v->worker.link = worker_link_free(v->worker.link);
	v->keys.held = v->keys.held || v->worker.job == WORKER_USE_PROVIDER;
	volume_lose_keys(v);
	v->worker.stored = v->worker.told.limits_sent = v->worker.told.governor_sent =
		v->worker.looked = false;
	v->header.unseen = v->header.unseen || v->worker.job == WORKER_PREPARE;
	v->worker.job = WORKER_NONE;
	v->writing.sent = v->writing.durable;
	request_worker_died(v);
	v->worker.deaths++;
	if (v->worker.deaths > DEATHS_MAX && wanted) {
		struct failure f;

		(void)failure_set(&f, -EIO,
				  "%s: its worker died %u times; see the messages before this one",
				  v->place.device, v->worker.deaths);
		v->worker.deaths = 0;
		v->worker.looked = true; /* no more attempts until somebody asks */
		volume_fail(v, -EIO, &f);
		volume_give_up_record(v, -EIO, &f);
	} else {
		pause_before_restart(v);
	}
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* It cannot be read: nothing is tried again until somebody asks. */
static void look_failed(struct volume *v, int error, const struct failure *f)
{
	assert(error < 0); /* or no request would be answered */
	request_ended(v, REQUEST_LOOK, error, f, NULL);
	for (struct request *q; (q = request_to_send(v));)
		request_ended(v, q->kind, error, f, NULL);
	if (v->token.record.has_queued || v->header.reencryption != REENCRYPTION_NONE ||
	    v->header.unseen)
		volume_fail(v, error, f);
	else
		log_warning("%s", f->text);
	volume_give_up_record(v, error, f);
	volume_drop_worker(v);
	v->worker.looked = true;
}

/* What is done next relies on it. */
static void write_given_up(struct volume *v)
{
	if (!v->writing.given_up)
		return;
	v->writing.given_up = v->writing.only_here = false;
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
		return failure_set(f, -ESTALE, "%s: volume %s is there now, and not %s",
				   v->place.device, e->look.uuid, v->uuid);
	r = volume_check_place(v, &e->look, f);
	if (r < 0)
		return r;
	volume_set_place(v, &e->look);
	return volume_apply_look(v, &e->look) < 0
		       ? failure_set(f, -ENOMEM, "%s: out of memory", v->place.device)
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
	v->worker.looked = true;
	volume_send_identity(v);
	write_given_up(v);
	/* A worker before this one may have died with its last word unsaid. */
	volume_settle_record(v);
	request_ended(v, REQUEST_LOOK, 0, NULL, NULL);
}

static void on_ended(void *userdata, struct worker_end *e)
{
	struct volume *v = userdata;
	const bool was_backward = strcmp(v->header.direction, "backward") == 0;

	if (v->worker.job == e->job)
		v->worker.job = WORKER_NONE;
	if (e->error == -EOTHERVOLUME && v->worker.looked) {
		log_notice("%s", e->failure.text);
		volume_found_other(v);
		return;
	}
	if (e->job == WORKER_INSPECT) {
		inspected(v, e);
		group_settle(v->manager);
		mark_set(&v->mark, 0);
		return;
	}
	if (e->look.valid && volume_apply_look(v, &e->look) < 0)
		log_warning("%s: out of memory", v->place.device);
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
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* Of a worker that an earlier manager began with. */
/* Until the next worker has looked, nobody knows what this one has written. */
static void replace_worker(struct volume *v)
{
	volume_drop_worker(v);
	v->header.unseen = true;
}

static void on_status(void *userdata, int error, const struct worker_status *s)
{
	struct volume *v = userdata;

	if (error < 0) {
		(void)log_warning_errno(error, "%s: its worker does not say what it does",
					v->place.device);
		replace_worker(v);
	} else if (strcmp(s->version, PACKAGE_VERSION) != 0) {
		/* Its manager was killed in the middle of an upgrade. It ends at the next hotzone
		 * boundary, and what it had in hand its successor looks up in the header. */
		log_notice("%s: its worker is of another version of the program and is replaced",
			   v->place.device);
		replace_worker(v);
	} else {
		v->keys.held = (s->unlocked || s->passphrases > 0) && !v->keys.used_up;
		v->worker.job = s->job;
		v->worker.told.run = s->run;
		if (s->job != WORKER_NONE)
			worker_link_expect(v->worker.link, s->job);
		if (s->job == WORKER_CONVERT) {
			schedule_add_running(&v->manager->core->convert, &v->lines.convert);
			if (v->job)
				job_member_started(v->job, v);
		}
		v->worker.looked = true;
		volume_send_identity(v);
	}
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

static void record_written(struct volume *v, int error, const struct failure *f)
{
	assert(v->writing.sent > v->writing.durable); /* only one is on its way */
	if (volume_retry_later(v, error)) {
		v->writing.sent = v->writing.durable;
		return;
	}
	v->writing.durable = v->writing.sent;
	v->writing.only_here = error < 0;
	if (error < 0) {
		log_warning("%s: its record cannot be written: %s", v->place.device, f->text);
		request_record_failed(v, v->writing.durable, error, f);
	} else {
		v->worker.retry.tries = 0;
		volume_remember_written(v);
		/* Its word may be this host's only now, and others of its group wait for it. */
		group_settle(v->manager);
	}
}

static void on_replied(void *userdata, enum worker_call call, int error, const struct failure *f)
{
	struct volume *v = userdata;

	if (error == -EOTHERVOLUME) {
		log_notice("%s", f->text);
		volume_found_other(v);
	} else if (call == WORKER_CALL_SET_RECORD) {
		record_written(v, error, f);
	} else if (call == WORKER_CALL_LOCK) {
		if (error == 0) {
			v->keys.held = false;
			v->keys.locked_by_user = true;
			v->keys.reason[0] = '\0';
			volume_drop_keys(v);
		}
		request_ended(v, REQUEST_LOCK, error, f, NULL);
	} else if (error < 0) {
		log_warning("%s: %s", v->place.device, f->text);
	}
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

static void on_progress(void *userdata, const struct worker_progress *p)
{
	struct volume *v = userdata;
	const uint64_t stall_before = v->progress.longest_stall_usec;
	const uint64_t target = v->settings.stall_target_usec;

	if (p->bytes_done != v->progress.bytes_done)
		v->worker.deaths = v->worker.retry.tries = 0;
	v->progress.bytes_total = p->bytes_total;
	v->progress.bytes_done = p->bytes_done;
	v->progress.hotzone_offset = p->hotzone_offset;
	v->progress.hotzone_size = p->hotzone_size;
	v->progress.longest_stall_usec = p->longest_stall_usec;
	v->progress.stall_999_usec = p->stall_999_usec;
	v->progress.longest_suspend_usec = p->longest_suspend_usec;
	v->progress.unavoidable_stall_usec = p->unavoidable_stall_usec;
	v->progress.rate = v->progress.rate == 0
				   ? p->rate
				   : v->progress.rate - v->progress.rate / RATE_SMOOTHING_N +
					     p->rate / RATE_SMOOTHING_N;
	v->progress.expected_end_usec = volume_end_at_rate(v);
	v->progress.governor_rate = p->governor_rate;
	(void)text_copy(v->progress.governor_reason, sizeof(v->progress.governor_reason),
			p->governor_reason);
	/* Once a run, and not for what is within the disk's ups and downs. */
	if (target > 0 && stall_before <= 2 * target && v->progress.longest_stall_usec > 2 * target)
		event_volume(v, EVENT_HOTZONE_FROZEN_LONG, LOG_WARNING,
			     "I/O to the range in work waited %llu ms, StallTarget= is %llu ms",
			     (unsigned long long)(v->progress.longest_stall_usec / 1000),
			     (unsigned long long)(target / 1000));
	mark_set(&v->mark, VOLUME_CHANGED_PROGRESS);
}

static void on_keys(void *userdata, int old_fd, int new_fd)
{
	struct volume *v = userdata;
	_cleanup_close_ int old_copy = fcntl(old_fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_close_ int new_copy = fcntl(new_fd, F_DUPFD_CLOEXEC, 0);

	if (old_copy < 0 || new_copy < 0) {
		log_warning("%s: its keys cannot be kept for the next worker", v->place.device);
		return;
	}
	volume_drop_keys(v);
	(void)store_put(STORE_OLD_KEY, v->uuid, old_copy);
	(void)store_put(STORE_NEW_KEY, v->uuid, new_copy);
	v->keys.old_fd = TAKE_FD(old_copy);
	v->keys.new_fd = TAKE_FD(new_copy);
}

const struct worker_handler volume_worker_handler = {
	.ended = on_ended,
	.status = on_status,
	.replied = on_replied,
	.progress = on_progress,
	.keys = on_keys,
	.died = on_died,
};
