/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t usec_of(clockid_t clock)
{
	struct timespec ts;
	int r = clock_gettime(clock, &ts);

	assert(r == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_usec(void)
{
	return usec_of(CLOCK_MONOTONIC);
}

uint64_t wall_clock_usec(void)
{
	return usec_of(CLOCK_REALTIME);
}

uint64_t thread_cpu_usec(void)
{
	return usec_of(CLOCK_THREAD_CPUTIME_ID);
}
