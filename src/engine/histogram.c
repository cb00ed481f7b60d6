/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/histogram.h"

#include <assert.h>
#include <stddef.h>

#include "util/checked.h"

#define EXACT    16
#define STEPS    8 /* in each doubling; a power of two */
#define STEPS_LN 3

static size_t bucket_of(uint64_t usec)
{
	unsigned doubling;

	if (usec < EXACT)
		return (size_t)usec;
	usec = MIN(usec, (uint64_t)UINT32_MAX);
	doubling = 63 - (unsigned)__builtin_clzll(usec);
	return EXACT + (size_t)(doubling - 4) * STEPS + (usec >> (doubling - STEPS_LN)) % STEPS;
}

/* The longest duration that falls into it. */
static uint64_t bucket_end(size_t bucket)
{
	unsigned shift;

	if (bucket < EXACT)
		return bucket;
	shift = (unsigned)(bucket - EXACT) / STEPS + 1;
	return (((bucket - EXACT) % STEPS + STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t usec)
{
	const size_t bucket = bucket_of(usec);

	assert(bucket < HISTOGRAM_BUCKETS);
	h->n++;
	h->max = MAX(h->max, usec);
	h->buckets[bucket]++;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned per_thousand)
{
	/* Rounded up, without an overflow for any count. */
	const uint64_t rank =
		h->n / 1000 * per_thousand + (h->n % 1000 * per_thousand + 999) / 1000;
	uint64_t seen = 0;

	assert(per_thousand <= 1000);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		/* What is longer than all buckets is in the last one. */
		if (seen >= rank)
			return i + 1 < HISTOGRAM_BUCKETS ? MIN(bucket_end(i), h->max) : h->max;
	}
	return h->max;
}
