/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/volume-progress.h"

#include "util/checked.h"
#include "util/text.h"

#define RATE_SMOOTHING_N 8 /* a new figure counts one part in so many */

void progress_looked(struct volume_progress *p, const struct worker_look *look)
{
	p->bytes_total = look->progress.bytes_total;
	p->bytes_done = look->reencryption == REENCRYPTION_NONE ? 0 : look->progress.bytes_done;
	p->hotzone_offset = look->progress.hotzone_offset;
	p->hotzone_size = look->progress.hotzone_size;
}

void progress_begun(struct volume_progress *p)
{
	p->longest_stall_usec = p->stall_999_usec = p->longest_suspend_usec = 0;
	p->unavoidable_stall_usec = 0;
}

static uint64_t smooth(uint64_t rate, uint64_t heard)
{
	return rate == 0 ? heard : rate - rate / RATE_SMOOTHING_N + heard / RATE_SMOOTHING_N;
}

void progress_heard(struct volume_progress *p, const struct worker_progress *w)
{
	p->bytes_total = w->bytes_total;
	p->bytes_done = w->bytes_done;
	p->hotzone_offset = w->hotzone_offset;
	p->hotzone_size = w->hotzone_size;
	p->longest_stall_usec = w->longest_stall_usec;
	p->worst_stall_usec = MAX(p->worst_stall_usec, w->longest_stall_usec);
	p->stall_999_usec = w->stall_999_usec;
	p->longest_suspend_usec = w->longest_suspend_usec;
	p->unavoidable_stall_usec = w->unavoidable_stall_usec;
	p->rate = smooth(p->rate, w->rate);
	p->governor_rate = w->governor_rate;
	(void)text_copy(p->governor_reason, sizeof(p->governor_reason), w->governor_reason);
}

void progress_expect(struct volume_progress *p, uint64_t end_usec)
{
	p->expected_end_usec = end_usec;
}

bool progress_stopped(struct volume_progress *p)
{
	if (p->rate == 0 && !*p->governor_reason)
		return false;
	p->rate = p->expected_end_usec = p->governor_rate = 0;
	p->unavoidable_stall_usec = 0;
	p->governor_reason[0] = '\0';
	return true;
}

void progress_rotation_ended(struct volume_progress *p)
{
	p->worst_stall_usec = 0;
}

uint64_t progress_left(const struct volume_progress *p)
{
	return p->bytes_total > p->bytes_done ? p->bytes_total - p->bytes_done : 0;
}
