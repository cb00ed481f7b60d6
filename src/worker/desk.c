/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/desk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/bindings.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"
#include "util/key-memfd.h"
#include "worker/no-resilience.h"

/* --- asking --- */

/* An answer that is no secret is an empty one. */
static int ask(struct desk_work *m, const struct worker_question *q, struct secret **ret)
{
	_cleanup_(report_freep) struct report *report = report_new(REPORT_QUESTION);

	assert(m->foreground);
	if (!report)
		return log_error_errno(-ENOMEM, "nobody can be asked");
	report->question = *q;
	report->question.device = strdup(m->work.steps.volume.data_path);
	if (!report->question.device)
		return log_error_errno(-ENOMEM, "nobody can be asked");
	return control_ask(m->v->control, TAKE_PTR(report), ret);
}

/* Anything but yes is an error. */
static int ask_whether(struct desk_work *m, const struct worker_question *q)
{
	_cleanup_(secret_freep) struct secret *nothing = NULL;

	return ask(m, q, &nothing);
}

static int ask_for(struct desk_work *m, enum question_kind kind)
{
	return ask_whether(m, &(struct worker_question){.kind = kind, .keyslot = -1});
}

/* --- keys --- */

static int report_keys(struct control *c, const struct secret *old_key,
		       const struct secret *new_key)
{
	_cleanup_(report_freep) struct report *report = report_new(REPORT_KEYS);
	int r;

	if (!report)
		return -ENOMEM;
	r = key_memfd_new(old_key, &report->key_fd[0]);
	if (r < 0)
		return r;
	r = key_memfd_new(new_key, &report->key_fd[1]);
	if (r < 0)
		return r;
	control_report(c, TAKE_PTR(report));
	return 0;
}

/* The keys that the manager may keep. Without them only the next worker has to be given them. */
static void offer_keys(struct control *c, const struct secret *old_key,
		       const struct secret *new_key)
{
	int r = report_keys(c, old_key, new_key);

	if (r < 0)
		log_warning_errno(r, "volume keys cannot be handed over to the manager");
}

static int desk_keep_keys(struct work *w)
{
	const struct desk_work *m = w->arg;
	const struct secret *old_key = w->steps.old_key, *new_key = w->steps.new_key;
	const struct luks_reenc *reenc = &w->steps.volume.reenc;
	const struct luks_header *header = w->steps.volume.header;
	/* Of the new key that was made just now the digest is not in the header that we read. */
	const struct luks_header *has_new = reenc->state == LUKS_REENC_NONE ? NULL : header;
	int r;

	if (m->foreground)
		return 0; /* its one job has them in its steps */
	if (old_key) {
		r = held_keys_add_key(&m->v->keys, header, reenc->old_side.digest, old_key);
		if (r < 0)
			return r;
	}
	if (new_key) {
		r = held_keys_add_key(&m->v->keys, has_new, reenc->new_side.digest, new_key);
		if (r < 0)
			return r;
	}
	if (old_key && new_key)
		offer_keys(m->v->control, old_key, new_key);
	return 0;
}

/* Passphrases and keys that the service holds: nobody can be asked. */
static int bring_held(struct desk_work *m)
{
	struct steps *s = &m->work.steps;
	const struct luks_reenc *reenc = &s->volume.reenc;

	s->skip_tokens = true; /* which may hang: a provider has been asked for what they have */
	s->passphrases = held_keys_passphrases(&m->v->keys);
	s->volume_key = held_keys_find(&m->v->keys, s->volume.header, reenc->old_side.digest);
	if (reenc->state != LUKS_REENC_NONE)
		s->new_volume_key =
			held_keys_find(&m->v->keys, s->volume.header, reenc->new_side.digest);
	return 0;
}

static int ask_passphrase(void *arg, int keyslot, bool again, struct secret **ret)
{
	const bool new = keyslot == LUKS_NEW_PASSPHRASE;
	const struct desk_work *m = arg;
	struct worker_question q = {
		.kind = new ? QUESTION_NEW_PASSPHRASE : QUESTION_PASSPHRASE,
		.keyslot = keyslot < 0 ? -1 : keyslot,
		.again = again,
	};

	if (keyslot >= 0)
		(void)text_copy(q.binding, sizeof(q.binding), m->bindings.of[keyslot]);
	return ask(arg, &q, ret);
}

static int ask_volume_key(struct desk_work *m, enum question_kind kind, struct secret **ret)
{
	int r = ask(m, &(struct worker_question){.kind = kind, .keyslot = -1}, ret);

	/* Nothing is the answer where none was given. */
	if (r == 0 && (*ret)->size == 0)
		*ret = secret_free(*ret);
	return r;
}

