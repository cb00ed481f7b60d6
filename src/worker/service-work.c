/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-work.h"

#include <errno.h>

#include "util/log.h"
#include "worker/key-memfd.h"

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

int work_hold_keys(struct work *w)
{
	const struct secret *old_key = w->steps.old_key, *new_key = w->steps.new_key;
	const struct luks_reenc *reenc = &w->steps.volume.reenc;
	const struct luks_header *header = w->steps.volume.header;
	/* Of the new key that was made just now the digest is not in the header that we read. */
	const struct luks_header *has_new = reenc->state == LUKS_REENC_NONE ? NULL : header;
	int r;

	if (old_key) {
		r = held_keys_add_key(&w->v->keys, header, reenc->old_side.digest, old_key);
		if (r < 0)
			return r;
	}
	if (new_key) {
		r = held_keys_add_key(&w->v->keys, has_new, reenc->new_side.digest, new_key);
		if (r < 0)
			return r;
	}
	if (old_key && new_key)
		offer_keys(w->v->control, old_key, new_key);
	return 0;
}

int work_refuse_locked(const struct work *w)
{
	return log_refusal(-ENOKEY,
			   "%s: is locked: neither passphrase nor key is at hand; unlock it first",
			   w->v->base->target.device);
}

/* Its position is one of before: converting from there would spoil what is converted already. */
int work_check_newer(const struct work *w)
{
	if (w->steps.volume.header->seqid >= w->request->order.run.least_sequence)
		return 0;
	return log_refusal(
		-ESTALE,
		"%s: a header of before has taken the place of the one that was left here; "
		"restore that one",
		w->steps.volume.header_path);
}

int work_open_steps(struct work *w)
{
	struct steps *s = &w->steps;
	const struct luks_reenc *reenc = &s->volume.reenc;
	int r = steps_open(&w->options, s);

	if (r < 0)
		return r;
	r = work_check_newer(w);
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
