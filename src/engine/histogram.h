/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counts of durations in buckets of fixed size, from which percentiles are read: exact below 16
 * microseconds, and from there on eight buckets for each doubling,
 *
 *     0 1 2 ... 15 | 16-17 18-19 ... 30-31 | 32-35 36-39 ... 60-63 | 64-71 ...
 *
 * so that a percentile is at most an eighth too high, and never too low.
 */
#pragma once

#include <stdint.h>

/* 16 and eight for each of the 28 doublings from there to 2^32 microseconds, more than an hour. */
#define HISTOGRAM_BUCKETS (16 + 28 * 8)

struct histogram {
	uint64_t n;   /* durations in all */
	uint64_t max; /* the longest, exactly; microseconds */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t usec);

/*
 * Microseconds that at least @per_thousand of a thousand durations did not exceed; 0 where there
 * are none. 1000 is the longest.
 */
uint64_t histogram_percentile(const struct histogram *h, unsigned per_thousand);
