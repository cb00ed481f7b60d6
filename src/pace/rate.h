/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A limit in bytes per second for work that comes in hotzones: each is paid for when it is done, by
 * a wait before the next.
 *
 *     |#|......|#|......|###|.|.|#|......      # work, . wait
 *                         ^ took longer than it paid for: the next ones make up for it
 *
 * A bucket of tokens that may be in debt by one hotzone, and holds RATE_BURST_USEC worth at most.
 * One thread works and waits; any thread may set the rate, which ends a wait.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/checked.h"

/* A hotzone is at most that long at the rate, so that the figures of 10 s are exact to 1.3 %. */
#define RATE_HOTZONE_USEC UINT64_C(125000)
/* How much lost time is made up for. */
#define RATE_BURST_USEC UINT64_C(500000)

struct rate {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t wanted; /* bytes per second; 0: no limit */
	/* Of the thread that works: */
	bool started;
	uint64_t current; /* what the bytes since the last wait are paid at */
	uint64_t counted; /* bytes that are paid for */
	uint64_t due;     /* when the next hotzone may begin, microseconds */
};

/* The lower of two limits. */
static inline uint64_t rate_lower(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

int rate_init(struct rate *r, uint64_t bytes_per_second);
void rate_destroy(struct rate *r);

/* From any thread, at any time. */
void rate_set(struct rate *r, uint64_t bytes_per_second);
uint64_t rate_get(struct rate *r);
/* Ends a wait whose @interrupted() is true now. */
void rate_wake(struct rate *r);

/* Would rate_wait() wait, or is there a new rate to be taken up? */
bool rate_is_due(struct rate *r, uint64_t total, uint64_t now);

/*
 * Waits until @total bytes are paid for, in all; the first call sets the mark. Ends early when
 * @interrupted(), which is asked at each rate_wake(); what is not paid is kept. When the rate
 * changes, a debt is paid at the higher of both.
 */
void rate_wait(struct rate *r, uint64_t total, bool (*interrupted)(void *arg), void *arg);

/* Bytes of a hotzone under the rate that the last rate_wait() found; 0: any size. */
uint64_t rate_hotzone(const struct rate *r);
