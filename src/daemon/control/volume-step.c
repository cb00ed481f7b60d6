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
#include "daemon/workers/store.h"
#include "util/log.h"
#include "proto/service-bus.h"

struct volume_facts volume_facts(const struct volume *v)
{
	const struct volume_core *c = v->core;
	const struct manager *m = v->manager;
	const struct provider *p = &config_for_volume(m->config, v->uuid)->provider;
	const bool in_work = c->reencryption != REENCRYPTION_NONE;
	const bool asking = c->at_work == WORKER_ADOPT || c->at_work == WORKER_USE_PROVIDER ||
			    c->at_work == WORKER_UNLOCK;

	return (struct volume_facts){
		.reencryption = c->reencryption,
		.supported = c->supported,
		.stacked = c->stacked,
		.backward = strcmp(v->direction, "backward") == 0,
		.something_done = v->bytes_done > 0,
		.all_done = c->reencryption == REENCRYPTION_FINISH ||
			    (v->bytes_total > 0 && v->bytes_done >= v->bytes_total),
		.at_work = c->at_work,
		.rotation_wanted = c->record.has_queued,
		.suspended = c->record.suspended || c->record.foreign,
		.cancel = c->record.cancel,
		.held = *c->record.held != '\0',
		.outside = c->outside,
		.run_changed = volume_run_has_changed(v),
		.paused = m->core->paused || m->stopping || c->retry_due,
		.failed = c->failed,
		.conflict = c->conflict,
		.keys = c->keys,
		.may_get_keys =
			asking || (in_work && c->old_key_fd >= 0) ||
			(p->kind != PROVIDER_NONE && !c->provider_asked && !c->locked_by_user),
		.grouped = c->group,
		.prepare_turn = c->prepare.running,
		.convert_turn = c->convert.running,
	};
}

static void stand_in_line(struct volume *v, enum volume_line line)
{
	struct manager_core *m = v->manager->core;

	if (line == LINE_PREPARE)
		schedule_add(&m->prepare, &v->core->prepare);
	else
		schedule_remove(&m->prepare, &v->core->prepare);
	if (line == LINE_CONVERT)
		schedule_add(&m->convert, &v->core->convert);
	else
		schedule_remove(&m->convert, &v->core->convert);
}

/* Is all that a caller was promised to be remembered written? */
static bool record_is_durable(const struct volume *v)
{
	return v->core->record_wanted == v->core->record_durable;
}

static bool needs_worker(const struct volume *v, const struct volume_step *s)
{
	const struct volume_core *c = v->core;

	return s->action != ACTION_NONE || c->at_work != WORKER_NONE || c->keys ||
	       !record_is_durable(v) || request_pending(v) || !c->looked;
}

/* A call that could not be sent is as good as a death. */
static void call_failed(struct volume *v, int error)
{
	(void)log_warning_errno(error, "%s: its worker cannot be reached", v->device);
	volume_worker_handler.died(v);
}

/* @r: of the call that was to begin the job. */
static void job_sent(struct volume *v, enum worker_job job, int r)
{
	if (r < 0) {
		call_failed(v, r);
		return;
	}
	assert(v->core->at_work == WORKER_NONE); /* one at a time */
	v->core->at_work = job;
}

/* From here on the worker is worth finding again, unless it has keys that nobody needs any more. */
static void keep_worker(struct volume *v)
{
	if (!v->core->stored && !v->core->used_up)
		v->core->stored =
			store_put(STORE_WORKER, v->uuid, worker_link_control_fd(v->core->link));
}

static int send_record(struct volume *v)
{
	const char *json;
	int r = volume_remember_pending(v, &json);

	return r < 0 ? r : worker_link_set_record(v->core->link, json);
}

static void write_record(struct volume *v)
{
	struct volume_core *c = v->core;
	int r;

	assert(c->record_durable <= c->record_sent && c->record_sent <= c->record_wanted);
	if (record_is_durable(v) || c->record_sent != c->record_durable || c->retry_due)
		return;
	r = send_record(v);
	if (r < 0) {
		call_failed(v, r);
		return;
	}
	c->record_sent = c->record_wanted;
}

