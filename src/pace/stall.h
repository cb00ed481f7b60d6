/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a range stays frozen decides how large the next one is. The time of a freeze is
 *
 *     fixed + bytes * per_byte
 *
 * and both figures follow from the last freezes, whose sizes differ: every eighth hotzone has half
 * the size. The next size is the one whose time is below the target by a margin, so that 999 of
 * 1000 freezes keep the target. The margin follows how far the times vary.
 *
 * Where the fixed time is near to the target (seeks, slow flushes), hotzones that keep the target
 * would convert next to nothing, so the bytes get a third of the fixed time at least. Where it is
 * over the target, that is out of reach, and the bytes get as much time as the fixed part: half the
 * speed of the disk, in freezes of twice the fixed time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long I/O to a range may wait, unless somebody says it; microseconds. */
#define STALL_DEFAULT_TARGET UINT64_C(50000)

/* Bytes of the first hotzone of a run, whatever the disk can do. */
#define STALL_FIRST_SIZE UINT64_C(16384)

/* Freezes that are remembered. */
#define STALL_SAMPLES 48

/* A hotzone that was frozen. */
struct stall_sample {
	uint64_t size;   /* bytes */
	uint64_t frozen; /* microseconds */
};

struct stall {
	uint64_t size;        /* bytes; what all hotzones but every eighth have at most */
	uint64_t varied;      /* bytes of the next hotzone instead; 0: size */
	double fixed;         /* microseconds */
	double per_byte;      /* microseconds */
	bool is_out_of_reach; /* the fixed time is over the target */

	/* The rest belongs to stall.c. */
	struct stall_sample samples[STALL_SAMPLES]; /* oldest first */
	unsigned n;                                 /* samples */
	unsigned turn;                              /* updates, to vary sizes by */
	double deviation;                           /* of samples from the model, microseconds */
	bool knows_slope;                           /* samples of different sizes were seen */
	double margin;                              /* learned from late freezes, microseconds */
	unsigned patience;                          /* freezes in which the margin shrinks to 1/e */
	int strange;      /* freezes in a row that took longer (or < 0: shorter) than modelled */
	unsigned against; /* updates in a row that contradict is_out_of_reach */
};

/*
 * Learns from @sample, and sets the size of the next hotzone, between @block and @max bytes.
 * @target: microseconds, not 0. A sample that is smaller than stall_next_size() lets nothing grow.
 */
void stall_update(struct stall *s, const struct stall_sample *sample, uint64_t target,
		  uint32_t block, uint64_t max);

/* Bytes of the next hotzone at most; the caller rounds to blocks. */
uint64_t stall_next_size(const struct stall *s);
