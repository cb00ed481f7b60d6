/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a volume when a job of its worker has ended. */
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "proto/error-name.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

static bool no_key(int error)
{
	return error == -ENOKEY || error == -ERROR_KEY_REJECTED;
}

/* No key that the worker had opens the volume: a person has to give another one. */
static void lock_volume(struct volume *v, const struct worker_end *e)
{
	keys_refused(&v->keys, e->failure.text);
	if (e->job == WORKER_ADOPT || !header_in_reencryption(&v->header))
		keys_drop(&v->keys);
}

/* Its caller hears it, and whoever watches over the host should see that somebody tries. */
static void tell_rejected(const struct volume *v, const struct worker_end *e)
{
	const struct caller_id *caller = request_caller(v, REQUEST_UNLOCK);

	if (e->job == WORKER_UNLOCK && e->error == -ERROR_KEY_REJECTED && caller)
		event_volume(v, &(struct event){.level = LOG_NOTICE, .caller = caller},
			     "unlock was refused: %s", event_cause(v, e->failure.text));
}

static void get_keys_ended(struct volume *v, const struct worker_end *e)
{
	tell_rejected(v, e);
	const bool asked_for = e->job == WORKER_UNLOCK &&
			       request_ended(v, REQUEST_UNLOCK, e->error, &e->failure, NULL);

	if (e->job == WORKER_USE_PROVIDER &&
	    (e->error == -ECANCELED || worker_slot_retry_later(&v->worker, e->error))) {
		keys_ask_again(&v->keys); /* it was not waited for */
		return;
	}
	if (e->error < 0 && keys_are_held(&v->keys))
		return; /* those that are there stay */
	if (e->error < 0) {
		lock_volume(v, e);
		return;
	}
	keys_got(&v->keys, e->job == WORKER_UNLOCK, v->header.missing_keyslots);
	/* A provider's, or those of who asked an earlier manager, may come when the rotation has
	 * been taken back. */
	if (!asked_for && !header_in_reencryption(&v->header) && !v->token.record.has_queued &&
	    !request_check_asked(v))
		volume_use_up_keys(v);
}

/*
 * What the provider has given for the dry run alone is forgotten with it; that it has given nothing
 * is what the rotation would wait for.
 */
static void check_ended(struct volume *v, const struct worker_end *e)
{
	const bool asked = request_check_asked(v);
	struct worker_end shown = *e;

	if (asked && !keys_are_held(&v->keys) && *v->keys.reason) {
		(void)text_copy(shown.check.obstacle.text, sizeof(shown.check.obstacle.text),
				v->keys.reason);
		(void)text_copy(shown.check.obstacle.name, sizeof(shown.check.obstacle.name),
				error_name(-ENOKEY));
	}
	request_ended(v, REQUEST_CHECK, e->error, &e->failure, &shown);
	if (!asked || request_check_asked(v))
		return;
	keys_ask_again(&v->keys);
	if (keys_are_held(&v->keys) && !header_in_reencryption(&v->header) &&
	    !v->token.record.has_queued)
		volume_use_up_keys(v);
}

/* A text of the worker without the volume's name, which whoever shows it says before. */
static const char *without_name(const struct volume *v, const char *text)
{
	const size_t n = strlen(v->place.device);

	return strncmp(text, v->place.device, n) == 0 && strncmp(text + n, ": ", 2) == 0
		       ? text + n + 2
		       : text;
}

/* Nothing was written: the rotation begins when the passphrases are there. */
static void await_keyslots(struct volume *v, const struct worker_end *e)
{
	keys_too_few(&v->keys, v->header.missing_keyslots, without_name(v, e->failure.text));
}

static void prepare_ended(struct volume *v, const struct worker_end *e)
{
	if (e->error < 0 && v->token.record.cancel && !header_in_reencryption(&v->header) &&
	    !v->group) {
		volume_forget_rotation(v); /* before anything of it was written */
		return;
	}
	if (no_key(e->error) && !v->group) {
		lock_volume(v, e);
		return;
	}
	/* One keyslot alone that is to be carried over needs no others. */
	if (e->error == -ERROR_KEYSLOTS_LOST && !v->group && v->token.record.queued.keyslot < 0) {
		await_keyslots(v, e);
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

/* Unless the header that the worker found at the end is another one. */
static void over_as_expected(struct volume *v, const struct worker_end *e, bool cancelled)
{
	if (e->look.valid)
		(void)volume_check_header(v);
	if (!trouble_is_conflict(&v->trouble))
		volume_rotation_over(v, cancelled);
}

static void convert_ended(struct volume *v, const struct worker_end *e, bool backward)
{
	worker_slot_converted(&v->worker);
	if (e->error == 0 && e->outcome == OUTCOME_FINISHED)
		over_as_expected(v, e, backward);
	else if (no_key(e->error))
		lock_volume(v, e);
	else if (e->error == -ERROR_NO_ROTATION)
		volume_settle_record(v); /* somebody else has finished it */
	else if (e->error < 0 && e->error != -ECANCELED && e->error != -EINTR &&
		 !worker_slot_retry_later(&v->worker, e->error))
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
	else if (!worker_slot_retry_later(&v->worker, e->error))
		volume_fail(v, e->error, &e->failure);
}

/*
 * Of recover and reverse: @done says whether it has come to what it was sent for. The manager
 * before this one may have asked the worker for the same.
 */
static void recover_ended(struct volume *v, const struct worker_end *e, bool done,
			  enum before before)
{
	struct failure f = e->failure;
	int error = e->error == -ERROR_REVERSING && done ? 0 : e->error;

	if (no_key(error)) {
		lock_volume(v, e);
		return;
	}
	if (worker_slot_retry_later(&v->worker, error))
		return;
	if (error == -ERROR_NO_ROTATION)
		volume_settle_record(v);
	/* Its last hotzone was all that was left. */
	if (error == 0 && before != BEFORE_AT_REST && !header_in_reencryption(&v->header))
		over_as_expected(v, e, before == BEFORE_BACKWARD);
	else if (error == 0 && !done)
		error = failure_set(&f, -ERROR_HEADER_CHANGED,
				    "%s: it could not be brought to a clean state",
				    v->place.device);
	if (error < 0 && header_in_reencryption(&v->header))
		volume_fail(v, error, &f);
}

void volume_job_ended(struct volume *v, const struct worker_end *e, enum before before)
{
	switch (e->job) {
	case WORKER_UNLOCK:
	case WORKER_USE_PROVIDER:
	case WORKER_ADOPT:
		get_keys_ended(v, e);
		break;
	case WORKER_CHECK:
		check_ended(v, e);
		break;
	case WORKER_PREPARE:
		prepare_ended(v, e);
		break;
	case WORKER_CONVERT:
		convert_ended(v, e, before == BEFORE_BACKWARD);
		break;
	case WORKER_UNDO:
		undo_ended(v, e);
		break;
	case WORKER_RECOVER:
		recover_ended(v, e, !header_is_unclean(&v->header), before);
		break;
	case WORKER_REVERSE:
		/* Without anything converted it is not turned around, but undone next. */
		recover_ended(v, e, header_is_backward(&v->header) || v->progress.bytes_done == 0,
			      before);
		break;
	case WORKER_NONE:
	case WORKER_INSPECT:
	case WORKER_LOCK:
	case WORKER_FOREGROUND:
	case WORKER_JOB_COUNT:
	default:
		break;
	}
}
