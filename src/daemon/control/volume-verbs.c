/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What callers may do to a volume: each changes wishes; volume-step.c carries them out. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "model/least-rate.h"
#include "daemon/policy/unit-text.h"
#include "model/settings.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/log.h"

static bool in_rotation(const struct volume *v)
{
	return header_in_reencryption(&v->header) || v->token.record.has_queued ||
	       v->worker.job == WORKER_PREPARE;
}

/* Nothing can be done to it: it is not there, or the daemon ends. */
static int refuse_all(struct volume *v, struct failure *f)
{
	return v->manager->stopping
		       ? failure_set(f, -ERROR_SHUTTING_DOWN, "%s: the daemon is being stopped",
				     v->place.device)
		       : volume_refuse_absent(v, f);
}

static int no_rotation(const struct volume *v, struct failure *f)
{
	return failure_set(f, -ERROR_NO_ROTATION, "%s: no rotation is under way", v->place.device);
}

static int no_memory(const struct volume *v, struct failure *f)
{
	return failure_set(f, -ENOMEM, "%s: out of memory", v->place.device);
}

/* A caller waits for the record as it is now. */
static int wait_for_record(struct volume *v, enum request_kind kind, struct failure *f,
			   volume_done_t done, void *userdata)
{
	const struct request r = {.kind = kind,
				  .fd = -1,
				  .sequence = v->writing.wanted,
				  .done = done,
				  .userdata = userdata};

	assert(kind == REQUEST_RECORD || kind == REQUEST_SUSPENDED);
	return request_add(v, &r) < 0 ? no_memory(v, f) : 0;
}

/* While the others of its group prepare, one that comes late would break "all or none". */
static int refuse_late(const struct volume *v, struct failure *f)
{
	if (!*v->settings.group)
		return 0;
	for (const struct volume *o = v->manager->volumes; o; o = o->next)
		if (o->group && strcmp(o->settings.group, v->settings.group) == 0)
			return failure_set(f, -EBUSY,
					   "%s: its group \"%s\" is being prepared; try again when "
					   "that has ended",
					   v->place.device, v->settings.group);
	return 0;
}

static int change_run(struct volume *v, const struct run_choices *run, struct failure *f)
{
	int r = volume_change_run(v, run, f);

	if (r > 0)
		(void)volume_record_changed(v);
	return r < 0 ? r : 0;
}

/* The header may have been put right; it is looked at before anything else is done. */
static int ask_again(struct volume *v)
{
	const struct request r = {.kind = REQUEST_LOOK, .fd = -1};

	return request_add(v, &r);
}

int volume_refuse_unseen(struct volume *v, struct failure *f)
{
	if (!v->header.unseen)
		return 0;
	return ask_again(v) < 0
		       ? no_memory(v, f)
		       : failure_set(
				 f, -EBUSY,
				 "%s: its header could not be read since its worker ended in the "
				 "middle of something; it is read now, try again",
				 v->place.device);
}

/*
 * The rotation that was asked for has not begun: nothing is in the header but the wish, since the
 * worker has none of its passphrases, or not all.
 */
static bool awaits_keys(const struct volume *v)
{
	const struct record *r = &v->token.record;

	return !header_in_reencryption(&v->header) && !v->header.unseen && r->has_queued &&
	       !r->foreign && !*r->held && !v->group && v->worker.job != WORKER_PREPARE &&
	       !keys_suffice(&v->keys);
}

/* A second rotation, to come after the one that is there. */
static int queue_rotation(struct volume *v, const struct rotate_options *options, struct failure *f,
			  struct job **ret_job)
{
	if (!options->queue && awaits_keys(v) && *v->keys.reason)
		return failure_set(f, -ERROR_IN_PROGRESS,
				   "%s: a rotation is under way, and waits: %.400s",
				   v->place.device, v->keys.reason);
	if (!options->queue)
		return failure_set(f, -ERROR_IN_PROGRESS,
				   "%s: a rotation is under way; wait for it, cancel it, or queue "
				   "this one",
				   v->place.device);
	if (!v->job)
		return failure_set(f, -ERROR_IN_PROGRESS,
				   "%s: the rotation that is under way waits for an operator; "
				   "resume or cancel it first",
				   v->place.device);
	if (v->worker.job == WORKER_PREPARE || v->group)
		return failure_set(f, -EBUSY, "%s: a rotation is being prepared", v->place.device);
	record_queue(&v->token.record, options);
	keys_try_again(&v->keys);
	(void)volume_record_changed(v);
	*ret_job = v->job;
	return 0;
}

