/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/work.h"

#include <assert.h>
#include <errno.h>

#include "util/error.h"
#include "util/log.h"
#include "worker/no-resilience.h"
#include "worker/rehearsal.h"
#include "worker/resume-options.h"

void work_close(struct work *w)
{
	steps_close(&w->steps);
}

/* --- parts of several jobs --- */

static int open_volume(struct work *w)
{
	int r = steps_open(w->options, &w->steps);

	if (r < 0)
		return r;
	r = steps_check_newer(&w->steps.volume);
	return r < 0 ? r : w->desk->bring_keys(w);
}

static int open_supported(struct work *w)
{
	int r = open_volume(w);

	return r < 0 ? r : steps_check_supported(&w->steps.volume);
}

static int refuse_none(const struct work *w)
{
	return log_refusal(-ERROR_NO_ROTATION, "%s: no re-encryption is in progress",
			   w->steps.volume.data_path);
}

static bool is_clean(const struct work_volume *v)
{
	return v->reenc.state == LUKS_REENC_CLEAN && !v->stacked;
}

/* The keys, the lock, and proof that the header was written by somebody with the keys. */
static int unlock_and_take_over(struct work *w)
{
	int r = w->desk->check_keys(w);

	if (r < 0)
		return r;
	r = steps_unlock(&w->steps);
	if (r < 0)
		return r;
	r = resume_check_keys(&w->steps);
	if (r < 0)
		return r;
	r = w->desk->keep_keys(w);
	return r < 0 ? r : steps_take_over(&w->steps);
}

/* From here on the header is ours, and may be another than the one that was opened. */
static int enter(struct work *w)
{
	int r = unlock_and_take_over(w);

	if (r < 0)
		return r;
	r = w->desk->confirm_position(w);
	return r < 0 ? r : steps_check_newer(&w->steps.volume);
}

static int convert(struct work *w, bool recover_only)
{
	enum engine_outcome outcome = ENGINE_STOPPED;
	int r;

	assert(w->steps.volume.reenc.state != LUKS_REENC_NONE);
	w->desk->watch(w, recover_only);
	r = steps_convert(&w->steps, recover_only, &outcome);
	return w->desk->unwatch(w, r, outcome);
}

/* The resilience changes between two hotzones only: a hot volume is recovered in the old way. */
static int change_resilience(struct work *w)
{
	bool changes;
	int r = resume_changes_resilience(&w->steps, &changes);

	if (r < 0)
		return r;
	if (w->steps.volume.reenc.state == LUKS_REENC_HOT && changes) {
		r = convert(w, true);
		if (r < 0)
			return r;
	}
	return resume_change_resilience(&w->steps);
}

/* --- begin --- */

static int plan(struct work *w, struct luks_begin **ret)
{
	const struct work_volume *v = &w->steps.volume;
	int r;

	if (v->reenc.state != LUKS_REENC_NONE)
		return log_refusal(-ERROR_IN_PROGRESS, "%s: a re-encryption is in progress already",
				   v->data_path);
	r = steps_check_side(v);
	if (r < 0)
		return r;
	r = w->desk->check_keys(w);
	if (r < 0)
		return r;
	r = steps_plan(&w->steps, ret);
	return r < 0 ? r : w->desk->agree(w, luks_begin_get_plan(*ret));
}

static int begin(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	int r = plan(w, &b);

	if (r < 0)
		return r;
	r = steps_begin(&w->steps, b);
	return r < 0 ? r : w->desk->keep_keys(w);
}

int work_check(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	int r = open_volume(w);

	return r < 0 ? r : plan(w, &b);
}

int work_begin(struct work *w)
{
	int r = open_volume(w);

	return r < 0 ? r : begin(w);
}

/* --- resume --- */

/* What was asked for at the beginning holds to the end (cryptsetup issue 570 was about this). */
static int check_resume(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = resume_check_options(v, w->options);

	if (r < 0)
		return r;
	r = w->desk->check_position(w);
	return r < 0 ? r : steps_check_size(v);
}

static int resume(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = check_resume(w);

	if (r < 0)
		return r;
	r = enter(w);
	if (r < 0)
		return r;
	r = rehearse_rest(&w->steps, false);
	if (r < 0)
		return r;
	r = change_resilience(w);
	/* Its last hotzone may have been all that was left. */
	return r < 0 || v->reenc.state == LUKS_REENC_NONE ? r : convert(w, false);
}

