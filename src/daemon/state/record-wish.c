/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What callers ask for, and what a group waits for, as the record keeps it. Pure. */
#include <assert.h>

#include "daemon/state/record.h"
#include "util/text.h"

void record_wish(struct record *r, const struct rotate_options *options)
{
	assert(!r->has_queued);
	record_queue(r, options);
	r->foreign = r->suspended = r->cancel = r->turned = r->late = false;
	r->deadline_usec = r->now_until = 0;
	r->last = (struct last_rotation){};
	r->run = (struct run_choices){};
	r->group[0] = '\0';
}

void record_queue(struct record *r, const struct rotate_options *options)
{
	r->has_queued = true;
	r->queued = *options;
}

void record_drop_queued(struct record *r)
{
	r->has_queued = false;
	r->group[0] = r->held[0] = '\0';
}

void record_choose_run(struct record *r, bool queued, const struct run_choices *run)
{
	*(queued ? &r->queued.run : &r->run) = *run;
}

void record_suspend(struct record *r, const char *reason)
{
	r->suspended = true;
	r->now_until = 0;
	(void)text_copy(r->suspend_reason, sizeof(r->suspend_reason), reason);
}

void record_resume(struct record *r)
{
	r->suspended = r->foreign = false;
}

void record_unsuspend(struct record *r)
{
	r->suspended = false;
}

void record_ignore_windows(struct record *r, uint64_t until)
{
	r->now_until = until;
}

void record_cancel(struct record *r)
{
	r->cancel = true;
	r->suspended = r->has_queued = r->foreign = false;
	r->held[0] = '\0';
}

void record_go_back(struct record *r)
{
	r->cancel = true;
}

void record_take_back(struct record *r)
{
	r->cancel = true;
	record_drop_queued(r);
}

void record_take_queued(struct record *r)
{
	if (!r->has_queued)
		r->cancel = true; /* it was taken back meanwhile */
	r->has_queued = false;
}

bool record_late(struct record *r)
{
	const bool first = !r->late;

	r->late = true;
	return first;
}

void record_forget_wish(struct record *r, uint64_t now)
{
	record_failed(r, "", now);
	r->suspended = false;
	(void)text_copy(r->last.outcome, sizeof(r->last.outcome), "cancelled");
}

void record_set_rate(struct record *r, bool has_rate, uint64_t rate)
{
	r->has_rate = has_rate;
	r->rate = has_rate ? rate : 0;
}

void record_hold(struct record *r, const char *group, const char *first)
{
	(void)text_copy(r->group, sizeof(r->group), group);
	(void)text_copy(r->held, sizeof(r->held), first);
}

void record_release(struct record *r)
{
	r->held[0] = '\0';
}

void record_distrust(struct record *r)
{
	r->foreign = true;
}

void record_confirm(struct record *r)
{
	r->foreign = false;
}

void record_forget_consent(struct record *r)
{
	r->queued.may_weaken = r->queued.lose_keyslots = r->queued.force_offline = false;
}