/* What is asked for besides the agreement that keyslots are lost. */
static struct rotate_options without_agreement(const struct rotate_options *options)
{
	struct rotate_options o = *options;

	o.lose_keyslots = o.queue = o.may_weaken = false;
	return o;
}

/* Of the rotation that waits: it, or no other one, is asked for. */
static bool asks_for_the_same(const struct record *r, const struct rotate_options *options)
{
	static const struct rotate_options nothing = ROTATE_OPTIONS_NONE;
	const struct rotate_options o = without_agreement(options);
	const struct rotate_options waiting = without_agreement(&r->queued);

	return rotate_options_equal(&o, &nothing) || rotate_options_equal(&o, &waiting);
}

static void agree_to_lose(struct volume *v)
{
	struct rotate_options o = v->token.record.queued;

	o.lose_keyslots = true;
	record_queue(&v->token.record, &o);
	keys_try_again(&v->keys);
	(void)volume_record_changed(v);
}

/* Its job ends: whoever waits for that waits for another rotation. */
static int replace_rotation(struct volume *v, const struct rotate_options *options,
			    struct failure *f, struct job **ret_job)
{
	struct failure why;

	(void)failure_set(&why, -ECANCELED,
			  "%s: another rotation was asked for before this one began",
			  v->place.device);
	if (v->job)
		job_member_ended(v->job, v, -ECANCELED, &why);
	if (volume_new_job(v, JOB_ROTATE, ret_job) < 0)
		return no_memory(v, f);
	record_drop_queued(&v->token.record);
	volume_wish_rotation(v, options);
	return 0;
}

/* Keyslots may be lost now, for which the rotation has waited so far. */
static int change_waiting(struct volume *v, const struct rotate_options *options, struct failure *f,
			  struct job **ret_job)
{
	if (!asks_for_the_same(&v->token.record, options))
		return replace_rotation(v, options, f, ret_job);
	if (!v->job && volume_new_job(v, JOB_ROTATE, ret_job) < 0)
		return no_memory(v, f);
	agree_to_lose(v);
	*ret_job = v->job;
	return 0;
}

int volume_check_deadline(const struct rotate_options *options, struct failure *f)
{
	if (options->deadline_usec > INT64_MAX)
		return failure_set(f, -EINVAL, "the deadline is later than any time");
	return options->deadline_usec > 0 && options->deadline_usec <= wall_clock_usec()
		       ? failure_set(f, -EINVAL, "the deadline has passed already")
		       : 0;
}

static int refuse_rotation(struct volume *v, const struct rotate_options *options,
			   struct failure *f)
{
	int r = refuse_all(v, f);

	if (r < 0)
		return r;
	r = volume_refuse_conflict(v, f);
	if (r < 0)
		return r;
	r = volume_check_deadline(options, f);
	return r < 0 ? r : volume_check_rotation(v, options, f);
}

int volume_rotate(struct volume *v, const struct rotate_options *options, struct failure *f,
		  struct job **ret_job)
{
	int r = refuse_rotation(v, options, f);

	if (r < 0)
		return r;
	if (options->lose_keyslots && awaits_keys(v))
		return change_waiting(v, options, f, ret_job);
	if (in_rotation(v))
		return queue_rotation(v, options, f, ret_job);
	r = volume_refuse_unseen(v, f);
	if (r < 0)
		return r;
	r = refuse_late(v, f);
	if (r < 0)
		return r;
	if (volume_new_job(v, JOB_ROTATE, ret_job) < 0)
		return no_memory(v, f);
	volume_wish_rotation(v, options);
	return 0;
}

void volume_wish_rotation(struct volume *v, const struct rotate_options *options)
{
	assert(!header_in_reencryption(&v->header) && !trouble_is_conflict(&v->trouble));
	record_wish(&v->token.record, options);
	volume_forget_clock(v);
	keys_wish(&v->keys);
	trouble_forgive(&v->trouble);
	(void)volume_record_changed(v);
}

int volume_suspend(struct volume *v, const char *reason, struct failure *f, volume_done_t done,
		   void *userdata)
{
	int r = volume_refuse_absent(v, f);

	if (r < 0)
		return r;
	if (!in_rotation(v))
		return no_rotation(v, f);
	record_suspend(&v->token.record, reason);
	volume_note_suspender(v);
	volume_forget_clock(v);
	(void)volume_record_changed(v);
	return wait_for_record(v, REQUEST_SUSPENDED, f, done, userdata);
}

