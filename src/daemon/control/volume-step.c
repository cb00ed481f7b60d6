/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One turn of a volume: what is known becomes facts, volume-plan.c says what is next, and that is
 * sent to the worker. Nothing waits here; the worker's answers mark the volume again.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/log.h"

struct volume_facts volume_facts(const struct volume *v)
{
	const struct manager *m = v->manager;
	const struct provider *p = &config_for_volume(m->config, v->uuid)->provider;
	const bool in_work = header_in_reencryption(&v->header);
	const bool asking = v->worker.job == WORKER_ADOPT || v->worker.job == WORKER_USE_PROVIDER ||
			    v->worker.job == WORKER_UNLOCK;

	return (struct volume_facts){
		.absent = place_is_absent(&v->place),
		.reencryption = v->header.reencryption,
		.supported = v->header.supported,
		.stacked = v->header.stacked,
		.backward = header_is_backward(&v->header),
		.something_done = v->progress.bytes_done > 0,
		.all_done = v->header.reencryption == REENCRYPTION_FINISH ||
			    (v->progress.bytes_total > 0 &&
			     v->progress.bytes_done >= v->progress.bytes_total),
		.at_work = v->worker.job,
		.rotation_wanted = v->token.record.has_queued,
		.suspended = v->token.record.suspended || v->token.record.foreign,
		.cancel = v->token.record.cancel,
		.held = *v->token.record.held != '\0',
		.outside = v->clock.outside,
		.checking = request_check_asked(v),
		.run_changed = volume_run_has_changed(v),
		.paused = m->core->rest.paused || m->stopping || v->worker.retry.due,
		.trouble = v->trouble.kind,
		.keys = keys_suffice(&v->keys),
		.may_get_keys = asking || (in_work && keys_are_stored(&v->keys)) ||
				(p->kind != PROVIDER_NONE && keys_provider_is_left(&v->keys)),
		.grouped = v->group,
		.prepare_turn = v->lines.prepare.running,
		.convert_turn = v->lines.convert.running,
	};
}

static void stand_in_line(struct volume *v, enum volume_line line)
{
	struct manager_core *m = v->manager->core;

	if (line == LINE_PREPARE)
		schedule_add(&m->prepare, &v->lines.prepare);
	else
		schedule_remove(&m->prepare, &v->lines.prepare);
	if (line == LINE_CONVERT)
		schedule_add(&m->convert, &v->lines.convert);
	else
		schedule_remove(&m->convert, &v->lines.convert);
}

static bool needs_worker(const struct volume *v, const struct volume_step *s)
{
	if (place_is_absent(&v->place))
		return false;
	return s->action != ACTION_NONE || v->worker.job != WORKER_NONE ||
	       keys_are_held(&v->keys) || !writing_is_durable(&v->writing) || request_pending(v) ||
	       !worker_slot_knows_header(&v->worker);
}

/* A call that could not be sent is as good as a death. */
static void call_failed(struct volume *v, int error)
{
	(void)log_warning_errno(error, "%s: its worker cannot be reached", v->place.device);
	volume_worker_handler.died(v);
}

/* @r: of the call that was to begin the job. */
static void job_sent(struct volume *v, enum worker_job job, int r)
{
	if (r < 0) {
		call_failed(v, r);
		return;
	}
	worker_slot_begin(&v->worker, job);
}

static int send_record(struct volume *v)
{
	const char *json;
	int r = volume_remember_pending(v, &json);

	return r < 0 ? r : worker_link_set_record(v->worker.link, json);
}

static void write_record(struct volume *v)
{
	int r;

	if (!writing_is_due(&v->writing) || v->worker.retry.due)
		return;
	r = send_record(v);
	if (r < 0) {
		call_failed(v, r);
		return;
	}
	writing_sent(&v->writing);
}

static void ask_for_keys(struct volume *v)
{
	if (keys_are_stored(&v->keys) && header_in_reencryption(&v->header)) {
		job_sent(v, WORKER_ADOPT,
			 worker_link_adopt_keys(v->worker.link, v->keys.old_fd, v->keys.new_fd));
		return;
	}
	keys_ask_provider(&v->keys);
	job_sent(
		v, WORKER_USE_PROVIDER,
		worker_link_use_provider(
			v->worker.link, &config_for_volume(v->manager->config, v->uuid)->provider));
}

