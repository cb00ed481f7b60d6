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

/* The target is missed: the size that comes nearer to it, if any does. One sample is mostly noise.
 */
static uint64_t size_over_target(const struct stall *s, const struct stall_sample *sample,
				 uint64_t bytes, uint64_t target, bool as_wanted)
{
	if (bytes > sample->frozen / 4 && s->bytes > s->frozen / 4)
		return sample->frozen / 2 > target ? sample->size / 2
						   : sample->size - sample->size / 4;
	if (bytes < sample->frozen / 8 && s->bytes < s->frozen / 8 && as_wanted)
		return s->size + s->size / 16;
	return s->size;
}

void stall_update(struct stall *s, const struct stall_sample *sample, uint64_t target,
		  uint32_t block, uint64_t max)
{
	const bool as_wanted = sample->size >= round_down_u64(MIN(s->size, max), block);
	const uint64_t bytes = sample->data > sample->commit ? sample->data - sample->commit : 0;

	s->frozen = smooth(s->frozen, sample->frozen);
	s->bytes = smooth(s->bytes, bytes);
	if (sample->frozen > target)
		s->size = size_over_target(s, sample, bytes, target, as_wanted);
	else if (as_wanted && sample->frozen < target / 4)
		s->size += s->size / 4;
	else if (as_wanted && sample->frozen < target / 2)
		s->size += s->size / 16;
	s->size = MIN(s->size, max);
	s->size = MAX(s->size, (uint64_t)block);
}
