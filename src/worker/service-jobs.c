/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-jobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks/derive.h"
#include "luks/freed.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/key-memfd.h"
#include "worker/no-resilience.h"
#include "worker/rehearsal.h"
#include "worker/service-keys.h"
#include "worker/service-watch.h"
#include "worker/steps.h"

#define DERIVATIONS_MAX 4 /* in one request, with the full time for each */

/* One request in work. */
struct work {
	struct service_volume *v;
	const struct work_request *request;
	struct report *report;
	struct options options;
	struct steps steps;
};

/* The keys that the manager may keep. Without them only the next worker has to be given them. */
static void offer_keys(struct control *c, const struct secret *old_key,
		       const struct secret *new_key)
{
	_cleanup_(report_freep) struct report *r = report_new(REPORT_KEYS);
	int error = r ? key_memfd_new(old_key, &r->key_fd[0]) : -ENOMEM;

	if (error == 0)
		error = key_memfd_new(new_key, &r->key_fd[1]);
	if (error < 0)
		log_warning_errno(error, "volume keys cannot be handed over to the manager");
	else
		control_report(c, TAKE_PTR(r));
}

static int hold_keys(struct work *w)
{
	const struct secret *old_key = w->steps.old_key, *new_key = w->steps.new_key;
	const struct luks_reenc *reenc = &w->steps.volume.reenc;
	const struct luks_header *header = w->steps.volume.header;
	/* Of the new key that was made just now the digest is not in the header that we read. */
	const struct luks_header *has_new = reenc->state == LUKS_REENC_NONE ? NULL : header;
	int r = 0;

	if (old_key)
		r = held_keys_add_key(&w->v->keys, header, reenc->old_side.digest, old_key);
	if (r == 0 && new_key)
		r = held_keys_add_key(&w->v->keys, has_new, reenc->new_side.digest, new_key);
	if (r == 0 && old_key && new_key)
		offer_keys(w->v->control, old_key, new_key);
	return r;
}

static const char *given(const char *text)
{
	return *text ? text : NULL;
}

static int set_options(struct work *w)
{
	const struct rotate_options *z = &w->request->rotation;
	struct options *o = &w->options;

	*o = *w->v->base;
	o->cipher = given(z->cipher);
	o->key_size = z->key_size;
	o->sector_size = z->sector_size;
	o->keep_key = z->keep_key;
	o->force_offline = z->force_offline;
	o->key_slot = z->keyslot < 0 ? OPTION_ANY_KEYSLOT : z->keyslot;
	o->resilience_hash = given(z->hash);
	o->pbkdf = given(z->pbkdf);
	o->pbkdf_hash = given(z->pbkdf_hash);
	o->refuse_weaker = !z->may_weaken;
	o->iter_time_ms = z->pbkdf_time_ms;
	o->pbkdf_iterations = z->pbkdf_iterations;
	o->pbkdf_memory_kib = z->pbkdf_memory_kib;
	o->pbkdf_parallel = z->pbkdf_parallel;
	o->skip_unwritten = w->request->run.skip_unwritten;
	o->verify = w->request->run.verify;
	if (*z->resilience) {
		int r = options_parse_resilience(z->resilience, &o->resilience);

		if (r < 0)
			return r;
	}
	return options_check(o);
}

static int refuse_locked(const struct work *w)
{
	return log_refusal(-ENOKEY,
			   "%s: is locked: neither passphrase nor key is at hand; unlock it first",
			   w->v->base->device);
}

/* Its position is one of before: converting from there would spoil what is converted already. */
static int check_newer(const struct work *w)
{
	if (w->steps.volume.header->seqid >= w->request->run.least_sequence)
		return 0;
	return log_refusal(
		-ESTALE,
		"%s: a header of before has taken the place of the one that was left here; "
		"restore that one",
		w->steps.volume.header_path);
}

static int open_steps(struct work *w)
{
	struct steps *s = &w->steps;
	const struct luks_reenc *reenc = &s->volume.reenc;
	int r = steps_open(&w->options, s);

	if (r < 0)
		return r;
	r = check_newer(w);
	if (r < 0)
		return r;
	s->skip_tokens = true; /* which may hang: a provider has been asked for what they have */
	s->passphrases = held_keys_passphrases(&w->v->keys);
	s->volume_key = held_keys_find(&w->v->keys, s->volume.header, reenc->old_side.digest);
	if (reenc->state != LUKS_REENC_NONE)
		s->new_volume_key =
			held_keys_find(&w->v->keys, s->volume.header, reenc->new_side.digest);
	return 0;
}

/*
 * A new key needs keyslots, and so passphrases for them; where these are at hand they
 * also say which keyslots are carried over, and the volume key by itself says nothing.
 */
static int check_can_begin(struct work *w)
{
	const struct held_keys *keys = &w->v->keys;

	if (held_keys_can_make_keyslots(keys)) {
		w->steps.volume_key = NULL;
		return 0;
	}
	if (!w->steps.volume_key)
		return refuse_locked(w);
	if (!w->request->rotation.keep_key)
		return log_refusal(-ENOKEY,
				   "%s: is locked: keyslots for a new key need a passphrase",
				   w->steps.volume.data_path);
	return 0;
}

