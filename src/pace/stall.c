/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pace/stall.h"

#include <assert.h>
#include <string.h>

#include "util/checked.h"

/* Samples before the model is trusted, and those that are left when the disk has changed. */
#define FEW 8
#define NEW 4

/* Updates that must agree before the target is out of reach, or within reach again. */
#define AGREE 16

/* Every so many hotzones one has another size. */
#define VARY_EACH 8

/* Deviations from the model that few freezes exceed. */
#define DEVIATIONS 3

/* The margin: at most, at first, at least, and the step up, as parts of the target. */
#define MARGIN_MOST(target)  ((target)*5 / 6)
#define MARGIN_FIRST(target) ((target) / 6)
#define MARGIN_LEAST(target) ((target) / 16)
#define MARGIN_STEP(target)  ((target) / 8)

/*
 * The margin shrinks fast until late freezes are seen. In the end it shrinks so slowly that fewer
 * than one in a thousand freezes exceeds it.
 */
#define PATIENCE_FIRST 256U
#define PATIENCE_MOST  8192U

/* Splits @v around a pivot; all up to the returned index are at most as large as all behind it. */
static size_t split(double *v, size_t n)
{
	const double pivot = v[(n - 1) / 2];
	size_t low = 0, high = n - 1;
	double swapped;

	for (;; low++, high--) {
		while (v[low] < pivot)
			low++;
		while (v[high] > pivot)
			high--;
		if (low >= high)
			return high;
		swapped = v[low];
		v[low] = v[high];
		v[high] = swapped;
	}
}

/* Reorders @v. Makes no allocation, as qsort() would. */
static double median(double *v, size_t n)
{
	size_t wanted = n / 2;

	assert(n > 0);
	while (n > 1) {
		const size_t below = split(v, n) + 1;

		if (wanted < below) {
			n = below;
		} else {
			v += below;
			n -= below;
			wanted -= below;
		}
	}
	return v[0];
}

/* --- the model --- */

static double modelled(const struct stall *s, uint64_t size)
{
	return s->fixed + s->per_byte * (double)size;
}

/* The slopes between all samples whose sizes differ. Returns how many. */
static size_t collect_slopes(const struct stall *s, double *ret)
{
	size_t n = 0;

	for (unsigned i = 0; i < s->n; i++)
		for (unsigned j = 0; j < i; j++) {
			const double size = (double)s->samples[i].size;
			const double bytes = size - (double)s->samples[j].size;
			const double time =
				(double)s->samples[i].frozen - (double)s->samples[j].frozen;

			if (__builtin_fabs(bytes) * 8 >= size)
				ret[n++] = time / bytes;
		}
	return n;
}

/* Two odd sizes among many equal ones tell nothing reliable. */
static bool are_enough(size_t slopes, unsigned samples)
{
	return samples < FEW ? slopes > 0 : slopes >= 2 * (size_t)samples;
}

/*
 * The median of the slopes (Theil and Sen): a quarter of the samples may be anything. Samples of
 * one size leave the slope as it was.
 */
static void fit_slope(struct stall *s)
{
	double slopes[STALL_SAMPLES * (STALL_SAMPLES - 1) / 2], each[STALL_SAMPLES] = {0}, most;
	const size_t n = collect_slopes(s, slopes);
	const bool told = are_enough(n, s->n);

	for (unsigned i = 0; i < s->n; i++)
		each[i] = (double)s->samples[i].frozen / (double)s->samples[i].size;
	/* No freeze without bytes takes less than no time. */
	most = median(each, s->n);
	if (told)
		s->per_byte = MAX(median(slopes, n), 0.);
	else if (s->n == 1)
		s->per_byte = most;
	s->per_byte = MIN(s->per_byte, most);
	s->knows_slope = s->knows_slope || told;
}

static void fit(struct stall *s)
{
	double rest[STALL_SAMPLES] = {0};

	assert(s->n > 0);
	fit_slope(s);
	for (unsigned i = 0; i < s->n; i++)
		rest[i] = (double)s->samples[i].frozen - s->per_byte * (double)s->samples[i].size;
	s->fixed = MAX(median(rest, s->n), 0.);
	for (unsigned i = 0; i < s->n; i++)
		rest[i] = __builtin_fabs((double)s->samples[i].frozen -
					 modelled(s, s->samples[i].size));
	/* Of a bell curve this is the standard deviation. */
	s->deviation = 1.4826 * median(rest, s->n);
}

static void keep_newest(struct stall *s, unsigned n)
{
	if (s->n > n) {
		memmove(s->samples, s->samples + s->n - n, n * sizeof(s->samples[0]));
		s->n = n;
	}
}

/* --- how far times vary --- */

static double margin(const struct stall *s, double target)
{
	const double varies = MAX(DEVIATIONS * s->deviation, MARGIN_LEAST(target));
	const double least = MAX(s->margin, varies);

	return MIN(least, MARGIN_MOST(target));
}