static void ask_for_keys(struct volume *v)
{
	struct volume_core *c = v->core;

	if (c->old_key_fd >= 0 && c->reencryption != REENCRYPTION_NONE) {
		job_sent(v, WORKER_ADOPT,
			 worker_link_adopt_keys(c->link, c->old_key_fd, c->new_key_fd));
		return;
	}
	c->provider_asked = true;
	c->stop_sent = false;
	job_sent(v, WORKER_USE_PROVIDER,
		 worker_link_use_provider(
			 c->link, &config_for_volume(v->manager->config, v->uuid)->provider));
}

/* The key gets its name first, so that a crash right after the commit finds it. */
static void prepare_rotation(struct volume *v)
{
	struct record *record = &v->core->record;
	struct run_options run = volume_run_options(v);
	struct rotate_options o;

	if (strcmp(record->last.outcome, "preparing") != 0) {
		int r = record_begin(record, record->queued.keep_key, wall_clock_usec());

		if (r < 0)
			(void)log_warning_errno(r, "%s: its new key gets no name", v->device);
		(void)snprintf(record->last.outcome, sizeof(record->last.outcome), "preparing");
		(void)volume_record_changed(v);
		return;
	}
	assert(record_is_durable(v)); /* the name of the key, too */
	o = volume_complete_options(v, &record->queued);
	memcpy(run.side, record->side, sizeof(run.side));
	v->core->stop_sent = false;
	job_sent(v, WORKER_PREPARE, worker_link_prepare(v->core->link, &o, &run));
	if (v->job)
		job_member_started(v->job, v);
}

void volume_send_limits(struct volume *v, uint64_t rate)
{
	const struct volume_config *config = config_for_volume(v->manager->config, v->uuid);
	struct volume_core *c = v->core;
	const struct worker_limits limits = {
		.rate = rate,
		.hotzone_max = config->hotzone_size_max,
		.stall_target_usec = config->stall_target_usec,
	};

	if (!c->link || (c->limits_sent && c->sent_limits.rate == limits.rate &&
			 c->sent_limits.hotzone_max == limits.hotzone_max &&
			 c->sent_limits.stall_target_usec == limits.stall_target_usec))
		return;
	c->limits_sent = true;
	c->sent_limits = limits;
	if (worker_link_set_limits(c->link, &limits) < 0)
		log_warning("%s: its worker cannot be told of its limits", v->device);
}

/* Once a rotation: the record that says so is durable before anything is converted. */
static bool note_start(struct volume *v)
{
	struct record *record = &v->core->record;
	const uint64_t now = wall_clock_usec();

	if (!record_started(record, now))
		return false;
	volume_note_sides(v);
	/* The header says so, whatever became of the record that did. */
	record->cancel = record->cancel || strcmp(v->direction, "backward") == 0;
	if (!record->cancel)
		record_converting(record, now);
	(void)volume_record_changed(v);
	v->core->found = false;
	event_volume(v, EVENT_ROTATION_STARTED, LOG_NOTICE, "rotation started");
	return true;
}

/*
 * Before anything that can end with the old key. A manager that finds an end has only the record to
 * tell it from that of a rotation that finished before it could be turned around.
 */
static bool note_turn(struct volume *v)
{
	if (!record_turned(&v->core->record))
		return false;
	(void)volume_record_changed(v);
	return true;
}

static void convert_volume(struct volume *v)
{
	struct volume_core *c = v->core;

	if (note_start(v) || (strcmp(v->direction, "backward") == 0 && note_turn(v)))
		return;
	assert(record_is_durable(v));
	manager_share_rate(v->manager); /* before the first byte */
	c->stop_sent = c->reverse_sent = false;
	v->longest_stall_usec = v->stall_999_usec = v->longest_suspend_usec = 0;
	v->unavoidable_stall_usec = 0;
	c->sent_run = volume_run_options(v);
	c->sent_run.least_sequence = c->memory.sequence;
	job_sent(v, WORKER_CONVERT, worker_link_run(c->link, WORKER_CONVERT, &c->sent_run));
	if (c->at_work != WORKER_CONVERT)
		return;
	if (v->job)
		job_member_started(v->job, v);
	if (c->found)
		log_info("%s: goes on with the rotation that it was found in", v->device);
	c->found = false;
}

