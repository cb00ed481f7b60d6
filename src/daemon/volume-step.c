/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One turn of a volume: what is known becomes facts, volume-plan.c says what is next, and that is
 * sent to the worker. Nothing waits here; the worker's answers mark the volume again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/core.h"
#include "daemon/events.h"
#include "daemon/store.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"
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
	return v->core->failed ? v->core->failure.name : service_error_name(-ENOTSUP);
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

static void set_state(struct volume *v, enum volume_state state)
{
	const char *reason = state_reason(v, state), *error = state_error(v, state);
	struct volume_core *c = v->core;

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
static void sent(struct volume *v, enum worker_job job, int r)
{
	if (r < 0) {
		(void)log_warning_errno(r, "%s: its worker cannot be reached", v->device);
		volume_worker_handler.died(v);
	} else {
		v->core->at_work = job;
	}
}

/* From here on the worker is worth finding again. */
static void keep_worker(struct volume *v)
{
	if (!v->core->stored)
		v->core->stored =
			store_put(STORE_WORKER, v->uuid, worker_link_control_fd(v->core->link));
}

static void write_record(struct volume *v)
{
	struct volume_core *c = v->core;
	const char *json;
	int r;

	if (record_is_durable(v) || c->record_sent != c->record_durable || c->retry_due)
		return;
	r = volume_remember_pending(v, &json);
	if (r == 0)
		r = worker_link_set_record(c->link, json);
	if (r == 0)
		c->record_sent = c->record_wanted;
	else
		sent(v, WORKER_NONE, r);
}

static void get_keys(struct volume *v)
{
	struct volume_core *c = v->core;

	if (c->old_key_fd >= 0 && c->reencryption != REENCRYPTION_NONE) {
		sent(v, WORKER_ADOPT,
		     worker_link_adopt_keys(c->link, c->old_key_fd, c->new_key_fd));
		return;
	}
	c->provider_asked = true;
	c->stop_sent = false;
	sent(v, WORKER_USE_PROVIDER,
	     worker_link_use_provider(c->link,
				      &config_for_volume(v->manager->config, v->uuid)->provider));
}

/* The key gets its name first, so that a crash right after the commit finds it. */
static void prepare(struct volume *v)
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
	o = volume_complete_options(v, &record->queued);
	memcpy(run.side, record->side, sizeof(run.side));
	v->core->stop_sent = false;
	sent(v, WORKER_PREPARE, worker_link_prepare(v->core->link, &o, &run));
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
static bool start(struct volume *v)
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
static bool turn(struct volume *v)
{
	if (!record_turned(&v->core->record))
		return false;
	(void)volume_record_changed(v);
	return true;
}

static void convert(struct volume *v)
{
	struct volume_core *c = v->core;

	if (start(v) || (strcmp(v->direction, "backward") == 0 && turn(v)))
		return;
	manager_share_rate(v->manager); /* before the first byte */
	c->stop_sent = c->reverse_sent = false;
	v->longest_stall_usec = v->stall_999_usec = v->longest_suspend_usec = 0;
	v->unavoidable_stall_usec = 0;
	c->sent_run = volume_run_options(v);
	c->sent_run.least_sequence = c->memory.sequence;
	sent(v, WORKER_CONVERT, worker_link_run(c->link, WORKER_CONVERT, &c->sent_run));
	if (c->at_work != WORKER_CONVERT)
		return;
	if (v->job)
		job_member_started(v->job, v);
	if (c->found)
		log_info("%s: goes on with the rotation that it was found in", v->device);
	c->found = false;
}

static void stop(struct volume *v)
{
	if (v->core->stop_sent)
		return;
	v->core->stop_sent = true;
	if (worker_link_stop(v->core->link) < 0)
		log_warning("%s: its worker cannot be told to stop", v->device);
}

static int run(struct volume *v, enum worker_job job)
{
	struct run_options options = volume_run_options(v);

	options.least_sequence = v->core->memory.sequence;
	return worker_link_run(v->core->link, job, &options);
}

static void reverse(struct volume *v)
{
	struct volume_core *c = v->core;
	int r;

	if (c->at_work == WORKER_CONVERT && c->reverse_sent)
		return;
	r = run(v, WORKER_REVERSE);
	if (r == 0 && c->at_work == WORKER_CONVERT)
		c->reverse_sent = true;
	else
		sent(v, WORKER_REVERSE, r);
}

static void act(struct volume *v, enum volume_action action)
{
	/* What changes the header's course must not overtake the record of why. */
	const bool may = record_is_durable(v);

	switch (action) {
	case ACTION_GET_KEYS:
		get_keys(v);
		break;
	case ACTION_PREPARE:
		if (may)
			prepare(v);
		break;
	case ACTION_RECOVER:
		sent(v, WORKER_RECOVER, run(v, WORKER_RECOVER));
		break;
	case ACTION_UNDO:
		if (may && !turn(v))
			sent(v, WORKER_UNDO, run(v, WORKER_UNDO));
		break;
	case ACTION_REVERSE:
		if (may)
			reverse(v);
		break;
	case ACTION_CONVERT:
		if (may)
			convert(v);
		break;
	case ACTION_STOP:
		stop(v);
		break;
	case ACTION_NONE:
	default:
		break;
	}
}

static void check(struct volume *v, const struct rotate_options *options)
{
	const struct rotate_options o = volume_complete_options(v, options);
	const struct run_options run = volume_resolve_run(v, &options->run);

	sent(v, WORKER_CHECK, worker_link_check(v->core->link, &o, &run));
}

static void send_request(struct volume *v, struct request *q)
{
	struct worker_link *l = v->core->link;

	q->sent = true;
	switch (q->kind) {
	case REQUEST_UNLOCK:
		sent(v, WORKER_UNLOCK, worker_link_unlock(l, q->fd, &q->unlock));
		break;
	case REQUEST_CHECK:
		check(v, &q->rotate);
		break;
	case REQUEST_LOOK:
		sent(v, WORKER_INSPECT, worker_link_inspect(l));
		break;
	case REQUEST_LOCK:
		if (worker_link_lock(l) < 0)
			sent(v, WORKER_NONE, -EPIPE);
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
static void talk(struct volume *v, enum volume_action action)
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
		act(v, action);
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
	set_state(v, s.state);
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
		talk(v, s.action);
}

void volume_fail(struct volume *v, int error, const struct failure *f)
{
	struct volume_core *c = v->core;
	struct job *group = c->group;

	if (c->conflict) /* which is told already, and explains it */
		return;
	event_volume(v, EVENT_ROTATION_FAILED, LOG_ERR, "rotation failed: %s", f->text);
	if (c->reencryption == REENCRYPTION_NONE) {
		record_failed(&c->record, f->text, wall_clock_usec());
		(void)volume_record_changed(v);
		c->keys = false; /* nothing needs them any more */
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