static int refuse_lost_keyslots(const struct work *w, const struct luks_begin_plan *plan)
{
	char list[LUKS_MAX_KEYSLOTS * 4] = "";

	if (plan->n_lost == 0 || w->request->rotation.lose_keyslots)
		return 0;
	for (size_t i = 0; i < plan->n_slots; i++) {
		const size_t used = strlen(list);

		if (!plan->slots[i].kept)
			(void)snprintf(list + used, sizeof(list) - used, "%s%d", used ? ", " : "",
				       plan->slots[i].keyslot);
	}
	return log_refusal(-EDQUOT,
			   "%s: keyslots %s would be lost: their passphrases were not given",
			   w->steps.volume.data_path, list);
}

/* Data that another key or cipher has written would be decrypted to garbage. */
static int check_side(const struct work *w)
{
	const struct luks_side *side = &w->steps.volume.reenc.old_side;
	char now[LUKS_FINGERPRINT_SIZE];

	luks_side_fingerprint(w->steps.volume.header, side->digest, side->cipher, side->sector_size,
			      now);
	if (!*w->request->run.side || strcmp(now, w->request->run.side) == 0)
		return 0;
	return log_refusal(-ESTALE,
			   "%s: the header has another key or cipher than when the rotation was "
			   "ordered; look what has become of it",
			   w->steps.volume.header_path);
}

static int plan(struct work *w, struct luks_begin **ret)
{
	int r = open_steps(w);

	if (r < 0)
		return r;
	if (w->steps.volume.reenc.state != LUKS_REENC_NONE)
		return log_refusal(-EINPROGRESS, "%s: a re-encryption is in progress already",
				   w->steps.volume.data_path);
	r = check_side(w);
	if (r == 0)
		r = check_can_begin(w);
	if (r < 0)
		return r;
	r = steps_plan(&w->steps, ret);
	if (r < 0)
		return r;
	w->report->plan = *luks_begin_get_plan(*ret);
	w->report->planned = true;
	return refuse_lost_keyslots(w, &w->report->plan);
}

static int do_prepare(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	int r = plan(w, &b);

	if (r == 0)
		r = steps_begin(&w->steps, b);
	return r < 0 ? r : hold_keys(w);
}

/* What stands in the way is the answer, not a failure to answer. */
static int do_check(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct report *r = w->report;

	log_capture(r->obstacle_message, sizeof(r->obstacle_message));
	r->obstacle = plan(w, &b);
	log_capture(r->message, sizeof(r->message));
	r->estimated_usec = watch_estimate(w->v, &w->steps.volume);
	return r->obstacle == -ENOMEM ? -ENOMEM : 0;
}

static int check_locked(const struct work *w)
{
	const struct steps *s = &w->steps;

	if (held_keys_is_empty(&w->v->keys) && !s->volume_key && !s->new_volume_key)
		return refuse_locked(w);
	return 0;
}

/* A re-encryption that we may go on with, unlocked, locked against others, and verified. */
static int enter(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = steps_check_supported(v);

	if (r == 0)
		r = no_resilience_refuse(v);
	if (r == 0)
		r = check_locked(w);
	if (r == 0)
		r = steps_unlock(&w->steps);
	if (r == 0)
		r = hold_keys(w);
	if (r == 0)
		r = steps_take_over(&w->steps);
	if (r == 0)
		r = no_resilience_refuse(v); /* the header may be another by now */
	return r < 0 ? r : check_newer(w);
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
	int r = open_steps(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return v->stacked ? steps_settle(&w->steps) : refuse_none(w);
	r = steps_check_size(v);
	if (r == 0)
		r = enter(w);
	if (r == 0)
		r = rehearse_rest(&w->steps, 0);
	return r < 0 ? r : convert(w, false);
}

static int do_recover(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = open_steps(w);

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
	int r = open_steps(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return refuse_none(w);
	r = steps_check_cancellable(v);
	if (r == 0)
		r = enter(w);
	if (r == 0)
		r = steps_check_cancellable(v);
	if (r == 0)
		r = rehearse_rest(&w->steps, REHEARSE_BACK);
	if (r == 0 && (v->reenc.state == LUKS_REENC_HOT || v->stacked))
		r = convert(w, true);
	return r < 0 ? r : steps_check_cancellable(v);
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
		return do_check(w);
	case WORKER_PREPARE:
		return do_prepare(w);
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

/* The answer to a check is the volume as it would be. */
static void show_plan(struct report *report)
{
	struct luks_side *side = &report->look.status.reenc.new_side;

	(void)text_copy(side->cipher, sizeof(side->cipher), report->plan.new_cipher);
	side->sector_size = report->plan.new_sector_size;
	report->look.new_key.size = report->plan.new_key_size;
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

/* Only a job that found the volume can change it; what it left is told with how it ended. */
static void serve(struct service_volume *v, const struct work_request *q, struct report *report)
{
	struct work w = {.v = v, .request = q, .report = report, .steps.volume = VOLUME_NONE};
	int r, r2;

	log_capture(report->message, sizeof(report->message));
	r = set_options(&w);
	limit_derivations(v, DERIVATIONS_MAX);
	/* Keys are forgotten whatever there is to be seen. */
	if (r == 0 && q->job != WORKER_INSPECT && q->job != WORKER_LOCK)
		r = look_again(v);
	if (r == 0)
		r = execute(&w);
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
		show_plan(report);
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
	serve(v, q, report);
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
