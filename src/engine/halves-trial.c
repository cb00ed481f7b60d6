/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/halves-trial.h"

#include <assert.h>

#include "util/checked.h"
#include "util/log.h"

/* What is gained has to be this much, or the two flushes more are not worth it. */
#define GAIN 1.02

void halves_trial_begin(struct halves_trial *t, bool possible, bool always)
{
	*t = (struct halves_trial){.fixed = always || !possible, .halves = always};
	if (!t->fixed)
		halves_trial_restart(t);
}

void halves_trial_restart(struct halves_trial *t)
{
	if (!t->fixed)
		*t = (struct halves_trial){.disturbed = true};
}

void halves_trial_disturbed(struct halves_trial *t)
{
	t->disturbed = true;
}

static double median(const double v[HALVES_TRIAL_CYCLES])
{
	const double least = MIN(v[0], v[1]), most = MAX(v[0], v[1]);

	static_assert(HALVES_TRIAL_CYCLES == 3, "the one in the middle of three");
	return v[2] < least ? least : MIN(v[2], most);
}

static void decide(struct halves_trial *t)
{
	const double whole = median(t->usec_byte[0]), halves = median(t->usec_byte[1]);

	t->decided = true;
	t->halves = halves * GAIN < whole;
	log_debug("1 MiB takes %.0f us with a journal written whole, %.0f us in halves",
		  whole * 1048576, halves * 1048576);
}

void halves_trial_update(struct halves_trial *t, bool halves, uint64_t size, uint64_t usec)
{
	const bool counts = !t->disturbed && halves == t->halves;

	assert(size > 0);
	t->disturbed = false;
	if (t->fixed || t->decided || !counts)
		return;
	t->usec_byte[halves][t->n[halves]++] = (double)usec / (double)size;
	if (t->n[1] == HALVES_TRIAL_CYCLES)
		decide(t);
	else
		t->halves = !halves;
}
