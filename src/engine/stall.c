/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/stall.h"

#include <stdbool.h>

#include "util/checked.h"

/* Samples that the smoothed figures follow. */
#define SMOOTHING_N 8

static uint64_t smooth(uint64_t before, uint64_t now)
{
	return before == 0 ? now : before - before / SMOOTHING_N + now / SMOOTHING_N;
}

/* One that is over the target counts as the target: that it was far over says nothing of the next.
 */
static void count(struct stall *s, uint64_t frozen, uint64_t bytes, uint64_t target)
{
	if (frozen > target) {
		bytes = (uint64_t)((double)bytes / (double)frozen * (double)target);
		frozen = target;
	}
	s->frozen = smooth(s->frozen, frozen);
	s->bytes = smooth(s->bytes, bytes);
}

/*
 * What is aimed at, as a share of the target. A quarter less after one that is over it and one in
 * 6144 more after any other keep each other in balance where fewer than one in a thousand are over
 * it.
 */
#define AIM_ONE   UINT32_C(1048576)
#define AIM_MOST  (AIM_ONE / 2)
#define AIM_LEAST (AIM_ONE / 6)
#define AIM_LESS  4
#define AIM_MORE  6144

static uint64_t aim_of(const struct stall *s, uint64_t target)
{
	const uint32_t share = s->aim == 0 ? AIM_MOST : s->aim;

	return target / AIM_ONE * share + target % AIM_ONE * share / AIM_ONE;
}

/* @expected: the smoothed time before this one. Where that was too long, the size was wrong. */
static void learn_aim(struct stall *s, uint64_t expected, uint64_t aim, bool over)
{
	if (s->aim == 0)
		s->aim = AIM_MOST;
	if (!over)
		s->aim = MIN(s->aim + s->aim / AIM_MORE, AIM_MOST);
	else if (expected > 0 && expected <= aim + aim / 4)
		s->aim = MAX(s->aim - s->aim / AIM_LESS, AIM_LEAST);
}

/*
 * Do the bytes take so much of the time that fewer of them would help? One sample is mostly noise:
 * so they must have done in those before it.
 */
static bool are_bytes_to_blame(const struct stall *s, uint64_t bytes, uint64_t frozen)
{
	return bytes > frozen / 4 && (s->frozen == 0 || s->bytes > s->frozen / 4);
}

/* Does the fixed time count for so much that more of them would be no matter? */
static bool are_bytes_negligible(const struct stall *s, uint64_t bytes, uint64_t frozen)
{
	return bytes < frozen / 8 && s->bytes < s->frozen / 8;
}

/* The target is missed: the size that comes nearer to it, if any does. */
static uint64_t size_over_target(const struct stall *s, const struct stall_sample *sample,
				 uint64_t bytes, uint64_t target, bool as_wanted, bool blame)
{
	if (blame)
		return sample->frozen / 2 > target ? sample->size / 2
						   : sample->size - sample->size / 4;
	if (as_wanted && are_bytes_negligible(s, bytes, sample->frozen))
		return s->size + s->size / 16;
	return s->size;
}

/* The target is kept: towards what is aimed at. */
static uint64_t size_under_target(const struct stall *s, uint64_t bytes, uint64_t frozen,
				  uint64_t aim, bool as_wanted, bool blame)
{
	if (as_wanted && frozen < aim / 2)
		return s->size + s->size / 4;
	if (as_wanted && (MAX(frozen, s->frozen) < aim || are_bytes_negligible(s, bytes, frozen)))
		return s->size + s->size / 16;
	if (MIN(frozen, s->frozen) > aim + aim / 4 && blame)
		return s->size - s->size / 16;
	return s->size;
}

void stall_update(struct stall *s, const struct stall_sample *sample, uint64_t target,
		  uint32_t block, uint64_t max)
{
	const bool as_wanted = sample->size >= round_down_u64(MIN(s->size, max), block);
	const uint64_t bytes = sample->data > sample->commit ? sample->data - sample->commit : 0;
	const uint64_t aim = aim_of(s, target), expected = s->frozen;
	const bool over = sample->frozen > target;
	const bool blame = are_bytes_to_blame(s, bytes, sample->frozen);

	count(s, sample->frozen, bytes, target);
	if (!over || blame)
		learn_aim(s, expected, aim, over);
	s->size = over ? size_over_target(s, sample, bytes, target, as_wanted, blame)
		       : size_under_target(s, bytes, sample->frozen, aim, as_wanted, blame);
	s->size = MIN(s->size, max);
	s->size = MAX(s->size, (uint64_t)block);
}
