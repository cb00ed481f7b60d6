/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-jobs.h"

#include <assert.h>
#include <errno.h>

#include "luks/derive.h"
#include "luks/freed.h"
#include "model/rotation-check.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/desk.h"
#include "worker/service-keys.h"

#define DERIVATIONS_MAX 4 /* in one request, with the full time for each */

static int set_options(struct desk_work *m, const struct work_request *q)
{
	struct work_options *o = &m->options;
	int r;

	*o = *m->v->base;
	if (m->foreground) {
		o->rotation = q->foreground.rotation;
		o->run = q->foreground.run;
		o->foreground = q->foreground.foreground;
	} else {
		o->rotation = q->order.rotation;
		o->run = q->order.run;
	}
	r = *o->rotation.resilience ? rotation_check_resilience(o->rotation.resilience) : 0;
	return r < 0 ? r : rotation_check(&o->rotation);
}

/* What stands in the way is the answer, not a failure to answer. */
static int run_check(struct desk_work *m)
{
	struct report *r = m->report;

	log_capture(r->obstacle_message, sizeof(r->obstacle_message));
	r->obstacle = work_check(&m->work);
	log_capture(r->message, sizeof(r->message));
	r->estimated_usec = watch_estimate(m->v, &m->work.steps.volume);
	return r->obstacle == -ENOMEM ? -ENOMEM : 0;
}

/* The answer to a check is the volume as it would be. */
static void show_plan(struct report *report)
{
	struct luks_side *side = &report->look.status.reenc.new_side;

	assert(report->planned && report->looked);
	(void)text_copy(side->cipher, sizeof(side->cipher), report->plan.new_cipher);
	side->sector_size = report->plan.new_sector_size;
	report->look.new_key.size = report->plan.new_key_size;
}

static void forget_keys(struct service_volume *v)
{
	held_keys_forget(&v->keys);
	record_keys_forget(&v->record_keys);
}

static int execute(struct desk_work *m, const struct work_request *q)
{
	struct service_volume *v = m->v;

	switch (q->job) {
	case WORKER_NONE:
	case WORKER_INSPECT:
		return 0;
	case WORKER_LOCK:
		forget_keys(v);
		return 0;
	case WORKER_UNLOCK:
		return service_unlock(v, q, m->report);
	case WORKER_USE_PROVIDER:
		return service_use_provider(v, q, m->report);
	case WORKER_ADOPT:
		return service_adopt(v, q);
	case WORKER_CHECK:
		return run_check(m);
	case WORKER_PREPARE:
		return work_begin(&m->work);
	case WORKER_UNDO:
		return work_undo(&m->work);
	case WORKER_CONVERT:
		return work_resume(&m->work);
	case WORKER_RECOVER:
		return work_recover(&m->work);
	case WORKER_REVERSE:
		return work_reverse(&m->work);
	case WORKER_FOREGROUND:
	case WORKER_JOB_COUNT:
		break;
	}
	return -EINVAL;
}

static int look_again(struct service_volume *v)
{
	struct luks_header *header;
	int r = look(v->base, &v->look, &header);

	if (r < 0)
		return r;
	luks_header_free(v->header);
	v->header = header;
	record_keys_refresh(&v->record_keys, &v->keys, v->header, &v->look.status.reenc);
	v->look.trust = luks_record_check(v->header, &v->record_keys);
	v->look.open_keyslots = v->keys.opened & v->look.keyslots;
	control_set_look(v->control, &v->look);
	control_set_keys(v->control, service_is_unlocked(v), v->keys.n_passphrases);
	return 0;
}

/* What a worker that died at the very end left of old keyslots. True: the header was written. */
static bool wipe_freed(const struct service_volume *v)
{
	struct steps s = {.volume = VOLUME_NONE};
	bool due = luks_freed_is_due(v->header);

	if (due)
		due = steps_open(v->base, &s) == 0 && steps_wipe_freed(&s) == 0;
	steps_close(&s);
	return due;
}