static void resume_record(struct volume *v, const struct resume_options *options)
{
	struct record *record = &v->token.record;

	if (record->suspended || record->foreign || (*record->held && !v->group)) {
		record_resume(record);
		if (!v->group)
			record_release(record); /* whatever the others of its group do */
		(void)volume_record_changed(v);
	}
	if (options->now) {
		record_ignore_windows(record, volume_end_of_next_window(v));
		volume_forget_clock(v);
		(void)volume_record_changed(v);
	}
}

int volume_resume(struct volume *v, const struct resume_options *options, struct failure *f,
		  volume_done_t done, void *userdata)
{
	const bool conflict = trouble_is_conflict(&v->trouble);
	int r = refuse_all(v, f);
	struct job *j;

	if (r < 0)
		return r;
	if (!in_rotation(v) && !conflict)
		return no_rotation(v, f);
	r = change_run(v, &options->run, f);
	if (r < 0)
		return r;
	if (!v->job && in_rotation(v) &&
	    volume_new_job(v, v->token.record.cancel ? JOB_CANCEL : JOB_RECOVER, &j) < 0)
		return no_memory(v, f);
	if (v->token.record.suspended || v->trouble.kind != TROUBLE_NONE)
		event_volume(v,
			     &(struct event){.id = EVENT_ROTATION_RESUMED,
					     .level = LOG_NOTICE,
					     .caller = &v->manager->jobs.caller},
			     "rotation resumed");
	resume_record(v, options);
	if (conflict && ask_again(v) < 0)
		return no_memory(v, f);
	trouble_clear(&v->trouble);
	keys_ask_again(&v->keys);
	keys_try_again(&v->keys);
	worker_slot_forgive(&v->worker);
	(void)volume_goes_on(v);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
	return wait_for_record(v, REQUEST_RECORD, f, done, userdata);
}

/* The rotation's own job ends here; whoever waits for the way back has another. */
static int begin_cancel(struct volume *v, struct failure *f, struct job **ret_job)
{
	struct failure why;
	struct job *j;

	(void)failure_set(&why, -ECANCELED, "%s: the rotation was cancelled", v->place.device);
	if (v->group)
		group_failed(v, -ECANCELED, &why);
	if (v->job)
		job_member_ended(v->job, v, -ECANCELED, &why);
	if (volume_new_job(v, JOB_CANCEL, &j) < 0)
		return no_memory(v, f);
	*ret_job = j;
	return 0;
}

static int refuse_cancel(struct volume *v, struct failure *f)
{
	int r = refuse_all(v, f);

	if (r < 0)
		return r;
	if (!in_rotation(v))
		return no_rotation(v, f);
	if (header_in_reencryption(&v->header) && volume_refuse_conflict(v, f) < 0)
		return -ERROR_HEADER_CHANGED;
	if (v->token.record.cancel || header_is_backward(&v->header))
		return failure_set(f, -ERROR_REVERSING, "%s: it is on its way back already",
				   v->place.device);
	if (header_in_reencryption(&v->header) &&
	    strcmp(v->header.parameters.mode, "reencrypt") != 0)
		return failure_set(f, -ENOTSUP, "%s: only a re-encryption can be reversed",
				   v->place.device);
	return 0;
}

/* It may take hours from here to the line that says that it is cancelled. */
static void tell_reversed(const struct volume *v, struct job *j)
{
	const struct event e = {.id = EVENT_ROTATION_REVERSED,
				.level = LOG_NOTICE,
				.bytes = v->progress.bytes_done};

	j->bytes = v->progress.bytes_done;
	if (j->bytes > 0)
		event_volume(v, &e, "rotation is turned around: %s go back to the old key",
			     unit_bytes(j->bytes).text);
	else
		event_volume(v, &e, "rotation is being cancelled; nothing is converted yet");
}

int volume_cancel(struct volume *v, const struct run_choices *run, struct failure *f,
		  struct job **ret_job)
{
	int r = refuse_cancel(v, f);

	if (r < 0)
		return r;
	r = change_run(v, run, f);
	if (r < 0)
		return r;
	r = begin_cancel(v, f, ret_job);
	if (r < 0)
		return r;
	if (!header_in_reencryption(&v->header) && v->worker.job != WORKER_PREPARE &&
	    !v->header.unseen) {
		volume_forget_rotation(v);
		return 0;
	}
	tell_reversed(v, *ret_job);
	record_cancel(&v->token.record);
	trouble_forgive(&v->trouble);
	keys_ask_again(&v->keys);
	(void)volume_record_changed(v);
	return 0;
}