static int bring_from_person(struct desk_work *m)
{
	const struct foreground_options *f = &m->options.foreground;
	struct steps *s = &m->work.steps;
	int r;

	luks_bindings_read(s->volume.header->json, &m->bindings);
	s->tokens = f->try_tokens || foreground_chooses_tokens(f);
	s->passphrases = (struct luks_passphrases){
		.ask = ask_passphrase,
		.arg = m,
		.empty_gives_up = f->empty_gives_up,
		.tries = f->tries,
	};
	r = ask_volume_key(m, QUESTION_VOLUME_KEY, &m->volume_key);
	if (r < 0)
		return r;
	r = ask_volume_key(m, QUESTION_NEW_VOLUME_KEY, &m->new_volume_key);
	if (r < 0)
		return r;
	s->volume_key = m->volume_key;
	s->new_volume_key = m->new_volume_key;
	return steps_wipe_freed(s);
}

static int desk_bring_keys(struct work *w)
{
	struct desk_work *m = w->arg;

	return m->foreground ? bring_from_person(m) : bring_held(m);
}

static int refuse_locked(const struct desk_work *m)
{
	return log_refusal(-ENOKEY,
			   "%s: is locked: no passphrase and no key is known; unlock it first",
			   m->v->base->target.device);
}

/*
 * A new key needs keyslots, and a keyslot needs a passphrase. The passphrases that the worker holds
 * decide which keyslots are carried over. The volume key alone decides nothing.
 */
static int check_can_begin(struct desk_work *m)
{
	struct steps *s = &m->work.steps;

	if (held_keys_can_make_keyslots(&m->v->keys)) {
		s->volume_key = NULL;
		return 0;
	}
	if (!s->volume_key)
		return refuse_locked(m);
	if (!m->options.rotation.keep_key)
		return log_refusal(-ENOKEY,
				   "%s: is locked: keyslots for a new key need a passphrase",
				   s->volume.data_path);
	return 0;
}

static int desk_check_keys(struct work *w)
{
	struct desk_work *m = w->arg;
	const struct steps *s = &w->steps;

	if (m->foreground)
		return 0; /* a person can be asked */
	if (s->volume.reenc.state == LUKS_REENC_NONE)
		return check_can_begin(m);
	if (held_keys_is_empty(&m->v->keys) && !s->volume_key && !s->new_volume_key)
		return refuse_locked(m);
	return 0;
}

/* The manager wants a clean header only, and verifies it with its next order. */
static bool desk_may_verify(struct work *w)
{
	struct desk_work *m = w->arg;

	if (!m->foreground)
		return false;
	return m->volume_key || m->new_volume_key ||
	       foreground_chooses_tokens(&m->options.foreground) ||
	       ask_for(m, QUESTION_IS_KEY_GIVEN) == 0;
}

/* --- who agrees --- */

/* To the manager's orders nobody vouches for the position. */
static int desk_check_position(struct work *w)
{
	const struct desk_work *m = w->arg;

	return m->foreground ? no_resilience_check(&w->steps.volume, w->options)
			     : no_resilience_refuse(&w->steps.volume);
}

static int ask_for_trust(void *arg)
{
	return ask_for(arg, QUESTION_TRUST_POSITION);
}

static int desk_confirm_position(struct work *w)
{
	struct desk_work *m = w->arg;

	return m->foreground ? no_resilience_confirm(&w->steps.volume, w->options, ask_for_trust, m)
			     : no_resilience_refuse(&w->steps.volume);
}

static uint32_t keyslots_of(const struct luks_begin_plan *plan, bool kept)
{
	uint32_t keyslots = 0;

	for (size_t i = 0; i < plan->n_slots; i++)
		if (plan->slots[i].kept == kept)
			keyslots |= UINT32_C(1) << plan->slots[i].keyslot;
	return keyslots;
}

/* Only one was wanted, and another passphrase changes nothing. */
static int refuse_others(const struct work *w, const char *lost)
{
	return log_refusal(-ERROR_KEYSLOTS_LOST,
			   "%s: %s would be lost, as only keyslot %d is to be carried over; agree "
			   "to that with: recryptctl rotate --lose-keyslots --key-slot %d %s",
			   w->steps.volume.data_path, lost, w->options->rotation.keyslot,
			   w->options->rotation.keyslot, w->steps.volume.data_path);
}

/* Of @lost the first that a person may know the passphrase of; -1: none. */
static int first_typed(const struct luks_bindings *b, uint32_t lost)
{
	for (int n = 0; n < (int)LUKS_MAX_KEYSLOTS; n++)
		if (lost & UINT32_C(1) << n && !luks_binding_device(b->of[n]))
			return n;
	return -1;
}

