/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/overlap.h"

#include <assert.h>

#include "util/checked.h"
#include "util/log.h"

/* Hotzones beside each other that are measured. */
#define BESIDE_CYCLES 2
/* A trial takes this many short hotzones at most; it is worth that in six times as many bytes. */
#define WORTH_A_TRIAL ((BESIDE_CYCLES + 3) * OVERLAP_TRIAL_SIZE * 6)
/* Reading and writing at once takes no longer than this many times reading alone. */
#define BOTH_AT_ONCE 1.25

/* @read: the next hotzone has been read already, so that its time says nothing of reading. */
static void start_trial(struct overlap *o, bool read)
{
	o->phase = OVERLAP_FILL;
	o->beside = true;
	o->cycles = read ? 0 : 1;
	o->load_byte = o->beside_cycle = 0;
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
		start_trial(o, false);
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

static void set_decided(struct overlap *o, bool beside)
{
	o->beside = beside;
	o->phase = OVERLAP_DECIDED;
	o->since_trial = 0;
}

static double beside_byte(const struct overlap *o)
{
	const double n = (double)MIN(OVERLAP_TRIAL_SIZE, o->beside_max);

	return MAX(o->beside_cycle / BESIDE_CYCLES - o->header / n, 0.0);
}

static bool does_both_at_once(const struct overlap *o)
{
	return o->load_byte > 0 && beside_byte(o) <= BOTH_AT_ONCE * o->load_byte;
}

/* Microseconds for each byte, with hotzones of full size: bytes and header apart. */
static void decide(struct overlap *o)
{
	const double alone = o->alone_byte + o->header / (double)o->alone_max;
	const double beside = beside_byte(o) + o->header / (double)o->beside_max;

	set_decided(o, beside <= alone);
	log_debug("1 MiB takes %.0f us with hotzones one by one, %.0f us with the next one read "
		  "beside",
		  alone * 1048576, beside * 1048576);
}

static void update_fill(struct overlap *o, const struct overlap_sample *s)
{
	if (o->cycles > 0) {
		o->load_byte = (double)s->load / (double)s->size;
		o->header = (double)(s->cycle - MIN(s->data, s->cycle));
	}
	o->phase = OVERLAP_BESIDE;
	o->cycles = 0;
}

static void update_beside(struct overlap *o, const struct overlap_sample *s)
{
	o->beside_cycle += (double)s->cycle / (double)s->size;
	if (++o->cycles < BESIDE_CYCLES)
		return;
	if (does_both_at_once(o)) {
		set_decided(o, true);
		log_debug("1 MiB takes %.0f us to read alone, %.0f us to read and write at once",
			  o->load_byte * 1048576, beside_byte(o) * 1048576);
		return;
	}
	o->phase = OVERLAP_DRAIN;
	o->beside = false;
}

static void update_alone(struct overlap *o, const struct overlap_sample *s)
{
	o->alone_byte = (double)s->data / (double)s->size;
	o->header = (double)(s->cycle - MIN(s->data, s->cycle));
	decide(o);
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
	case OVERLAP_FILL:
		update_fill(o, s);
		return;
	case OVERLAP_BESIDE:
		update_beside(o, s);
		return;
	case OVERLAP_DRAIN:
		o->phase = OVERLAP_ALONE;
		return;
	case OVERLAP_ALONE:
		update_alone(o, s);
		return;
	case OVERLAP_DECIDED:
		if (o->since_trial >= OVERLAP_TRY_EVERY)
			start_trial(o, o->beside);
		return;
	}
}

void overlap_disturbed(struct overlap *o)
{
	if (o->phase != OVERLAP_DECIDED)
		start_trial(o, false);
}