/* The key gets its name first, so that a crash right after the commit finds it. */
static void prepare_rotation(struct volume *v)
{
	struct record *record = &v->token.record;
	struct run_options run = volume_run_options(v);
	struct rotate_options o;

	if (strcmp(record->last.outcome, "preparing") != 0) {
		int r = record_begin(record, record->queued.keep_key, wall_clock_usec());

		if (r < 0)
			(void)log_warning_errno(r, "%s: its new key gets no name", v->place.device);
		(void)volume_record_changed(v);
		return;
	}
	assert(writing_is_durable(&v->writing)); /* the name of the key, too */
	o = volume_complete_options(v, &record->queued);
	memcpy(run.side, record->sides.now, sizeof(run.side));
	job_sent(v, WORKER_PREPARE, worker_link_prepare(v->worker.link, &o, &run));
	if (v->job)
		job_member_started(v->job, v);
}

/* Once a rotation: the record that says so is durable before anything is converted. */
static bool note_start(struct volume *v)
{
	const struct record_header h = header_sides(&v->header);
	struct record *record = &v->token.record;
	const uint64_t now = wall_clock_usec();

	if (!record_started(record, now))
		return false;
	record_note_sides(record, &h);
	/* The header says so, whatever became of the record that did. */
	if (h.backward)
		record_go_back(record);
	if (!record->cancel)
		record_converting(record, now);
	(void)volume_record_changed(v);
	(void)volume_goes_on(v);
	event_volume(v, &(struct event){.id = EVENT_ROTATION_STARTED, .level = LOG_NOTICE},
		     "rotation started");
	return true;
}

/*
 * Before anything that can end with the old key. A manager that finds an end has only the record to
 * tell it from that of a rotation that finished before it could be turned around.
 */
static bool note_turn(struct volume *v)
{
	if (!record_turned(&v->token.record))
		return false;
	(void)volume_record_changed(v);
	return true;
}

static void convert_volume(struct volume *v)
{
	struct run_options run;

	if (note_start(v) || (header_is_backward(&v->header) && note_turn(v)))
		return;
	assert(writing_is_durable(&v->writing));
	manager_share_rate(v->manager); /* before the first byte */
	progress_begun(&v->progress);
	run = volume_run_options(v);
	run.least_sequence = v->token.memory.sequence;
	worker_slot_note_run(&v->worker, &run);
	job_sent(v, WORKER_CONVERT, worker_link_run(v->worker.link, WORKER_CONVERT, &run));
	if (v->worker.job != WORKER_CONVERT)
		return;
	if (v->job)
		job_member_started(v->job, v);
	if (volume_goes_on(v))
		log_info("%s: continues the re-encryption that was found in its header",
			 v->place.device);
}

static void stop_worker(struct volume *v)
{
	if (worker_slot_stop(&v->worker) < 0)
		log_warning("%s: its worker cannot be told to stop", v->place.device);
}

static int send_run(struct volume *v, enum worker_job job)
{
	struct run_options options = volume_run_options(v);

	options.least_sequence = v->token.memory.sequence;
	return worker_link_run(v->worker.link, job, &options);
}

static void undo_rotation(struct volume *v)
{
	if (note_turn(v))
		return;
	assert(writing_is_durable(&v->writing));
	job_sent(v, WORKER_UNDO, send_run(v, WORKER_UNDO));
}

static void reverse_rotation(struct volume *v)
{
	int r;

	if (v->worker.job == WORKER_CONVERT && v->worker.reverse_sent)
		return;
	r = send_run(v, WORKER_REVERSE);
	if (r == 0 && v->worker.job == WORKER_CONVERT)
		worker_slot_reverse_next(&v->worker);
	else
		job_sent(v, WORKER_REVERSE, r);
}

static void carry_out(struct volume *v, enum volume_action action)
{
	/* What changes the header's course must not overtake the record of why. */
	const bool may = writing_is_durable(&v->writing);

	switch (action) {
	case ACTION_GET_KEYS:
		ask_for_keys(v);
		break;
	case ACTION_PREPARE:
		if (may)
			prepare_rotation(v);
		break;
	case ACTION_RECOVER:
		job_sent(v, WORKER_RECOVER, send_run(v, WORKER_RECOVER));
		break;
	case ACTION_UNDO:
		if (may)
			undo_rotation(v);
		break;
	case ACTION_REVERSE:
		if (may)
			reverse_rotation(v);
		break;
	case ACTION_CONVERT:
		if (may)
			convert_volume(v);
		break;
	case ACTION_STOP:
		stop_worker(v);
		break;
	case ACTION_NONE:
	default:
		break;
	}
}

static void send_check(struct volume *v, const struct rotate_options *options)
{
	const struct rotate_options o = volume_complete_options(v, options);
	const struct run_options run = volume_resolve_run(v, &options->run);

	job_sent(v, WORKER_CHECK, worker_link_check(v->worker.link, &o, &run));
}

