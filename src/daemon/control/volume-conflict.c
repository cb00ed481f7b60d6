/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the header belong to what this host left? A header of before may have been put back, and
 * then its keys and its progress are not those of the data: a person has to say what counts.
 */
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/error.h"
#include "util/log.h"

static void set_conflict(struct volume *v, const char *what)
{
	struct failure f;

	if (trouble_is_conflict(&v->trouble))
		return;
	(void)failure_set(&f, -ERROR_HEADER_CHANGED,
			  "%s: %s; restore the header that belongs to the data, or accept this "
			  "one with recryptctl accept",
			  v->place.device, what);
	trouble_conflict(&v->trouble, &f);
	if (v->job && !header_in_reencryption(&v->header) && v->token.record.has_queued) {
		/* Whoever waits for it hears that it failed, so it must not begin later. */
		record_drop_queued(&v->token.record);
		(void)volume_record_changed(v);
	}
	event_volume(
		v,
		&(struct event){.id = EVENT_ROTATION_FAILED, .level = LOG_ERR, .attention = true},
		"rotation failed: %s", event_cause(v, f.text));
	if (v->group)
		group_failed(v, -ERROR_HEADER_CHANGED, &f);
	else if (v->job)
		job_member_ended(v->job, v, -ERROR_HEADER_CHANGED, &f);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

static void conflict_is_over(struct volume *v)
{
	if (!trouble_is_conflict(&v->trouble))
		return;
	trouble_clear(&v->trouble);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* A header that was left in the middle of a rotation can only have moved on. */
static bool is_older(const struct volume *v)
{
	return header_in_reencryption(&v->header) &&
	       v->header.sequence < v->token.memory.sequence &&
	       strcmp(v->token.record.last.outcome, "running") == 0;
}

enum record_match volume_check_header(struct volume *v)
{
	const struct record_header h = header_sides(&v->header);
	struct record *record = &v->token.record;
	enum record_match match = record_compare(record, &h);

	if (is_older(v))
		match = RECORD_ROLLED_BACK;
	switch (match) {
	case RECORD_ROLLED_BACK:
		set_conflict(v, "a header of before has taken the place of the one that this host "
				"left, or another program has taken the rotation back: in the "
				"first case its keys and progress are not those of the data");
		return match;
	case RECORD_OTHER_ROTATION:
		set_conflict(v, "the header is in a re-encryption that does not follow on what "
				"this host left");
		return match;
	case RECORD_OTHER_KEY:
		log_notice("%s: another program has changed its key or cipher", v->place.device);
		record_other_key(record, &h, wall_clock_usec());
		(void)volume_record_changed(v);
		break;
	case RECORD_MATCHES:
	case RECORD_ENDED_NEW:
	case RECORD_ENDED_OLD:
		break;
	}
	conflict_is_over(v);
	if (!h.in_reencryption && match == RECORD_MATCHES)
		record_note_side(record, v->header.old_side);
	return match;
}

int volume_refuse_conflict(const struct volume *v, struct failure *f)
{
	if (!trouble_is_conflict(&v->trouble))
		return 0;
	*f = v->trouble.failure;
	return -ERROR_HEADER_CHANGED;
}
