/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Of the jobs of a service: what a rotation would do, and how it begins. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/service-watch.h"
#include "worker/service-work.h"

/*
 * A new key needs keyslots, and a keyslot needs a passphrase. The passphrases that the worker holds
 * decide which keyslots are carried over. The volume key alone decides nothing.
 */
static int check_can_begin(struct work *w)
{
	const struct held_keys *keys = &w->v->keys;

	if (held_keys_can_make_keyslots(keys)) {
		w->steps.volume_key = NULL;
		return 0;
	}
	if (!w->steps.volume_key)
		return work_refuse_locked(w);
	if (!w->request->order.rotation.keep_key)
		return log_refusal(-ENOKEY,
				   "%s: is locked: keyslots for a new key need a passphrase",
				   w->steps.volume.data_path);
	return 0;
}

static int refuse_lost_keyslots(const struct work *w, const struct luks_begin_plan *plan)
{
	char list[LUKS_MAX_KEYSLOTS * 4] = "";

	if (plan->n_lost == 0 || w->request->order.rotation.lose_keyslots)
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

/* Data that another key or cipher has written would be decrypted to garbage. */
static int check_side(const struct work *w)
{
	const struct luks_side *side = &w->steps.volume.reenc.old_side;
	char now[LUKS_FINGERPRINT_SIZE];

	luks_side_fingerprint(w->steps.volume.header, side->digest, side->cipher, side->sector_size,
			      now);
	if (!*w->request->order.run.side || strcmp(now, w->request->order.run.side) == 0)
		return 0;
	return log_refusal(-ERROR_HEADER_CHANGED,
			   "%s: the header has another key or cipher than when the rotation was "
			   "ordered; look what has become of it",
			   w->steps.volume.header_path);
}

static int plan_rotation(struct work *w, struct luks_begin **ret)
{
	int r = work_open_steps(w);

	if (r < 0)
		return r;
	if (w->steps.volume.reenc.state != LUKS_REENC_NONE)
		return log_refusal(-ERROR_IN_PROGRESS, "%s: a re-encryption is in progress already",
				   w->steps.volume.data_path);
	r = check_side(w);
	if (r < 0)
		return r;
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

int work_prepare(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	int r = plan_rotation(w, &b);

	if (r < 0)
		return r;
	r = steps_begin(&w->steps, b);
	return r < 0 ? r : work_hold_keys(w);
}

/* What stands in the way is the answer, not a failure to answer. */
int work_check(struct work *w)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct report *r = w->report;

	log_capture(r->obstacle_message, sizeof(r->obstacle_message));
	r->obstacle = plan_rotation(w, &b);
	log_capture(r->message, sizeof(r->message));
	r->estimated_usec = watch_estimate(w->v, &w->steps.volume);
	return r->obstacle == -ENOMEM ? -ENOMEM : 0;
}

void work_show_plan(struct report *report)
{
	struct luks_side *side = &report->look.status.reenc.new_side;

	assert(report->planned && report->looked);
	(void)text_copy(side->cipher, sizeof(side->cipher), report->plan.new_cipher);
	side->sector_size = report->plan.new_sector_size;
	report->look.new_key.size = report->plan.new_key_size;
}