static void send_request(struct volume *v, struct request *q)
{
	struct worker_link *l = v->worker.link;

	q->sent = true;
	switch (q->kind) {
	case REQUEST_UNLOCK:
		job_sent(v, WORKER_UNLOCK, worker_link_unlock(l, q->fd, &q->unlock));
		break;
	case REQUEST_CHECK:
		send_check(v, &q->rotate);
		break;
	case REQUEST_LOOK:
		job_sent(v, WORKER_INSPECT, worker_link_inspect(l));
		break;
	case REQUEST_LOCK:
		if (worker_link_lock(l) < 0)
			call_failed(v, -EPIPE);
		break;
	case REQUEST_RECORD:
	case REQUEST_SUSPENDED:
	default:
		break;
	}
}

/* By Lock(): it derives keys, which may take long, and converts nothing. */
static bool may_be_interrupted(enum worker_job job)
{
	return job == WORKER_UNLOCK || job == WORKER_USE_PROVIDER || job == WORKER_ADOPT ||
	       job == WORKER_CHECK || job == WORKER_PREPARE;
}

/* A dry run is to find what the rotation would, which asks the provider. */
static bool asks_provider_first(struct volume *v, struct request *q)
{
	if (q->kind != REQUEST_CHECK || q->asked || keys_are_held(&v->keys) ||
	    header_in_reencryption(&v->header) || !keys_provider_is_left(&v->keys) ||
	    config_for_volume(v->manager->config, v->uuid)->provider.kind == PROVIDER_NONE)
		return false;
	/* A next manager must not find a worker with the key. */
	worker_slot_abandon(&v->worker);
	q->asked = true;
	return true;
}

/* All that goes to the worker in this turn. */
static void talk_to_worker(struct volume *v, enum volume_action action)
{
	struct request *q = NULL;

	/* Worth finding again, unless it has keys that nobody needs any more. */
	if (v->keys.state != KEYS_SPENT && !request_check_asked(v) &&
	    (action != ACTION_NONE || request_pending(v)))
		worker_slot_keep(&v->worker);
	write_record(v);
	if (v->worker.link && v->worker.job == WORKER_NONE)
		q = request_to_send(v);
	else if (v->worker.link && may_be_interrupted(v->worker.job))
		q = request_lock_to_send(v);
	if (q && asks_provider_first(v, q))
		ask_for_keys(v);
	else if (q)
		send_request(v, q);
	else if (v->worker.link)
		carry_out(v, action);
}

/*
 * The service ends, perhaps for a newer version of it: a worker whose keys the next one gets from
 * the fd store ends, too. One whose passphrase will be needed is left to the next manager.
 */
static bool may_end(const struct volume *v)
{
	return v->manager->stopping && v->worker.job == WORKER_NONE && keys_are_stored(&v->keys) &&
	       !v->token.record.has_queued && writing_is_durable(&v->writing);
}

static void tell_risk(struct volume *v)
{
	char text[32], why[96];

	assert(v->clock.deadline_usec > 0);
	if (!record_late(&v->token.record))
		return;
	(void)volume_record_changed(v);
	if (v->clock.needed == UINT64_MAX)
		(void)snprintf(why, sizeof(why), "there is no time left");
	else
		(void)snprintf(why, sizeof(why), "%llu bytes/s would be needed",
			       (unsigned long long)v->clock.needed);
	event_volume(v,
		     &(struct event){.id = EVENT_DEADLINE_AT_RISK,
				     .level = LOG_WARNING,
				     .caller = &caller_nobody},
		     "the deadline, %s, will be missed: %s",
		     clock_text(v->clock.deadline_usec, text, sizeof(text)), why);
}

void volume_step(struct volume *v)
{
	struct volume_facts facts;
	struct volume_step s;

	if (!place_is_absent(&v->place) && volume_look_at_clock(v))
		tell_risk(v);
	facts = volume_facts(v);
	s = volume_decide(&facts);
	stand_in_line(v, s.line);
	volume_set_state(v, s.state);
	if (v->group && s.state == VOLUME_LOCKED) {
		struct failure f;

		(void)failure_set(&f, -ENOKEY, "%s: %s", v->place.device, v->status.reason);
		group_failed(v, -ENOKEY, &f);
		return;
	}
	request_answer(v); /* who has an answer needs no worker any more */
	if (!needs_worker(v, &s) || may_end(v))
		volume_drop_worker(v);
	else if (!v->worker.link && !v->manager->stopping)
		(void)volume_need_worker(v);
	else if (v->worker.link && worker_slot_knows_header(&v->worker))
		talk_to_worker(v, s.action);
}

bool volume_is_calm(const struct volume *v)
{
	return v->worker.job == WORKER_NONE || !v->worker.link;
}
