/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/overlap.h"

#include <assert.h>

#include "util/checked.h"
#include "util/log.h"

/* Hotzones beside each other that are measured, after one that only fills the second memory. */
#define BESIDE_CYCLES 2
/* A trial takes this many short hotzones; it is worth that in eight times as many bytes. */
#define WORTH_A_TRIAL ((BESIDE_CYCLES + 2) * OVERLAP_TRIAL_SIZE * 8)

static void start_trial(struct overlap *o)
{
	o->phase = OVERLAP_ALONE;
	o->beside = false;
	o->cycles = 0;
	o->beside_cycle = 0;
}

void overlap_begin(struct overlap *o, uint64_t beside_max, uint64_t alone_max, uint64_t left)
{
	assert(beside_max > 0 && alone_max >= beside_max);
	*o = (struct overlap){
		.beside_max = beside_max,
		.alone_max = alone_max,
		.fixed = left < WORTH_A_TRIAL || beside_max < OVERLAP_TRIAL_SIZE / 4,
		.beside = true,
		.phase = OVERLAP_DECIDED,
	};
	if (!o->fixed)
		start_trial(o);
}

void overlap_begin_alone(struct overlap *o, uint64_t alone_max)
{
	*o = (struct overlap){.alone_max = alone_max, .fixed = true, .phase = OVERLAP_DECIDED};
}

uint64_t overlap_size(const struct overlap *o)
{
	const uint64_t most = o->beside ? o->beside_max : o->alone_max;

	return o->phase == OVERLAP_DECIDED ? most : MIN(OVERLAP_TRIAL_SIZE, o->beside_max);
}

/* Microseconds for each byte, with hotzones of full size: bytes and header apart. */
static void decide(struct overlap *o)
{
	const double n = (double)MIN(OVERLAP_TRIAL_SIZE, o->beside_max);
	const double beside_byte = MAX(o->beside_cycle / BESIDE_CYCLES - o->header / n, 0.0);
	const double alone = o->alone_byte + o->header / (double)o->alone_max;
	const double beside = beside_byte + o->header / (double)o->beside_max;

	o->beside = beside <= alone;
	o->phase = OVERLAP_DECIDED;
	o->since_trial = 0;
	log_debug("1 MiB takes %.0f us with hotzones one by one, %.0f us with the next one read "
		  "beside",
		  alone * 1048576, beside * 1048576);
}

void overlap_update(struct overlap *o, const struct overlap_sample *s)
{
	assert(s->size > 0);
	if (o->fixed)
		return;
	o->since_trial += s->size;
	/* Most are a little shorter, as they end at whole blocks; others say nothing of the rest.
	 */
	if (o->phase != OVERLAP_DECIDED && s->size < overlap_size(o) / 8 * 7)
		return;
	switch (o->phase) {
	case OVERLAP_ALONE:
		o->alone_byte = (double)s->data / (double)s->size;
		o->header = (double)(s->cycle - MIN(s->data, s->cycle));
		o->phase = OVERLAP_FILL;
		o->beside = true;
		return;
	case OVERLAP_FILL:
		o->phase = OVERLAP_BESIDE;
		return;
	case OVERLAP_BESIDE:
		o->beside_cycle += (double)s->cycle / (double)s->size;
		if (++o->cycles == BESIDE_CYCLES)
			decide(o);
		return;
	case OVERLAP_DECIDED:
		if (o->since_trial >= OVERLAP_TRY_EVERY)
			start_trial(o);
		return;
	}
}

void overlap_disturbed(struct overlap *o)
{
	if (o->phase != OVERLAP_DECIDED)
		start_trial(o);
}
