/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a volume when a job of its worker has ended. */
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/log.h"
#include "util/text.h"

#define BUSY_TRIES 7
#define BUSY_DELAY UINT64_C(200000) /* after the first try; then it doubles */

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	(void)s;
	(void)usec;
	v->worker.retry.due = false;
	mark_set(&v->mark, 0);
	return 0;
}

bool volume_retry_later(struct volume *v, int error)
{
	int r;

	if (error != -EBUSY || v->worker.retry.tries >= BUSY_TRIES)
		return false;
	v->worker.retry.timer = sd_event_source_disable_unref(v->worker.retry.timer);
	r = sd_event_add_time_relative(v->manager->event, &v->worker.retry.timer, CLOCK_MONOTONIC,
				       BUSY_DELAY << v->worker.retry.tries++, 10000, on_retry, v);
	v->worker.retry.due = r >= 0;
	return v->worker.retry.due;
}

static bool no_key(int error)
{
	return error == -ENOKEY || error == -EPERM;
}

/* No key that the worker had opens the volume: a person has to give another one. */
static void lock_volume(struct volume *v, const struct worker_end *e)
{
	v->keys.held = false;
	(void)text_format(v->keys.reason, sizeof(v->keys.reason), "a key is awaited: %.480s",
			  e->failure.text);
	if (e->job == WORKER_ADOPT || v->header.reencryption == REENCRYPTION_NONE)
		volume_drop_keys(v);
}

static void get_keys_ended(struct volume *v, const struct worker_end *e)
{
	const bool asked_for = e->job == WORKER_UNLOCK &&
			       request_ended(v, REQUEST_UNLOCK, e->error, &e->failure, NULL);

	if (e->error < 0 && e->job == WORKER_UNLOCK && v->keys.held)
		return; /* those that are there stay */
	if (e->job == WORKER_USE_PROVIDER &&
	    (e->error == -ECANCELED || volume_retry_later(v, e->error))) {
		v->keys.provider_asked = false; /* it was not waited for, and may be asked again */
		return;
	}
	if (e->error < 0) {
		if (e->job == WORKER_ADOPT)
			volume_drop_keys(v);
		lock_volume(v, e);
		return;
	}
	/* A provider's, or those of who asked an earlier manager, may come when the rotation has
	 * been taken back. */
	v->keys.used_up = false;
	v->keys.held = true;
	v->keys.locked_by_user = false;
	v->keys.reason[0] = '\0';
	if (!asked_for && v->header.reencryption == REENCRYPTION_NONE &&
	    !v->token.record.has_queued)
		volume_use_up_keys(v);
}

void volume_is_prepared(struct volume *v)
{
	record_prepared(&v->token.record, wall_clock_usec());
	volume_note_sides(v);
	if (!v->token.record.has_queued)
		v->token.record.cancel = true; /* it was taken back meanwhile */
	v->token.record.has_queued = false;
	(void)volume_record_changed(v);
	if (v->group)
		group_member_prepared(v);
}

static void prepare_ended(struct volume *v, const struct worker_end *e)
{
	if (e->error < 0 && v->token.record.cancel && v->header.reencryption == REENCRYPTION_NONE &&
	    !v->group) {
		volume_forget_rotation(v); /* before anything of it was written */
		return;
	}
	if (no_key(e->error) && !v->group) {
		lock_volume(v, e);
		return;
	}
	/* Stopped by Suspend(), Lock(), or for the end of the manager: it is prepared later. */
	if (e->error == -ECANCELED && !v->group)
		return;
	if (e->error < 0) {
		volume_fail(v, e->error, &e->failure);
		return;
	}
	volume_is_prepared(v);
}

/* Whoever asked for the way back must not take the new key for the old one. */
static int came_too_late(const struct volume *v, struct failure *f)
{
	return failure_set(f, -ENOMSG,
			   "%s: the rotation had finished before it could be turned around; the "
			   "new key is in use",
			   v->place.device);
}

