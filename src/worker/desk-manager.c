/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/desk-manager.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "util/log.h"
#include "util/key-memfd.h"
#include "worker/no-resilience.h"

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

static int manager_keep_keys(struct work *w)
{
	const struct manager_work *m = w->arg;
	const struct secret *old_key = w->steps.old_key, *new_key = w->steps.new_key;
	const struct luks_reenc *reenc = &w->steps.volume.reenc;
	const struct luks_header *header = w->steps.volume.header;
	/* Of the new key that was made just now the digest is not in the header that we read. */
	const struct luks_header *has_new = reenc->state == LUKS_REENC_NONE ? NULL : header;
	int r;

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

static int manager_bring_keys(struct work *w)
{
	struct manager_work *m = w->arg;
	struct steps *s = &w->steps;
	const struct luks_reenc *reenc = &s->volume.reenc;

	s->skip_tokens = true; /* which may hang: a provider has been asked for what they have */
	s->passphrases = held_keys_passphrases(&m->v->keys);
	s->volume_key = held_keys_find(&m->v->keys, s->volume.header, reenc->old_side.digest);
	if (reenc->state != LUKS_REENC_NONE)
		s->new_volume_key =
			held_keys_find(&m->v->keys, s->volume.header, reenc->new_side.digest);
	return 0;
}

static int refuse_locked(const struct manager_work *m)
{
	return log_refusal(-ENOKEY,
			   "%s: is locked: neither passphrase nor key is at hand; unlock it first",
			   m->v->base->target.device);
}

/*
 * A new key needs keyslots, and a keyslot needs a passphrase. The passphrases that the worker holds
 * decide which keyslots are carried over. The volume key alone decides nothing.
 */
static int check_can_begin(struct manager_work *m)
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

static int manager_check_keys(struct work *w)
{
	struct manager_work *m = w->arg;
	const struct steps *s = &w->steps;

	if (s->volume.reenc.state == LUKS_REENC_NONE)
		return check_can_begin(m);
	if (held_keys_is_empty(&m->v->keys) && !s->volume_key && !s->new_volume_key)
		return refuse_locked(m);
	return 0;
}

/* The manager wants a clean header only, and verifies it with its next order. */
static bool manager_may_verify(struct work *w)
{
	(void)w;
	return false;
}

/* --- who agrees --- */

/* Nobody vouches for the position. */
static int manager_check_position(struct work *w)
{
	return no_resilience_refuse(&w->steps.volume);
}

static int refuse_lost_keyslots(const struct work *w, const struct luks_begin_plan *plan)
{
	char list[LUKS_MAX_KEYSLOTS * 4] = "";

	if (plan->n_lost == 0 || w->options->rotation.lose_keyslots)
		return 0;
	for (size_t i = 0; i < plan->n_slots; i++) {
		const size_t used = strlen(list);

		if (!plan->slots[i].kept)
			(void)snprintf(list + used, sizeof(list) - used, "%s%d", used ? ", " : "",
				       plan->slots[i].keyslot);
	}
	return log_refusal(-ERROR_KEYSLOTS_LOST,
			   "%s: keyslots %s would be lost: their passphrases were not given",
			   w->steps.volume.data_path, list);
}

static int manager_agree(struct work *w, const struct luks_begin_plan *plan)
{
	const struct manager_work *m = w->arg;

	m->report->plan = *plan;
	m->report->planned = true;
	return refuse_lost_keyslots(w, plan);
}

/* --- watching a conversion --- */

static void manager_watch(struct work *w, bool recover_only)
{
	struct manager_work *m = w->arg;

	(void)recover_only;
	control_use_keys(m->v->control);
	watch_init(&m->watch, m->v, &w->steps.volume);
	w->steps.watch = &m->watch.watch;
}

static int manager_unwatch(struct work *w, int error, enum engine_outcome outcome)
{
	struct manager_work *m = w->arg;

	w->steps.watch = NULL;
	watch_end(&m->watch);
	if (error == 0)
		m->report->stopped = outcome == ENGINE_STOPPED;
	return error;
}

static const struct desk manager_desk = {
	.bring_keys = manager_bring_keys,
	.check_keys = manager_check_keys,
	.may_verify = manager_may_verify,
	.keep_keys = manager_keep_keys,
	.check_position = manager_check_position,
	.confirm_position = manager_check_position,
	.agree = manager_agree,
	.watch = manager_watch,
	.unwatch = manager_unwatch,
};

void manager_work_init(struct manager_work *ret, struct service_volume *v, struct report *report)
{
	ret->v = v;
	ret->report = report;
	work_init(&ret->work, &ret->options, &manager_desk, ret);
}
