/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left of a rotation once its record says that it is over: a line of the journal, and an
 * entry of the history. The job is still there, and says who asked.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "daemon/policy/unit-text.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/cleanup.h"
#include "util/text.h"

static bool has_outcome(const struct volume *v, const char *outcome)
{
	return strcmp(v->token.record.last.outcome, outcome) == 0;
}

/* Of a cancelled rotation: what went back. */
static uint64_t bytes_of(const struct volume *v)
{
	if (has_outcome(v, "finished"))
		return v->progress.bytes_total;
	return has_outcome(v, "cancelled") && v->job ? v->job->bytes : 0;
}

static struct history_entry entry_of(const struct volume *v)
{
	const struct last_rotation *last = &v->token.record.last;
	const struct volume_key *key = record_active_key(&v->token.record);
	_cleanup_free_ char *device = path_to_text(v->place.device);
	struct history_entry e = {
		.generation = key ? key->generation : 0,
		.started_usec = last->started_usec,
		.ended_usec = last->ended_usec,
		.bytes = bytes_of(v),
		.stall_usec = v->progress.worst_stall_usec,
	};

	if (v->job)
		e.caller = v->job->caller;
	if (!has_outcome(v, "failed") && last->converting_usec > 0 &&
	    last->ended_usec > last->converting_usec)
		e.usec = last->ended_usec - last->converting_usec;
	memcpy(e.uuid, v->uuid, sizeof(e.uuid));
	(void)text_copy(e.name, sizeof(e.name), v->place.name);
	(void)text_copy(e.device, sizeof(e.device), device ?: "");
	(void)text_copy(e.outcome, sizeof(e.outcome), last->outcome);
	(void)text_copy(e.message, sizeof(e.message),
			has_outcome(v, "failed") ? last->message : "");
	(void)text_copy(e.key_id, sizeof(e.key_id), key ? key->id : "");
	return e;
}

static void tell_finished(const struct volume *v, const struct history_entry *e)
{
	const struct event event = {.id = EVENT_ROTATION_FINISHED,
				    .level = LOG_NOTICE,
				    .bytes = e->bytes,
				    .usec = e->usec};
	char work[96] = "", stall[64] = "";

	if (e->usec > 0)
		(void)snprintf(work, sizeof(work), " in %s (%s/s)", unit_usec(e->usec).text,
			       unit_bytes(history_rate(e)).text);
	if (e->stall_usec > 0)
		(void)snprintf(stall, sizeof(stall),
			       ", longest wait of applications %" PRIu64 " ms",
			       (e->stall_usec + 999) / 1000);
	event_volume(v, &event, "rotation finished: %s%s, key generation %" PRIu32 "%s",
		     unit_bytes(e->bytes).text, work, e->generation, stall);
}

static void tell_cancelled(const struct volume *v, const struct history_entry *e)
{
	const struct event event = {.id = EVENT_ROTATION_CANCELLED,
				    .level = LOG_NOTICE,
				    .bytes = e->bytes,
				    .usec = e->usec};

	if (e->usec > 0)
		event_volume(v, &event,
			     "rotation cancelled; all data is under the old key, generation "
			     "%" PRIu32 ", again",
			     e->generation);
	else
		event_volume(v, &event,
			     "rotation cancelled; nothing was converted, and all data is under the "
			     "old key, generation %" PRIu32,
			     e->generation);
}

void volume_tell_end(struct volume *v)
{
	const struct history_entry e = entry_of(v);

	assert(has_outcome(v, "finished") || has_outcome(v, "cancelled") ||
	       has_outcome(v, "failed"));
	if (has_outcome(v, "finished"))
		tell_finished(v, &e);
	else if (has_outcome(v, "cancelled"))
		tell_cancelled(v, &e);
	history_add(&v->manager->history, &e);
	progress_rotation_ended(&v->progress);
}
