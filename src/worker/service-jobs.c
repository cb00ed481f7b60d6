/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-jobs.h"

#include <errno.h>

#include "luks/derive.h"
#include "luks/freed.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/no-resilience.h"
#include "worker/rehearsal.h"
#include "worker/service-keys.h"
#include "worker/service-watch.h"
#include "worker/service-work.h"

#define DERIVATIONS_MAX 4 /* in one request, with the full time for each */

static int set_options(struct work *w)
{
	struct options *o = &w->options;
	int r;

	*o = *w->v->base;
	o->rotation = w->request->order.rotation;
	o->run = w->request->order.run;
	r = *o->rotation.resilience ? options_check_resilience(o->rotation.resilience) : 0;
	return r < 0 ? r : options_check(o);
}

static int check_locked(const struct work *w)
{
	const struct steps *s = &w->steps;

	if (held_keys_is_empty(&w->v->keys) && !s->volume_key && !s->new_volume_key)
		return work_refuse_locked(w);
	return 0;
}

/* Makes ready to resume: unlocks the volume, takes the re-encryption lock, verifies the header. */
static int enter(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = steps_check_supported(v);

	if (r < 0)
		return r;
	r = no_resilience_refuse(v);
	if (r < 0)
		return r;
	r = check_locked(w);
	if (r < 0)
		return r;
	r = steps_unlock(&w->steps);
	if (r < 0)
		return r;
	r = work_hold_keys(w);
	if (r < 0)
		return r;
	r = steps_take_over(&w->steps);
	if (r < 0)
		return r;
	r = no_resilience_refuse(v); /* the header may be another by now */
	return r < 0 ? r : work_check_newer(w);
}

static int refuse_none(const struct work *w)
{
	return log_refusal(-ENOMSG, "%s: no re-encryption is in progress",
			   w->steps.volume.data_path);
}

static int convert(struct work *w, bool recover_only)
{
	struct watch watch;
	enum engine_outcome outcome;
	int r;

	control_use_keys(w->v->control);
	watch_init(&watch, w->v, &w->steps.volume);
	w->steps.watch = &watch.watch;
	r = steps_convert(&w->steps, recover_only, &outcome);
	w->steps.watch = NULL;
	watch_end(&watch);
	if (r == 0)
		w->report->stopped = outcome == ENGINE_STOPPED;
	return r;
}

static int do_convert(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = work_open_steps(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return v->stacked ? steps_settle(&w->steps) : refuse_none(w);
	r = steps_check_size(v);
	if (r < 0)
		return r;
	r = enter(w);
	if (r < 0)
		return r;
	r = rehearse_rest(&w->steps, 0);
	return r < 0 ? r : convert(w, false);
}

static int do_recover(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = work_open_steps(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return steps_settle(&w->steps);
	if (v->reenc.state == LUKS_REENC_NONE ||
	    (v->reenc.state == LUKS_REENC_CLEAN && !v->stacked))
		return 0;
	r = enter(w);
	return r < 0 ? r : convert(w, true);
}

/* Up to a clean header and a plain table: the stack has the sides in their roles of before. */
static int enter_to_turn(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = work_open_steps(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return refuse_none(w);
	r = steps_check_cancellable(v);
	if (r < 0)
		return r;
	r = enter(w);
	if (r < 0)
		return r;
	r = steps_check_cancellable(v);
	if (r < 0)
		return r;
	r = rehearse_rest(&w->steps, REHEARSE_BACK);
	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_HOT || v->stacked) {
		r = convert(w, true);
		if (r < 0)
			return r;
	}
	return steps_check_cancellable(v);
}

static bool nothing_is_converted(const struct work *w)
{
	return w->steps.volume.reenc.boundary == 0;
}

/* With nothing converted to turn around is to end: Undo(), which the manager takes a note of. */
static int do_reverse(struct work *w)
{
	int r = enter_to_turn(w);

	return r < 0 || nothing_is_converted(w) ? r : steps_turn_around(&w->steps);
}

static int do_undo(struct work *w)
{
	int r = enter_to_turn(w);

	if (r < 0)
		return r;
	if (!nothing_is_converted(w))
		return log_refusal(-EINVAL,
				   "%s: a part is converted already; turn the re-encryption around "
				   "instead",
				   w->steps.volume.data_path);
	r = steps_turn_around(&w->steps);
	return r < 0 ? r : convert(w, false); /* only its commit is left to be made */
}

static void forget_keys(struct service_volume *v)
{
	held_keys_forget(&v->keys);
	record_keys_forget(&v->record_keys);
}

static int execute(struct work *w)
{
	struct service_volume *v = w->v;

	switch (w->request->job) {
	case WORKER_NONE:
	case WORKER_INSPECT:
		return 0;
	case WORKER_LOCK:
		forget_keys(v);
		return 0;
	case WORKER_UNLOCK:
		return service_unlock(v, w->request, w->report);
	case WORKER_USE_PROVIDER:
		return service_use_provider(v, w->request, w->report);
	case WORKER_ADOPT:
		return service_adopt(v, w->request);
	case WORKER_CHECK:
		return work_check(w);
	case WORKER_PREPARE:
		return work_prepare(w);
	case WORKER_UNDO:
		return do_undo(w);
	case WORKER_CONVERT:
		return do_convert(w);
	case WORKER_RECOVER:
		return do_recover(w);
	case WORKER_REVERSE:
		return do_reverse(w);
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
	const uint64_t usec = v->base->derive.timeout * UINT64_C(1000000) * n;

	luks_derive_set_deadline(usec > 0 ? now_usec() + usec : UINT64_MAX);
}

/* A stop and a limit were for the job: what is looked at behind it is known for certain. */
static void end_work(const struct service_volume *v)
{
	limit_derivations(v, 1);
	control_forget_stop(v->control);
}

/* Only a job that found the volume can change it. */
static int look_and_execute(struct work *w)
{
	const enum worker_job job = w->request->job;
	int r = set_options(w);

	limit_derivations(w->v, DERIVATIONS_MAX);
	if (r < 0)
		return r;
	/* Keys are forgotten whatever there is to be seen. */
	if (job != WORKER_INSPECT && job != WORKER_LOCK) {
		r = look_again(w->v);
		if (r < 0)
			return r;
	}
	return execute(w);
}

/* What the job left is told with how it ended. */
static void do_request(struct service_volume *v, const struct work_request *q,
		       struct report *report)
{
	struct work w = {.v = v, .request = q, .report = report, .steps.volume = VOLUME_NONE};
	int r, r2;

	log_capture(report->message, sizeof(report->message));
	r = look_and_execute(&w);
	steps_close(&w.steps);
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
		work_show_plan(report);
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
	do_request(v, q, report);
	control_report(v->control, TAKE_PTR(report));
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
