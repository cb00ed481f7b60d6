/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a volume hears from its worker: ends of jobs, progress, keys, its death. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/error.h"
#include "util/log.h"

#define LOOK_PATIENCE 4U /* times ProbeTimeout=, for a volume that was there before */

static void look_failed(struct volume *v, int error, const struct failure *f);

/* Its disk hangs. A worker that only looks may be killed at any time. */
static int on_look_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;
	_cleanup_close_ int pidfd = -1;
	struct failure f;

	(void)s;
	(void)usec;
	if (v->worker.presence != WORKER_LOOKING)
		return 0;
	(void)worker_link_kill(v->worker.link, &pidfd);
	(void)failure_set(&f, -ETIMEDOUT, "%s: the device does not answer", v->place.device);
	look_failed(v, -ETIMEDOUT, &f);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
	return 0;
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

	spec.device = v->place.device;
	spec.header_device = v->place.header_device;
	spec.name = config->name; /* left out, the worker finds whatever is active */
	return worker_slot_start(&v->worker, &spec, &volume_worker_handler, v,
				 v->manager->config->probe_timeout_usec * LOOK_PATIENCE,
				 on_look_limit);
}

int volume_need_worker(struct volume *v)
{
	int r;

	if (!worker_slot_may_start(&v->worker))
		return -EAGAIN;
	r = start_worker(v);
	if (r < 0) {
		(void)log_warning_errno(r, "%s: no worker", v->place.device);
		volume_worker_handler.died(v);
		return r;
	}
	keys_start(&v->keys);
	return 0;
}

void volume_give_up_record(struct volume *v, int error, const struct failure *f)
{
	assert(error < 0);
	writing_give_up(&v->writing);
	request_record_failed(v, v->writing.wanted, error, f);
}

static void on_died(void *userdata)
{
	struct volume *v = userdata;
	const enum worker_job job = v->worker.job;
	const unsigned deaths = v->worker.deaths + 1;
	const bool given_up = worker_slot_died(&v->worker);

	keys_lost(&v->keys, job == WORKER_USE_PROVIDER);
	if (job == WORKER_PREPARE)
		header_lost(&v->header);
	writing_unsent(&v->writing);
	request_worker_died(v);
	if (given_up) {
		struct failure f;

		(void)failure_set(&f, -EIO,
				  "%s: its worker died %u times; see the messages before this one",
				  v->place.device, deaths);
		volume_fail(v, -EIO, &f);
		volume_give_up_record(v, -EIO, &f);
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
	/* The keys go with the worker. */
	if (!header_in_reencryption(&v->header))
		keys_start(&v->keys);
	if (v->token.record.has_queued || header_in_reencryption(&v->header) || v->header.unseen)
		volume_fail(v, error, f);
	else
		log_warning("%s", f->text);
	volume_give_up_record(v, error, f);
	volume_drop_worker(v);
	worker_slot_looked(&v->worker);
}

/* What is done next relies on it. */
static void write_given_up(struct volume *v)
{
	if (writing_resume(&v->writing))
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
				   "%s: volume %s is there now, and not %s", v->place.device,
				   e->look.uuid, v->uuid);
	r = place_check(&v->place, &e->look, f);
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
	worker_slot_looked(&v->worker);
	volume_send_identity(v);
	write_given_up(v);
	/* A worker before this one may have died with its last word unsaid. */
	volume_settle_record(v);
	request_ended(v, REQUEST_LOOK, 0, NULL, NULL);
}

static void on_ended(void *userdata, struct worker_end *e)
{
	struct volume *v = userdata;
	const enum before before = !header_in_reencryption(&v->header) ? BEFORE_AT_REST
				   : header_is_backward(&v->header)    ? BEFORE_BACKWARD
								       : BEFORE_FORWARD;

	worker_slot_ended(&v->worker, e->job);
	if (e->error == -ERROR_OTHER_VOLUME && worker_slot_knows_header(&v->worker)) {
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
	volume_job_ended(v, e, before);
	if (e->look.valid) {
		volume_settle_record(v); /* a key may have told which record counts */
		volume_note_sequence(v);
	}
	/* An adopted worker may only now have written that its volume is held for a group. */
	group_settle(v->manager);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* Until the next worker has looked, nobody knows what this one has written. */
static void replace_worker(struct volume *v)
{
	volume_drop_worker(v);
	header_lost(&v->header);
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
		keys_found(&v->keys, s->unlocked || s->passphrases > 0);
		worker_slot_found(&v->worker, s);
		if (s->job == WORKER_CONVERT) {
			schedule_add_running(&v->manager->core->convert, &v->lines.convert);
			if (v->job)
				job_member_started(v->job, v);
		}
		volume_send_identity(v);
	}
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

static void record_written(struct volume *v, int error, const struct failure *f)
{
	if (worker_slot_retry_later(&v->worker, error)) {
		writing_unsent(&v->writing);
		return;
	}
	writing_answered(&v->writing, error == 0);
	if (error < 0) {
		log_warning("%s: its record cannot be written: %s", v->place.device,
			    event_cause(v, f->text));
		request_record_failed(v, v->writing.durable, error, f);
	} else {
		worker_slot_got_through(&v->worker);
		volume_remember_written(v);
		/* Its word may be this host's only now, and others of its group wait for it. */
		group_settle(v->manager);
	}
}

static void on_replied(void *userdata, enum worker_call call, int error, const struct failure *f)
{
	struct volume *v = userdata;

	if (error == -ERROR_OTHER_VOLUME) {
		log_notice("%s", f->text);
		volume_found_other(v);
	} else if (call == WORKER_CALL_SET_RECORD) {
		record_written(v, error, f);
	} else if (call == WORKER_CALL_LOCK) {
		if (error == 0)
			keys_locked(&v->keys);
		request_ended(v, REQUEST_LOCK, error, f, NULL);
	} else if (error < 0) {
		log_warning("%s: %s", v->place.device, event_cause(v, f->text));
	}
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* Once a run, and not for what is within the disk's ups and downs. */
static void tell_long_stall(const struct volume *v, uint64_t before)
{
	const uint64_t target = v->settings.stall_target_usec;
	const uint64_t now = v->progress.longest_stall_usec;

	if (target > 0 && before <= 2 * target && now > 2 * target)
		event_volume(v,
			     &(struct event){.id = EVENT_HOTZONE_FROZEN_LONG,
					     .level = LOG_WARNING,
					     .caller = &caller_nobody,
					     .usec = now},
			     "applications waited up to %llu ms for the range being converted "
			     "(StallTarget=%llums)",
			     (unsigned long long)(now / 1000), (unsigned long long)(target / 1000));
}

static void on_progress(void *userdata, const struct worker_progress *p)
{
	struct volume *v = userdata;
	const uint64_t stall_before = v->progress.longest_stall_usec;

	if (p->bytes_done != v->progress.bytes_done)
		worker_slot_forgive(&v->worker);
	progress_heard(&v->progress, p);
	progress_expect(&v->progress, volume_end_at_rate(v));
	tell_long_stall(v, stall_before);
	mark_set(&v->mark, VOLUME_CHANGED_PROGRESS);
}

static void on_keys(void *userdata, int old_fd, int new_fd)
{
	struct volume *v = userdata;

	if (keys_store(&v->keys, old_fd, new_fd) < 0)
		log_warning("%s: its keys cannot be kept for the next worker", v->place.device);
}

const struct worker_handler volume_worker_handler = {
	.ended = on_ended,
	.status = on_status,
	.replied = on_replied,
	.progress = on_progress,
	.keys = on_keys,
	.died = on_died,
};