void volume_rotation_over(struct volume *v, bool cancelled)
{
	struct failure f = {};
	const int error = v->token.record.cancel && !cancelled ? came_too_late(v, &f) : 0;
	struct job *j;

	record_ended(&v->token.record, cancelled, wall_clock_usec());
	(void)volume_record_changed(v);
	volume_drop_keys(v);
	v->trouble.failed = false;
	if (!v->token.record.has_queued)
		volume_use_up_keys(v);
	if (cancelled)
		event_volume(v, EVENT_ROTATION_CANCELLED, LOG_NOTICE, "rotation cancelled");
	else
		event_volume(v, EVENT_ROTATION_FINISHED, LOG_NOTICE, "rotation finished");
	if (v->job)
		job_member_ended(v->job, v, error, &f);
	else if (error < 0)
		log_warning("%s", f.text); /* who waited for it did so at an earlier manager */
	if (v->token.record.has_queued && volume_new_job(v, JOB_ROTATE, &j) < 0)
		log_warning("%s: the queued rotation has no job", v->place.device);
}

/* Unless the header that the worker found at the end is another one. */
static void over_as_expected(struct volume *v, const struct worker_end *e, bool cancelled)
{
	if (e->look.valid)
		(void)volume_check_header(v);
	if (!v->trouble.conflict)
		volume_rotation_over(v, cancelled);
}

static void convert_ended(struct volume *v, const struct worker_end *e, bool backward)
{
	if (v->worker.reverse_sent)
		v->worker.job = WORKER_REVERSE;
	if (e->error == 0 && e->outcome == OUTCOME_FINISHED)
		over_as_expected(v, e, backward);
	else if (no_key(e->error))
		lock_volume(v, e);
	else if (e->error == -ENOMSG)
		volume_settle_record(v); /* somebody else has finished it */
	else if (e->error < 0 && e->error != -ECANCELED && e->error != -EINTR &&
		 !volume_retry_later(v, e->error))
		volume_fail(v, e->error, &e->failure);
}

static void undo_ended(struct volume *v, const struct worker_end *e)
{
	if (e->error == 0)
		over_as_expected(v, e, true);
	else if (no_key(e->error))
		lock_volume(v, e);
	else if (e->error == -ENOMSG)
		volume_settle_record(v);
	else if (!volume_retry_later(v, e->error))
		volume_fail(v, e->error, &e->failure);
}

/*
 * Of recover and reverse: @done says whether it has come to what it was sent for. The manager
 * before this one may have asked the worker for the same.
 */
static void recover_ended(struct volume *v, const struct worker_end *e, bool done)
{
	struct failure f = e->failure;
	int error = e->error == -EALREADY && done ? 0 : e->error;

	v->worker.reverse_sent = false;
	if (no_key(error)) {
		lock_volume(v, e);
		return;
	}
	if (volume_retry_later(v, error))
		return;
	if (error == -ENOMSG)
		volume_settle_record(v);
	if (error == 0 && !done)
		error = failure_set(&f, -ESTALE, "%s: it could not be brought to a clean state",
				    v->place.device);
	if (error < 0 && v->header.reencryption != REENCRYPTION_NONE)
		volume_fail(v, error, &f);
}

void volume_job_ended(struct volume *v, const struct worker_end *e, bool was_backward)
{
	switch (e->job) {
	case WORKER_UNLOCK:
	case WORKER_USE_PROVIDER:
	case WORKER_ADOPT:
		get_keys_ended(v, e);
		break;
	case WORKER_CHECK:
		request_ended(v, REQUEST_CHECK, e->error, &e->failure, e);
		break;
	case WORKER_PREPARE:
		prepare_ended(v, e);
		break;
	case WORKER_CONVERT:
		convert_ended(v, e, was_backward);
		break;
	case WORKER_UNDO:
		undo_ended(v, e);
		break;
	case WORKER_RECOVER:
		recover_ended(v, e,
			      v->header.reencryption != REENCRYPTION_HOT && !v->header.stacked);
		break;
	case WORKER_REVERSE:
		/* Without anything converted it is not turned around, but undone next. */
		recover_ended(v, e,
			      strcmp(v->header.direction, "backward") == 0 ||
				      v->progress.bytes_done == 0);
		break;
	case WORKER_NONE:
	case WORKER_INSPECT:
	case WORKER_LOCK:
	case WORKER_JOB_COUNT:
	default:
		break;
	}
}
