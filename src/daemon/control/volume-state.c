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
#include "proto/error-name.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"
#include "proto/service-bus.h"

static const char *state_reason(const struct volume *v, enum volume_state state)
{
	const struct volume_core *c = v->core;

	switch (state) {
	case VOLUME_SUSPENDED:
		if (c->record.foreign)
			return "another host was told to rotate or cancel; resume or cancel it "
			       "here";
		return c->record.suspended ? c->record.suspend_reason : c->window_reason;
	case VOLUME_LOCKED:
		return *c->lock_reason ? c->lock_reason
				       : "a key is awaited: unlock the volume, or configure a key "
					 "provider";
	case VOLUME_FAILED:
		return c->failed ? c->failure.text
				 : "the service does not resume a re-encryption of this kind; "
				   "recryptctl status DEVICE says what can";
	case VOLUME_QUEUED:
		if (c->retry_due)
			return "another process is at it; it is tried again in a moment";
		return v->manager->core->paused ? "waits until the machine is awake again"
						: "waits for its turn";
	case VOLUME_PREPARING:
		return *c->record.held && !c->group
			       ? "waits for another volume of its group, whose header says whether "
				 "all are prepared; resume or cancel it to go on without"
			       : "";
	case VOLUME_RUNNING:
		return v->deadline_at_risk ? c->deadline_reason : "";
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
	return v->core->failed ? v->core->failure.name : error_name(-ENOTSUP);
}

/* Once until there are keys again, or no need of them: not by each manager that finds it so. */
static void tell_locked(struct volume *v, const char *reason)
{
	_cleanup_close_ int fd = -1;

	if (v->core->locked_told)
		return;
	v->core->locked_told = true;
	event_volume(v, EVENT_VOLUME_LOCKED, LOG_WARNING, "is locked: %s", reason);
	fd = memfd_create(STORE_LOCKED, MFD_CLOEXEC);
	if (fd >= 0)
		(void)store_put(STORE_LOCKED, v->uuid, fd);
}

static void forget_locked(struct volume *v)
{
	if (!v->core->locked_told)
		return;
	v->core->locked_told = false;
	store_drop(STORE_LOCKED, v->uuid);
}

static bool is_at_work(enum volume_state state)
{
	return state == VOLUME_RUNNING || state == VOLUME_REVERSING || state == VOLUME_FINISHING;
}

/* That a window has closed or opened, where the work goes on or ends with it. */
static void tell_window(struct volume *v, enum volume_state state)
{
	struct volume_core *c = v->core;
	const bool closed = state == VOLUME_SUSPENDED && !c->record.suspended && !c->record.foreign;

	if (closed && !c->suspended_by_window && is_at_work(v->state))
		event_volume(v, EVENT_ROTATION_SUSPENDED, LOG_NOTICE, "rotation suspended: %s",
			     c->window_reason);
	else if (closed && !c->suspended_by_window)
		log_info("%s: %s", v->device, c->window_reason);
	else if (c->suspended_by_window && is_at_work(state) && c->record.last.converting_usec > 0)
		event_volume(v, EVENT_ROTATION_RESUMED, LOG_NOTICE, "rotation resumed: %s",
			     wall_clock_usec() < c->record.now_until ? "not waiting for its window"
								     : "its window is open");
	if (closed || state != VOLUME_QUEUED)
		c->suspended_by_window = closed;
}

void volume_set_state(struct volume *v, enum volume_state state)
{
	const char *reason = state_reason(v, state), *error = state_error(v, state);
	struct volume_core *c = v->core;

	assert(state < VOLUME_STATE_COUNT);
	if (!is_at_work(state) && (v->rate > 0 || *v->governor_reason)) {
		v->rate = v->expected_end_usec = v->governor_rate = 0;
		v->unavoidable_stall_usec = 0;
		v->governor_reason[0] = '\0';
		volume_mark(v, VOLUME_CHANGED_PROGRESS);
	}
	c->suspended_told = c->suspended_told && c->record.suspended;
	if (state == v->state && strcmp(reason, v->state_reason) == 0 &&
	    strcmp(error, v->state_error) == 0 && v->unlocked == c->keys)
		return;
	if (state == VOLUME_LOCKED)
		tell_locked(v, reason);
	else if (c->keys || state == VOLUME_IDLE)
		forget_locked(v);
	tell_window(v, state);
	if (state == VOLUME_SUSPENDED && c->record.suspended && !c->suspended_told) {
		c->suspended_told = true;
		event_volume(v, EVENT_ROTATION_SUSPENDED, LOG_NOTICE, "rotation suspended%s%s",
			     *reason ? ": " : "", reason);
	}
	v->state = state;
	v->unlocked = c->keys;
	(void)text_copy(v->state_reason, sizeof(v->state_reason), reason);
	(void)text_copy(v->state_error, sizeof(v->state_error), error);
	volume_mark(v, VOLUME_CHANGED_STATE);
}