static void stop_worker(struct volume *v)
{
	if (v->core->stop_sent)
		return;
	v->core->stop_sent = true;
	if (worker_link_stop(v->core->link) < 0)
		log_warning("%s: its worker cannot be told to stop", v->device);
}

static int send_run(struct volume *v, enum worker_job job)
{
	struct run_options options = volume_run_options(v);

	options.least_sequence = v->core->memory.sequence;
	return worker_link_run(v->core->link, job, &options);
}

static void undo_rotation(struct volume *v)
{
	if (note_turn(v))
		return;
	assert(record_is_durable(v));
	job_sent(v, WORKER_UNDO, send_run(v, WORKER_UNDO));
}

static void reverse_rotation(struct volume *v)
{
	struct volume_core *c = v->core;
	int r;

	if (c->at_work == WORKER_CONVERT && c->reverse_sent)
		return;
	r = send_run(v, WORKER_REVERSE);
	if (r == 0 && c->at_work == WORKER_CONVERT)
		c->reverse_sent = true;
	else
		job_sent(v, WORKER_REVERSE, r);
}

static void carry_out(struct volume *v, enum volume_action action)
{
	/* What changes the header's course must not overtake the record of why. */
	const bool may = record_is_durable(v);

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

	job_sent(v, WORKER_CHECK, worker_link_check(v->core->link, &o, &run));
}

static void send_request(struct volume *v, struct request *q)
{
	struct worker_link *l = v->core->link;

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

/* All that goes to the worker in this turn. */
static void talk_to_worker(struct volume *v, enum volume_action action)
{
	struct volume_core *c = v->core;
	struct request *q = NULL;

	if (action != ACTION_NONE || request_pending(v))
		keep_worker(v);
	write_record(v);
	if (c->link && c->at_work == WORKER_NONE)
		q = request_to_send(v);
	else if (c->link && may_be_interrupted(c->at_work))
		q = request_lock_to_send(v);
	if (q)
		send_request(v, q);
	else if (c->link)
		carry_out(v, action);
}

/*
 * The service ends, perhaps for a newer version of it: a worker whose keys the next one gets from
 * the fd store ends, too. One whose passphrase will be needed is left to the next manager.
 */
static bool may_end(const struct volume *v)
{
	const struct volume_core *c = v->core;

	return v->manager->stopping && c->at_work == WORKER_NONE && c->old_key_fd >= 0 &&
	       !c->record.has_queued && c->record_durable == c->record_wanted;
}

void volume_step(struct volume *v)
{
	struct volume_core *c = v->core;
	struct volume_facts facts;
	struct volume_step s;

	volume_look_at_clock(v);
	facts = volume_facts(v);
	s = volume_decide(&facts);
	stand_in_line(v, s.line);
	volume_set_state(v, s.state);
	if (c->group && s.state == VOLUME_LOCKED) {
		struct failure f;

		(void)failure_set(&f, -ENOKEY, "%s: %s", v->device, v->state_reason);
		group_failed(v, -ENOKEY, &f);
		return;
	}
	request_answer(v); /* who has an answer needs no worker any more */
	if (!needs_worker(v, &s) || may_end(v))
		volume_drop_worker(v);
	else if (!c->link && !v->manager->stopping)
		(void)volume_need_worker(v);
	else if (c->link && c->looked)
		talk_to_worker(v, s.action);
}

void volume_fail(struct volume *v, int error, const struct failure *f)
{
	struct volume_core *c = v->core;
	struct job *group = c->group;

	assert(error < 0);
	if (c->conflict) /* which is told already, and explains it */
		return;
	event_volume(v, EVENT_ROTATION_FAILED, LOG_ERR, "rotation failed: %s", f->text);
	if (c->reencryption == REENCRYPTION_NONE && !c->unseen) {
		record_failed(&c->record, f->text, wall_clock_usec());
		(void)volume_record_changed(v);
		volume_use_up_keys(v);
	} else {
		c->failed = true;
		c->failure = *f;
	}
	if (group)
		group_failed(v, error, f);
	else if (v->job)
		job_member_ended(v->job, v, error, f);
	volume_mark(v, VOLUME_CHANGED_STATE);
}

bool volume_is_calm(const struct volume *v)
{
	return v->core->at_work == WORKER_NONE || !v->core->link;
}