/* Only the first of several late freezes counts: the others say that the disk has changed. */
static void learn_margin(struct stall *s, double late, double target)
{
	const double now = margin(s, target);

	if (late <= now)
		s->margin -= s->margin / s->patience;
	else if (s->strange <= 1) {
		s->margin = MIN(now + MARGIN_STEP(target), late + MARGIN_LEAST(target));
		s->patience = MIN(2 * s->patience, PATIENCE_MOST);
	}
}

/* Forgets how the disk was once several freezes in a row are strange in the same way. */
static void note_strange(struct stall *s, double late, double expected)
{
	const double most = MAX(DEVIATIONS * s->deviation, expected / 8);

	if (late > most)
		s->strange = s->strange > 0 ? s->strange + 1 : 1;
	else if (late < -most)
		s->strange = s->strange < 0 ? s->strange - 1 : -1;
	else
		s->strange = 0;
	if (s->strange >= NEW || s->strange <= -NEW) {
		keep_newest(s, NEW - 1); /* and the one that is about to be added */
		s->strange = 0;
	}
}

static void compare_with_model(struct stall *s, const struct stall_sample *sample, double target)
{
	const double expected = modelled(s, sample->size);
	const double late = (double)sample->frozen - expected;

	if (s->patience == 0) {
		s->patience = PATIENCE_FIRST;
		s->margin = MARGIN_FIRST(target);
	}
	if (s->n < FEW)
		return;
	note_strange(s, late, expected);
	learn_margin(s, late, target);
}

/* --- the size --- */

/* Half the speed that twice the fixed time would give is what a hotzone must be worth. */
static void judge_reach(struct stall *s, double target)
{
	const bool is_out = s->is_out_of_reach ? s->fixed * 4 / 3 >= target : s->fixed > target;

	s->against = is_out == s->is_out_of_reach ? 0 : s->against + 1;
	if (s->against == AGREE) {
		s->is_out_of_reach = is_out;
		s->against = 0;
	}
}

/* The time that is aimed at. */
static double wanted_time(const struct stall *s, double target)
{
	const double kept = target - margin(s, target), worth = s->fixed * 4 / 3;

	return s->is_out_of_reach ? 2 * s->fixed : MAX(kept, worth);
}

static uint64_t ideal_size(const struct stall *s, double target, uint64_t max)
{
	const double usec = wanted_time(s, target) - s->fixed;

	return usec >= s->per_byte * (double)max ? max : (uint64_t)(usec / s->per_byte);
}

/* Twice the bytes take twice the time at most. */
static uint64_t grown_size(const struct stall *s, const struct stall_sample *sample, double target)
{
	const double share = wanted_time(s, target) / (double)sample->frozen;

	return share >= 2 ? 2 * s->size : (uint64_t)((double)s->size * MAX(share, 1.25));
}

/* What the size is cut to at once after a freeze that was far too long; else the size as it is. */
static uint64_t cut_size(const struct stall *s, const struct stall_sample *sample, double target,
			 double expected)
{
	const double frozen = (double)sample->frozen, limit = MAX(target, expected * 3 / 2);

	if (frozen > 2 * limit)
		return MIN(s->size, sample->size / 2);
	if (frozen > limit)
		return MIN(s->size, sample->size - sample->size / 4);
	return s->size;
}

static uint64_t varied_size(const struct stall *s, uint32_t block, uint64_t max)
{
	/* At the most, and with the target kept, nothing depends on the two times. */
	if (s->turn % VARY_EACH != 0 || (s->size >= max && !s->is_out_of_reach))
		return 0;
	return s->size / 2 >= block ? s->size / 2 : MIN(UINT64_C(2) * block, max);
}

uint64_t stall_next_size(const struct stall *s)
{
	return s->varied > 0 ? s->varied : s->size;
}

void stall_update(struct stall *s, const struct stall_sample *sample, uint64_t target,
		  uint32_t block, uint64_t max)
{
	const bool as_wanted = sample->size >= round_down_u64(MIN(stall_next_size(s), max), block);
	const double expected = s->n > 1 ? modelled(s, sample->size) : 0;
	uint64_t cut, ideal;

	assert(sample->size > 0 && target > 0);
	assert(block > 0 && max >= block);
	compare_with_model(s, sample, (double)target);
	keep_newest(s, STALL_SAMPLES - 1);
	s->samples[s->n++] = *sample;
	fit(s);
	if (s->knows_slope)
		judge_reach(s, (double)target);
	cut = cut_size(s, sample, (double)target, expected);
	ideal = ideal_size(s, (double)target, max);
	if (cut < s->size)
		s->size = MIN(cut, ideal);
	else if (as_wanted)
		s->size = MIN(ideal, grown_size(s, sample, (double)target));
	s->size = MIN(s->size, max);
	s->size = MAX(s->size, (uint64_t)block);
	s->turn++;
	s->varied = varied_size(s, block, max);
}
