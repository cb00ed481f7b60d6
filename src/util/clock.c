/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/clock.h"

#include <assert.h>
#include <time.h>

uint64_t now_usec(void)
{
	struct timespec ts;
	int r = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(r == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
