/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The state of a volume as callers read it, and the events that people hear of: each is told once,
 * also where a later manager finds the volume in the same state.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "daemon/workers/store.h"
#include "model/state-reason.h"
#include "proto/error-name.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"
#include "proto/service-bus.h"

static const char *reason_of_queued(const struct volume *v, char *text, size_t size)
{
	const struct manager_core *m = v->manager->core;
	const bool converts = v->lines.convert.queued;
	const struct schedule *s = converts ? &m->convert : &m->prepare;
	bool on_disk;
	const struct schedule_entry *e =
		schedule_ahead(s, converts ? &v->lines.convert : &v->lines.prepare, &on_disk);
	const struct volume *other = e ? e->owner : NULL;

	if (v->worker.retry.due)
		return "another process is at it; it is tried again in a moment";
	if (m->rest.paused)
		return "waits until the machine is awake again";
	if (!other || other == v)
		return "waits for its turn";
	if (converts)
		(void)text_format(text, size, STATE_REASON_TURN "%.300s%s is at work (%s=%u)",
				  *other->place.name ? other->place.name : other->place.device,
				  on_disk ? " on the same disk" : "",
				  on_disk ? "MaxConcurrentPerDisk" : "MaxConcurrent",
				  on_disk ? s->max_concurrent_per_disk : s->max_concurrent);
	else
		(void)text_format(text, size, STATE_REASON_TURN "%.300s is being prepared",
				  *other->place.name ? other->place.name : other->place.device);
	return text;
}

/* @text has room for a reason that has to be written. */
static const char *state_reason(const struct volume *v, enum volume_state state, char *text,
				size_t size)
{
	switch (state) {
	case VOLUME_SUSPENDED:
		if (v->token.record.foreign)
			return "another host was told to rotate or cancel; resume or cancel it "
			       "here";
		return v->token.record.suspended ? v->token.record.suspend_reason
						 : v->clock.window_reason;
	case VOLUME_LOCKED:
		return *v->keys.reason ? v->keys.reason : STATE_REASON_NO_KEY;
	case VOLUME_FAILED:
		return v->trouble.kind != TROUBLE_NONE
			       ? v->trouble.failure.text
			       : "the service does not resume a re-encryption of this kind; "
				 "recryptctl status DEVICE says what can";
	case VOLUME_QUEUED:
		return reason_of_queued(v, text, size);
	case VOLUME_PREPARING:
		return *v->token.record.held && !v->group
			       ? "waits for another volume of its group, whose header says whether "
				 "all are prepared; resume or cancel it to go on without"
			       : "";
	case VOLUME_RUNNING:
		return v->clock.at_risk ? v->clock.risk_reason : "";
	case VOLUME_ABSENT:
		return v->place.absence;
	case VOLUME_IDLE:
	case VOLUME_REVERSING:
	case VOLUME_FINISHING:
	case VOLUME_STATE_COUNT:
	default:
		return "";
	}
}

static const char *state_error(const struct volume *v, enum volume_state state)
{
	if (state != VOLUME_FAILED)
		return "";
	return v->trouble.kind != TROUBLE_NONE ? v->trouble.failure.name : error_name(-ENOTSUP);
}

/* Once until there are keys again, or no need of them: not by each manager that finds it so. */
static void tell_locked(struct volume *v, const char *reason)
{
	_cleanup_close_ int fd = -1;

	if (v->status.locked_told)
		return;
	v->status.locked_told = true;
	event_volume(v,
		     &(struct event){.id = EVENT_VOLUME_LOCKED,
				     .level = LOG_WARNING,
				     .caller = &caller_nobody},
		     "is locked: %s", event_cause(v, reason));
	fd = memfd_create(STORE_LOCKED, MFD_CLOEXEC);
	if (fd >= 0)
		(void)store_put(STORE_LOCKED, v->uuid, fd);
}

static void forget_locked(struct volume *v)
{
	if (!v->status.locked_told)
		return;
	v->status.locked_told = false;
	store_drop(STORE_LOCKED, v->uuid);
}

static bool is_at_work(enum volume_state state)
{
	return state == VOLUME_RUNNING || state == VOLUME_REVERSING || state == VOLUME_FINISHING;
}

/* That a window has closed or opened, where the work goes on or ends with it. */
static void tell_window(struct volume *v, enum volume_state state)
{
	const struct event suspended = {
		.id = EVENT_ROTATION_SUSPENDED, .level = LOG_NOTICE, .caller = &caller_nobody};
	const struct event resumed = {
		.id = EVENT_ROTATION_RESUMED, .level = LOG_NOTICE, .caller = &caller_nobody};
	const bool closed =
		state == VOLUME_SUSPENDED && !v->token.record.suspended && !v->token.record.foreign;

	if (closed && !v->status.by_window && is_at_work(v->status.state))
		event_volume(v, &suspended, "rotation suspended: %s", v->clock.window_reason);
	else if (closed && !v->status.by_window)
		log_info("%s: %s", v->place.device, v->clock.window_reason);
	else if (v->status.by_window && is_at_work(state) &&
		 v->token.record.last.converting_usec > 0)
		event_volume(v, &resumed, "rotation resumed: %s",
			     wall_clock_usec() < v->token.record.now_until
				     ? "not waiting for its window"
				     : "its window is open");
	if (closed || state != VOLUME_QUEUED)
		v->status.by_window = closed;
}

void volume_set_state(struct volume *v, enum volume_state state)
{
	char text[sizeof(v->status.reason)];
	const char *reason = state_reason(v, state, text, sizeof(text));
	const char *error = state_error(v, state);

	assert(state < VOLUME_STATE_COUNT);
	if (!is_at_work(state) && progress_stopped(&v->progress))
		mark_set(&v->mark, VOLUME_CHANGED_PROGRESS);
	v->status.suspended_told = v->status.suspended_told && v->token.record.suspended;
	if (state == v->status.state && strcmp(reason, v->status.reason) == 0 &&
	    strcmp(error, v->status.error) == 0 && v->status.unlocked == keys_are_held(&v->keys))
		return;
	if (state == VOLUME_LOCKED)
		tell_locked(v, reason);
	else if (keys_are_held(&v->keys) || state == VOLUME_IDLE)
		forget_locked(v);
	tell_window(v, state);
	if (state == VOLUME_SUSPENDED && v->token.record.suspended && !v->status.suspended_told) {
		v->status.suspended_told = true;
		event_volume(v,
			     &(struct event){.id = EVENT_ROTATION_SUSPENDED,
					     .level = LOG_NOTICE,
					     .caller = &v->status.suspender},
			     "rotation suspended%s%s", *reason ? ": " : "", reason);
	}
	v->status.state = state;
	v->status.unlocked = keys_are_held(&v->keys);
	(void)text_copy(v->status.reason, sizeof(v->status.reason), reason);
	(void)text_copy(v->status.error, sizeof(v->status.error), error);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

void volume_note_suspender(struct volume *v)
{
	v->status.suspender = v->manager->jobs.caller;
}

void volume_find_state(struct volume *v)
{
	_cleanup_close_ int fd = store_take(STORE_LOCKED, v->uuid);

	v->status.found = header_in_reencryption(&v->header) && !v->worker.stored;
	v->status.suspended_told = v->token.record.suspended && !header_is_unclean(&v->header);
	v->status.locked_told = fd >= 0;
}

bool volume_goes_on(struct volume *v)
{
	const bool found = v->status.found;

	v->status.found = false;
	return found;
}