int volume_set_rate_limit(struct volume *v, uint64_t rate, struct failure *f, volume_done_t done,
			  void *userdata)
{
	const bool has_rate = rate != RATE_AS_CONFIGURED;
	char text[LEAST_RATE_TEXT];
	int r = volume_refuse_absent(v, f);

	if (r < 0)
		return r;
	if (has_rate && least_rate_check(rate, text) < 0)
		return failure_set(f, -EINVAL, "%s: %s", v->place.device, text);
	record_set_rate(&v->token.record, has_rate, rate);
	volume_choose_rate(v, has_rate);
	(void)volume_record_changed(v);
	return wait_for_record(v, REQUEST_RECORD, f, done, userdata);
}

static int refuse_while_converting(struct volume *v, struct failure *f)
{
	int r = volume_refuse_absent(v, f);

	if (r < 0)
		return r;
	return v->worker.job == WORKER_CONVERT
		       ? failure_set(f, -EBUSY, "%s: it is being converted; suspend it first",
				     v->place.device)
		       : 0;
}

int volume_unlock(struct volume *v, int fd, const struct unlock_options *options, struct failure *f,
		  volume_done_t done, void *userdata)
{
	_cleanup_close_ int copy = -1;
	struct request r = {.kind = REQUEST_UNLOCK, .done = done, .userdata = userdata};
	int q = refuse_while_converting(v, f);

	if (q < 0)
		return q;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return failure_set(f, -errno, "%s: the descriptor cannot be used", v->place.device);
	r.fd = copy;
	r.unlock = *options;
	if (request_add(v, &r) < 0)
		return no_memory(v, f);
	(void)TAKE_FD(copy);
	return 0;
}

int volume_lock(struct volume *v, struct failure *f, volume_done_t done, void *userdata)
{
	const struct request r = {
		.kind = REQUEST_LOCK, .fd = -1, .done = done, .userdata = userdata};
	int q = refuse_while_converting(v, f);

	assert(done);
	if (q < 0)
		return q;
	if (v->worker.link)
		return request_add(v, &r) < 0 ? no_memory(v, f) : 0;
	keys_locked(&v->keys);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
	done(v, 0, &(struct failure){}, userdata);
	return 0;
}

int volume_check(struct volume *v, const struct rotate_options *options, struct failure *f,
		 volume_check_done_t done, void *userdata)
{
	struct request r = {.kind = REQUEST_CHECK,
			    .fd = -1,
			    .rotate = ROTATE_OPTIONS_NONE,
			    .check_done = done,
			    .userdata = userdata};

	int q = volume_refuse_absent(v, f);

	if (q < 0)
		return q;
	if (header_in_reencryption(&v->header))
		return failure_set(f, -ERROR_IN_PROGRESS, "%s: a rotation is under way",
				   v->place.device);
	if (options)
		r.rotate = *options;
	return request_add(v, &r) < 0 ? no_memory(v, f) : 0;
}

/* What a person takes for right: the header, or the token that is on show. */
static int accept_state(struct volume *v)
{
	int r = 0;

	if (trouble_is_conflict(&v->trouble)) {
		volume_accept_header(v);
		trouble_clear(&v->trouble);
	} else if (v->token.found_json) {
		r = volume_accept_token(v);
	}
	if (r < 0)
		return r;
	record_confirm(&v->token.record);
	(void)volume_record_changed(v);
	volume_apply_rate(v);
	volume_settle_record(v);
	volume_add_found_job(v);
	return 0;
}

int volume_accept(struct volume *v, struct failure *f, volume_done_t done, void *userdata)
{
	int r = refuse_all(v, f);

	if (r < 0)
		return r;
	if (!trouble_is_conflict(&v->trouble) && !v->token.found_json && !v->token.record.foreign)
		return failure_set(f, -EINVAL,
				   "%s: its state token and its header are as this host left them; "
				   "there is nothing to accept",
				   v->place.device);
	r = accept_state(v);
	if (r < 0)
		return failure_set(f, r, "%s: out of memory", v->place.device);
	event_volume(v, &(struct event){.level = LOG_NOTICE, .caller = &v->manager->jobs.caller},
		     "its state is accepted as it is");
	mark_set(&v->mark, VOLUME_CHANGED_ALL);
	return wait_for_record(v, REQUEST_RECORD, f, done, userdata);
}