static int refuse_lost_keyslots(const struct work *w, uint32_t lost)
{
	const struct desk_work *m = w->arg;
	const struct luks_bindings *b = &m->v->look.bindings;
	const char *path = w->steps.volume.data_path;
	const int typed = first_typed(b, lost);
	const bool one = __builtin_popcount(lost) == 1;
	char text[LUKS_BINDINGS_TEXT];

	(void)luks_bindings_text(b, lost, text);
	if (w->options->rotation.keyslot >= 0)
		return refuse_others(w, text);
	if (typed < 0)
		return log_refusal(-ERROR_KEYSLOTS_LOST,
				   "%s: %s %s not open, and nobody can type %s passphrase; agree "
				   "that %s lost: recryptctl rotate --lose-keyslots %s",
				   path, text, one ? "is" : "are", one ? "its" : "their",
				   one ? "it is" : "they are", path);
	return log_refusal(-ERROR_KEYSLOTS_LOST,
			   "%s: %s still need%s %s: recryptctl unlock --key-slot %d %s; or agree "
			   "that %s lost: recryptctl rotate --lose-keyslots %s",
			   path, text, one ? "s" : "", one ? "its passphrase" : "their passphrases",
			   typed, path, one ? "it is" : "they are", path);
}

static int confirm_lost_keyslots(struct desk_work *m, uint32_t lost)
{
	const struct foreground_options *f = &m->options.foreground;

	if (lost == 0)
		return 0;
	luks_bindings_tell_lost(m->work.steps.volume.data_path, &m->bindings, lost);
	return f->batch_mode || f->no_keyslots
		       ? 0
		       : ask_whether(m, &(struct worker_question){.kind = QUESTION_LOSE_KEYSLOTS,
								  .keyslot = -1,
								  .keyslots = lost});
}

static int agree_with_person(struct desk_work *m, uint32_t lost)
{
	int r = confirm_lost_keyslots(m, lost);

	if (r < 0 || !control_wants_stop(m->v->control))
		return r;
	return log_refusal(-EINTR, "%s: interrupted; nothing was changed",
			   m->work.steps.volume.data_path);
}

static int desk_agree(struct work *w, const struct luks_begin_plan *plan)
{
	struct desk_work *m = w->arg;
	const uint32_t lost = keyslots_of(plan, false);

	m->report->plan = *plan;
	m->report->planned = true;
	if (m->foreground)
		return agree_with_person(m, lost);
	/* Of a key that stays one keyslot is enough. */
	if (!plan->keeps_key)
		held_keys_note_opened(&m->v->keys, keyslots_of(plan, true),
				      w->options->rotation.keyslot < 0);
	return lost == 0 || w->options->rotation.lose_keyslots ? 0 : refuse_lost_keyslots(w, lost);
}

/* --- watching a conversion --- */

/* Before anything is said of how it ended. Where nobody answers, that is said all the same. */
static void leave_progress(void *arg)
{
	struct desk_work *m = arg;

	(void)ask_for(m, QUESTION_LEAVE_PROGRESS);
}

/* Progress is of a conversion: the recovery of a hotzone shows none. */
static void desk_watch(struct work *w, bool recover_only)
{
	struct desk_work *m = w->arg;

	control_use_keys(m->v->control);
	watch_init(&m->watch, m->v, &w->steps.volume);
	w->steps.watch = &m->watch.watch;
	m->shows_progress = m->foreground && !recover_only;
	if (!m->shows_progress)
		return;
	m->watch.ended = leave_progress;
	m->watch.ended_arg = m;
	(void)ask_for(m, QUESTION_SHOW_PROGRESS);
}

/* A stop is no success there: a script must not take it for the end. */
static int tell_stopped(const struct work *w)
{
	const struct work_volume *v = &w->steps.volume;

	log_notice("%s: interrupted, with a clean header; resume with: recryptctl reencrypt "
		   "--resume-only %s",
		   v->data_path, v->arguments);
	return -EINTR;
}

static int desk_unwatch(struct work *w, int error, enum engine_outcome outcome)
{
	struct desk_work *m = w->arg;

	w->steps.watch = NULL;
	watch_end(&m->watch);
	if (error < 0)
		return error;
	m->report->stopped = outcome == ENGINE_STOPPED;
	return m->shows_progress && m->report->stopped ? tell_stopped(w) : 0;
}

static const struct desk service_desk = {
	.bring_keys = desk_bring_keys,
	.check_keys = desk_check_keys,
	.may_verify = desk_may_verify,
	.keep_keys = desk_keep_keys,
	.check_position = desk_check_position,
	.confirm_position = desk_confirm_position,
	.agree = desk_agree,
	.watch = desk_watch,
	.unwatch = desk_unwatch,
};

void desk_work_init(struct desk_work *ret, struct service_volume *v, struct report *report,
		    bool foreground)
{
	ret->v = v;
	ret->report = report;
	ret->foreground = foreground;
	ret->volume_key = ret->new_volume_key = NULL;
	work_init(&ret->work, &ret->options, &service_desk, ret);
	ret->work.speaks = foreground;
}

void desk_work_close(struct desk_work *m)
{
	work_close(&m->work);
	m->volume_key = secret_free(m->volume_key);
	m->new_volume_key = secret_free(m->new_volume_key);
}