/* Many keyslots that each take nearly all the time that one may take come to no more than this. */
static void limit_derivations(const struct service_volume *v, unsigned n)
{
	const uint64_t usec = v->base->key_timeout * UINT64_C(1000000) * n;

	luks_derive_set_deadline(usec > 0 ? now_usec() + usec : UINT64_MAX);
}

/* A stop and a limit were for the job: what is looked at behind it is known for certain. */
static void end_work(const struct service_volume *v)
{
	limit_derivations(v, 1);
	control_forget_stop(v->control);
}

/* Only a job that found the volume can change it. */
static int look_and_execute(struct desk_work *m, const struct work_request *q)
{
	int r = set_options(m, q);

	limit_derivations(m->v, DERIVATIONS_MAX);
	if (r < 0)
		return r;
	/* Keys are forgotten whatever there is to be seen. */
	if (q->job != WORKER_INSPECT && q->job != WORKER_LOCK) {
		r = look_again(m->v);
		if (r < 0)
			return r;
	}
	return execute(m, q);
}

/* What the job left is told with how it ended. */
static void do_request(struct service_volume *v, const struct work_request *q,
		       struct report *report)
{
	struct desk_work m;
	int r, r2;

	desk_work_init(&m, v, report, false);
	log_capture(report->message, sizeof(report->message));
	r = look_and_execute(&m, q);
	desk_work_close(&m);
	end_work(v);
	r2 = look_again(v);
	log_capture(NULL, 0);
	if (r2 == 0 && q->job != WORKER_CHECK && wipe_freed(v))
		r2 = look_again(v);
	luks_derive_set_deadline(UINT64_MAX);
	report->error = r < 0 || q->job != WORKER_INSPECT ? r : r2;
	report->looked = r2 == 0;
	if (report->looked)
		report->look = v->look;
	if (report->looked && q->job == WORKER_CHECK && report->planned)
		show_plan(report);
}

static int execute_in_foreground(struct desk_work *m, const struct work_request *q)
{
	int r = set_options(m, q);

	if (r < 0)
		return r;
	switch (m->options.foreground.verb) {
	case FOREGROUND_REENCRYPT:
		return work_reencrypt(&m->work);
	case FOREGROUND_RECOVER:
		return work_recover(&m->work);
	case FOREGROUND_CANCEL:
		return work_cancel(&m->work);
	case FOREGROUND_NONE:
	case FOREGROUND_VERB_COUNT:
		break;
	}
	return log_refusal(-EINVAL, "there is no such work in the foreground");
}

/* No look before and behind: a person waits, and reads what is logged. It is this worker's last
 * job. */
static void run_in_foreground(struct service_volume *v, const struct work_request *q,
			      struct report *report)
{
	struct desk_work m;

	desk_work_init(&m, v, report, true);
	v->error = report->error = execute_in_foreground(&m, q);
	desk_work_close(&m);
}

static void serve_request(struct service_volume *v, struct work_request *taken)
{
	_cleanup_(request_freep) struct work_request *q = taken;
	_cleanup_(report_freep) struct report *report = report_new(REPORT_DONE);

	if (!report) {
		/* Nothing can be said then; the manager sees that it ends. */
		log_error_errno(-ENOMEM, "no answer can be given");
		control_quit(v->control);
		return;
	}
	report->job = q->job;
	if (q->job == WORKER_FOREGROUND)
		run_in_foreground(v, q, report);
	else
		do_request(v, q, report);
	control_report(v->control, TAKE_PTR(report));
	if (q->job == WORKER_FOREGROUND)
		control_quit(v->control);
}

void service_work(struct service_volume *v)
{
	for (;;) {
		_cleanup_free_ char *record = NULL;
		uint64_t serial = 0;
		struct work_request *q = control_next(v->control, &record, &serial);

		v->identity = control_identity(v->control);
		if (record)
			watch_set_record_at_rest(v, record, serial);
		else if (q)
			serve_request(v, q);
		else
			break;
	}
	forget_keys(v);
	v->header = luks_header_free(v->header);
}
