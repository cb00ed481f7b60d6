/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a range stays frozen decides how large the next one is, so that 999 of 1000 times I/O
 * waits for no longer than a target. What is aimed at lies below it, by as much as the times vary:
 *
 *     frozen for     0 ... aim/2 ... aim ... aim*5/4 ... target ... 2*target ...
 *     the next is      + 1/4   + 1/16  as large   - 1/16     - 1/4       half
 *
 * The aim is half the target at first, a quarter less after each one that was over the target, and
 * returns slowly; never under a sixth. The steps of 1/16 go by the smoothed time, too, so that
 * nothing swings. Where the fixed time alone is over target or aim (slow flushes, a machine that
 * halts now and then) smaller ranges would lose throughput for nothing: they shrink while the bytes
 * take a quarter of the time, and grow by 1/16 where they take less than an eighth.
 */
#pragma once

#include <stdint.h>

/* What a run begins with, whatever the disk can do: bytes. */
#define STALL_FIRST_SIZE UINT64_C(16384)

struct stall {
	uint64_t
		size; /* of the next hotzone at most, bytes; whole blocks are the caller's matter */
	uint64_t frozen, bytes; /* microseconds, smoothed: in all, and what of it the bytes take */
	uint32_t aim;           /* share of the target, in 2^20ths; 0: none was seen yet */
};

/* One hotzone that has been frozen; microseconds, bytes. */
struct stall_sample {
	uint64_t size;
	uint64_t frozen; /* in all */
	uint64_t data;   /* of that, reading and writing the data */
	uint64_t commit; /* the commit before: what this disk takes to write next to nothing */
};

/*
 * @target: microseconds, not 0. The size stays between @block and @max bytes. A sample that was
 * shorter than wanted, for another reason, says nothing of longer ones.
 */
void stall_update(struct stall *s, const struct stall_sample *sample, uint64_t target,
		  uint32_t block, uint64_t max);
