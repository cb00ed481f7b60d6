/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a volume when a job of its worker has ended. */
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

#define BUSY_TRIES 7
#define BUSY_DELAY UINT64_C(200000) /* after the first try; then it doubles */

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	(void)s;
	(void)usec;
	v->core->retry_due = false;
	volume_mark(v, 0);
	return 0;
}

bool volume_retry_later(struct volume *v, int error)
{
	struct volume_core *c = v->core;
	int r;

	if (error != -EBUSY || c->busy >= BUSY_TRIES)
		return false;
	c->retry = sd_event_source_disable_unref(c->retry);
	r = sd_event_add_time_relative(v->manager->event, &c->retry, CLOCK_MONOTONIC,
				       BUSY_DELAY << c->busy++, 10000, on_retry, v);
	c->retry_due = r >= 0;
	return c->retry_due;
}

static bool no_key(int error)
{
	return error == -ENOKEY || error == -ERROR_KEY_REJECTED;
}

/* No key that the worker had opens the volume: a person has to give another one. */
static void lock_volume(struct volume *v, const struct worker_end *e)
{
	struct volume_core *c = v->core;

	c->keys = false;
	(void)text_format(c->lock_reason, sizeof(c->lock_reason), "a key is awaited: %.480s",
			  e->failure.text);
	if (e->job == WORKER_ADOPT || c->reencryption == REENCRYPTION_NONE)
		volume_drop_keys(v);
}

static void get_keys_ended(struct volume *v, const struct worker_end *e)
{
	struct volume_core *c = v->core;
	const bool asked_for = e->job == WORKER_UNLOCK &&
			       request_ended(v, REQUEST_UNLOCK, e->error, &e->failure, NULL);

	if (e->error < 0 && e->job == WORKER_UNLOCK && c->keys)
		return; /* those that are there stay */
	if (e->job == WORKER_USE_PROVIDER &&
	    (e->error == -ECANCELED || volume_retry_later(v, e->error))) {
		c->provider_asked = false; /* it was not waited for, and may be asked again */
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
	c->used_up = false;
	c->keys = true;
	c->locked_by_user = false;
	c->lock_reason[0] = '\0';
	if (!asked_for && c->reencryption == REENCRYPTION_NONE && !c->record.has_queued)
		volume_use_up_keys(v);
}

void volume_is_prepared(struct volume *v)
{
	struct volume_core *c = v->core;

	record_prepared(&c->record, wall_clock_usec());
	volume_note_sides(v);
	if (!c->record.has_queued)
		c->record.cancel = true; /* it was taken back meanwhile */
	c->record.has_queued = false;
	(void)volume_record_changed(v);
	if (c->group)
		group_member_prepared(v);
}

static void prepare_ended(struct volume *v, const struct worker_end *e)
{
	struct volume_core *c = v->core;

	if (e->error < 0 && c->record.cancel && c->reencryption == REENCRYPTION_NONE && !c->group) {
		volume_forget_rotation(v); /* before anything of it was written */
		return;
	}
	if (no_key(e->error) && !c->group) {
		lock_volume(v, e);
		return;
	}
	/* Stopped by Suspend(), Lock(), or for the end of the manager: it is prepared later. */
	if (e->error == -ECANCELED && !c->group)
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
	return failure_set(f, -ERROR_NO_ROTATION,
			   "%s: the rotation had finished before it could be turned around; the "
			   "new key is in use",
			   v->device);
}

void volume_rotation_over(struct volume *v, bool cancelled)
{
	struct volume_core *c = v->core;
	struct failure f = {};
	const int error = c->record.cancel && !cancelled ? came_too_late(v, &f) : 0;
	struct job *j;

	record_ended(&c->record, cancelled, wall_clock_usec());
	(void)volume_record_changed(v);
	volume_drop_keys(v);
	c->failed = false;
	if (!c->record.has_queued)
		volume_use_up_keys(v);
	if (cancelled)
		event_volume(v, EVENT_ROTATION_CANCELLED, LOG_NOTICE, "rotation cancelled");
	else
		event_volume(v, EVENT_ROTATION_FINISHED, LOG_NOTICE, "rotation finished");
	if (v->job)
		job_member_ended(v->job, v, error, &f);
	else if (error < 0)
		log_warning("%s", f.text); /* who waited for it did so at an earlier manager */
	if (c->record.has_queued && job_new(v->manager, JOB_ROTATE, &v, 1, &j) < 0)
		log_warning("%s: the queued rotation has no job", v->device);
}

/* Unless the header that the worker found at the end is another one. */
static void over_as_expected(struct volume *v, const struct worker_end *e, bool cancelled)
{
	if (e->look.valid)
		(void)volume_check_header(v);
	if (!v->core->conflict)
		volume_rotation_over(v, cancelled);
}

static void convert_ended(struct volume *v, const struct worker_end *e, bool backward)
{
	struct volume_core *c = v->core;

	if (c->reverse_sent)
		c->at_work = WORKER_REVERSE;
	if (e->error == 0 && e->outcome == OUTCOME_FINISHED)
		over_as_expected(v, e, backward);
	else if (no_key(e->error))
		lock_volume(v, e);
	else if (e->error == -ERROR_NO_ROTATION)
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
	else if (e->error == -ERROR_NO_ROTATION)
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
	int error = e->error == -ERROR_REVERSING && done ? 0 : e->error;

	v->core->reverse_sent = false;
	if (no_key(error)) {
		lock_volume(v, e);
		return;
	}
	if (volume_retry_later(v, error))
		return;
	if (error == -ERROR_NO_ROTATION)
		volume_settle_record(v);
	if (error == 0 && !done)
		error = failure_set(&f, -ERROR_HEADER_CHANGED,
				    "%s: it could not be brought to a clean state", v->device);
	if (error < 0 && v->core->reencryption != REENCRYPTION_NONE)
		volume_fail(v, error, &f);
}

void volume_job_ended(struct volume *v, const struct worker_end *e, bool was_backward)
{
	const struct volume_core *c = v->core;

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
		recover_ended(v, e, c->reencryption != REENCRYPTION_HOT && !c->stacked);
		break;
	case WORKER_REVERSE:
		/* Without anything converted it is not turned around, but undone next. */
		recover_ended(v, e, strcmp(v->direction, "backward") == 0 || v->bytes_done == 0);
		break;
	case WORKER_NONE:
	case WORKER_INSPECT:
	case WORKER_LOCK:
	case WORKER_JOB_COUNT:
	default:
		break;
	}
}
