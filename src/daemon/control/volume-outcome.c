/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a rotation has come to: prepared, over, cancelled, failed. Its record says so, its job and
 * its group hear of it. A worker's answer leads here, and so does what a look finds.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/error.h"
#include "util/log.h"

void volume_fail(struct volume *v, int error, const struct failure *f)
{
	assert(error < 0);
	if (trouble_is_conflict(&v->trouble)) /* which is told already, and explains it */
		return;
	event_volume(v, &(struct event){.id = EVENT_ROTATION_FAILED, .level = LOG_ERR},
		     "rotation failed: %s", event_cause(v, f->text));
	if (!header_in_reencryption(&v->header) && !v->header.unseen) {
		record_failed(&v->token.record, f->text, wall_clock_usec());
		volume_tell_end(v);
		(void)volume_record_changed(v);
		volume_spare_keys(v);
	} else {
		trouble_failed(&v->trouble, f);
	}
	if (v->group)
		group_failed(v, error, f);
	else if (v->job)
		job_member_ended(v->job, v, error, f);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

void volume_is_prepared(struct volume *v)
{
	const struct record_header h = header_sides(&v->header);
	struct record *record = &v->token.record;

	record_prepared(record, wall_clock_usec());
	record_note_sides(record, &h);
	record_take_queued(record);
	(void)volume_record_changed(v);
	if (v->group)
		group_member_prepared(v);
}

void volume_forget_rotation(struct volume *v)
{
	record_forget_wish(&v->token.record, wall_clock_usec());
	(void)volume_record_changed(v);
	volume_use_up_keys(v);
	volume_tell_end(v);
	if (v->job)
		job_member_ended(v->job, v, 0, NULL);
}

int volume_new_job(struct volume *v, enum job_kind kind, struct job **ret)
{
	const struct job_seat seat = {.volume = v, .present = &v->job, .uuid = v->uuid};

	return job_new(&v->manager->jobs, kind, &seat, 1, ret);
}

/* Whoever asked for the way back must not take the new key for the old one. */
static int came_too_late(const struct volume *v, struct failure *f)
{
	return failure_set(
		f, -ERROR_NO_ROTATION,
		"%s: the rotation had finished before it could be reversed; the new key is in use",
		v->place.device);
}

void volume_rotation_over(struct volume *v, bool cancelled)
{
	struct record *record = &v->token.record;
	struct failure f = {};
	const int error = record->cancel && !cancelled ? came_too_late(v, &f) : 0;
	struct job *j;

	record_ended(record, cancelled, wall_clock_usec());
	(void)volume_record_changed(v);
	keys_drop(&v->keys);
	trouble_forgive(&v->trouble);
	if (!record->has_queued)
		volume_use_up_keys(v);
	volume_tell_end(v);
	if (error < 0) /* who waited for it may have done so at an earlier manager */
		log_warning("%s", f.text);
	if (v->job)
		job_member_ended(v->job, v, error, &f);
	if (record->has_queued && volume_new_job(v, JOB_ROTATE, &j) < 0)
		log_warning("%s: the queued rotation has no job", v->place.device);
}

/*
 * What the record says of a job that is over: 0 or a negative errno. A job of an earlier manager
 * may have come to its end without it.
 */
static int job_result(const struct volume *v, const struct job *j, struct failure *f)
{
	const struct last_rotation *last = &v->token.record.last;
	const bool cancelled = strcmp(last->outcome, "cancelled") == 0;

	if (last->ended_usec >= j->created_usec) {
		if (strcmp(last->outcome, "finished") == 0)
			return j->kind == JOB_CANCEL ? came_too_late(v, f) : 0;
		if (cancelled && j->kind == JOB_CANCEL)
			return 0;
		if (strcmp(last->outcome, "failed") == 0)
			return failure_set(f, -EIO, "%s", last->message);
	}
	/* Whoever has its RequestId may ask for it again. */
	(void)accepted_forget_job(&v->manager->jobs.accepted, j->id);
	return failure_set(f, -ECANCELED, "%s: the rotation has not begun, or was taken back",
			   v->place.device);
}

/* A worker may write what an earlier manager told it, after this one has found a rotation. */
static void end_job_of_nothing(struct volume *v)
{
	struct failure f = {};

	if (!v->job || v->group || header_in_reencryption(&v->header) ||
	    v->token.record.has_queued || v->worker.job != WORKER_NONE)
		return;
	job_member_ended(v->job, v, job_result(v, v->job, &f), &f);
}

void volume_settle_record(struct volume *v)
{
	const enum record_match match = volume_check_header(v);
	const struct record *record = &v->token.record;
	const bool beginning = strcmp(record->last.outcome, "preparing") == 0;

	if (trouble_is_conflict(&v->trouble))
		return;
	if (match == RECORD_ENDED_NEW || match == RECORD_ENDED_OLD) {
		volume_rotation_over(v, match == RECORD_ENDED_OLD);
	} else if (header_in_reencryption(&v->header) && beginning) {
		volume_is_prepared(v);
	} else if (record->cancel && beginning && v->worker.job == WORKER_NONE) {
		volume_forget_rotation(v); /* its worker died before it had written anything */
	}
	end_job_of_nothing(v);
}

void volume_take_job(struct volume *v)
{
	const struct job_seat seat = {.volume = v, .present = &v->job, .uuid = v->uuid};

	(void)job_volume_found(&v->manager->jobs, &seat);
}

void volume_compare_job(struct volume *v)
{
	struct failure f;

	if (!v->job || v->group || (v->job->kind == JOB_CANCEL) == v->token.record.cancel)
		return;
	if (v->job->kind == JOB_RECOVER && header_is_backward(&v->header))
		return; /* it was found on its way back */
	if (v->token.record.cancel) {
		(void)failure_set(&f, -ECANCELED, "%s: the rotation was cancelled",
				  v->place.device);
	} else {
		(void)accepted_forget_job(&v->manager->jobs.accepted, v->job->id);
		(void)failure_set(&f, -ECANCELED, "%s: the cancel was not begun", v->place.device);
	}
	job_member_ended(v->job, v, -ECANCELED, &f);
}

void volume_add_found_job(struct volume *v)
{
	const struct record *r = &v->token.record;
	struct job *j;

	if (v->job || trouble_is_conflict(&v->trouble) ||
	    (!header_in_reencryption(&v->header) && !r->has_queued))
		return;
	if (volume_new_job(v, r->cancel ? JOB_CANCEL : JOB_RECOVER, &j) < 0)
		log_error("%s: out of memory", v->place.device);
}
