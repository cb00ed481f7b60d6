/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline: shall the next hotzone be read while this one is written? A disk that can do both at
 * once, or many things, takes half the time then. One with a head only seeks, and is better off
 * with hotzones of twice the size, read and written by turns, in the same memory: fewer visits to
 * the header.
 *
 *      beside    | read 2     | read 3     |          alone   | read 1 and 2 | write 1 and 2 |
 *                | write 1    | write 2    |
 *
 * What a disk says of itself may be untrue, so both are tried, with short hotzones. The time of
 * each is taken apart into what the bytes take and what the visit to the header takes, and the two
 * ways are compared at their full size:
 *
 *      FILL      reads the first, and the second beside it
 *      BESIDE    some; where they take hardly longer than reading did alone, no more is tried
 *      DRAIN     what has been read ahead
 *      ALONE     one
 *
 * Disks change (caches fill, others use them), so it is tried again from time to time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a hotzone while it is tried, and between two trials. */
#define OVERLAP_TRIAL_SIZE UINT64_C(16777216)
#define OVERLAP_TRY_EVERY  (UINT64_C(16) << 30)

struct overlap {
	uint64_t beside_max, alone_max; /* bytes of a hotzone */
	bool fixed;                     /* nothing to choose from, or to measure */
	bool beside;                    /* what is done now */
	enum { OVERLAP_FILL, OVERLAP_BESIDE, OVERLAP_DRAIN, OVERLAP_ALONE, OVERLAP_DECIDED } phase;
	unsigned cycles;      /* in this phase */
	uint64_t since_trial; /* bytes */
	/* Microseconds, for each byte and for a visit to the header. No @load_byte: 0. */
	double load_byte, alone_byte, beside_cycle, header;
};

/* One hotzone, from the end of the one before to its own end: bytes, microseconds. */
struct overlap_sample {
	uint64_t size;
	uint64_t load;  /* waiting for data to be read */
	uint64_t data;  /* the same, and for it to be written and flushed */
	uint64_t cycle; /* in all */
};

/* @left: bytes of the run. Few of them are not worth a trial. */
void overlap_begin(struct overlap *o, uint64_t beside_max, uint64_t alone_max, uint64_t left);
/* One after the other, and no trial. */
void overlap_begin_alone(struct overlap *o, uint64_t alone_max);
/* Bytes that the next hotzone may have. */
uint64_t overlap_size(const struct overlap *o);
/* A hotzone is durable; from now on o->beside and overlap_size() may be others. */
void overlap_update(struct overlap *o, const struct overlap_sample *s);
/* What came between does not count: the trial begins again. */
void overlap_disturbed(struct overlap *o);