/* A command that is repeated wants the re-encryption of before to be over, not another one. */
static int resume_or_settle(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;

	if (v->reenc.state != LUKS_REENC_NONE)
		return resume(w);
	return v->stacked ? steps_settle(&w->steps) : refuse_none(w);
}

int work_resume(struct work *w)
{
	int r = open_supported(w);

	return r < 0 ? r : resume_or_settle(w);
}

int work_reencrypt(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = open_supported(w);

	if (r < 0)
		return r;
	if (v->reenc.state != LUKS_REENC_NONE || v->stacked || w->options->foreground.resume_only)
		return resume_or_settle(w);
	r = begin(w);
	if (r < 0 || w->options->foreground.init_only)
		return r;
	r = steps_take_over(&w->steps);
	return r < 0 ? r : convert(w, false);
}

/* --- recover --- */

/* The header may be clean already, and I/O still wait for the worker that died. */
static int recover_locked(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	const bool clean = is_clean(v);
	int r = clean ? 0 : convert(w, true);

	if (r < 0 || !w->speaks)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		log_notice("%s: recovered; the re-encryption is complete", v->data_path);
	else
		log_notice("%s: %s; resume with: recryptctl reencrypt --resume-only %s",
			   v->data_path, clean ? "nothing to recover" : "recovered", v->arguments);
	return 0;
}

/* Only a key can verify the header, but a script without one only wants it to be clean. */
static int leave_unverified(const struct work *w)
{
	if (w->speaks)
		log_notice("%s: nothing to recover; not verified, as no key was given",
			   w->steps.volume.data_path);
	return 0;
}

static int recover(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = no_resilience_refuse(v);

	if (r < 0)
		return r;
	if (is_clean(v) && !w->desk->may_verify(w))
		return leave_unverified(w);
	r = unlock_and_take_over(w);
	if (r < 0)
		return r;
	r = no_resilience_refuse(v);
	if (r < 0)
		return r;
	r = steps_check_newer(v);
	return r < 0 ? r : recover_locked(w);
}

int work_recover(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = open_supported(w);

	if (r < 0)
		return r;
	if (v->reenc.state != LUKS_REENC_NONE)
		return recover(w);
	if (v->stacked)
		return steps_settle(&w->steps);
	if (w->speaks)
		log_notice("%s: nothing to recover", v->data_path);
	return 0;
}

/* --- cancel --- */

static int check_cancel(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = steps_check_cancellable(v);

	if (r < 0)
		return r;
	r = resume_check_options(v, w->options);
	return r < 0 ? r : w->desk->check_position(w);
}

/* Up to a clean header and a plain table: the stack has the sides in their roles of before. */
static int quiesce(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = change_resilience(w);

	if (r < 0)
		return r;
	return v->reenc.state == LUKS_REENC_HOT || v->stacked ? convert(w, true) : 0;
}

/* All that comes before steps_turn_around(). */
static int enter_to_turn(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = check_cancel(w);

	if (r < 0)
		return r;
	r = enter(w);
	if (r < 0)
		return r;
	r = steps_check_cancellable(v);
	if (r < 0)
		return r;
	r = rehearse_rest(&w->steps, true);
	if (r < 0)
		return r;
	r = quiesce(w);
	return r < 0 ? r : steps_check_cancellable(v);
}

static int turn_around_and_convert(struct work *w)
{
	int r = steps_turn_around(&w->steps);

	return r < 0 ? r : convert(w, false);
}

int work_cancel(struct work *w)
{
	const struct work_volume *v = &w->steps.volume;
	int r = open_supported(w);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return steps_settle(&w->steps);
	r = enter_to_turn(w);
	return r < 0 ? r : turn_around_and_convert(w);
}

static int open_to_turn(struct work *w)
{
	int r = open_supported(w);

	if (r < 0)
		return r;
	return w->steps.volume.reenc.state == LUKS_REENC_NONE ? refuse_none(w) : enter_to_turn(w);
}

static bool nothing_is_converted(const struct work *w)
{
	return w->steps.volume.reenc.boundary == 0;
}

int work_reverse(struct work *w)
{
	int r = open_to_turn(w);

	return r < 0 || nothing_is_converted(w) ? r : steps_turn_around(&w->steps);
}

int work_undo(struct work *w)
{
	int r = open_to_turn(w);

	if (r < 0)
		return r;
	if (!nothing_is_converted(w))
		return log_refusal(-EINVAL,
				   "%s: a part is converted already; turn the re-encryption around "
				   "instead",
				   w->steps.volume.data_path);
	return turn_around_and_convert(w); /* only its commit is left to be made */
}
