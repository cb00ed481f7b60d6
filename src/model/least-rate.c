/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/least-rate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static uint64_t least = LEAST_RATE;

void least_rate_set(uint64_t rate)
{
	least = rate;
}

int least_rate_check(uint64_t rate, char text[static LEAST_RATE_TEXT])
{
	const uint64_t number = rate % 1024 == 0 ? rate / 1024 : rate; /* of 20, or of 20K */

	if (rate == 0 || rate >= least)
		return 0;
	if (number < 1024)
		(void)snprintf(text, LEAST_RATE_TEXT,
			       "%" PRIu64 " bytes per second is less than %" PRIu64
			       "K; did you mean %" PRIu64 "M?",
			       rate, LEAST_RATE / 1024, number);
	else
		(void)snprintf(text, LEAST_RATE_TEXT,
			       "%" PRIu64 " bytes per second is less than %" PRIu64 "K", rate,
			       LEAST_RATE / 1024);
	return -EINVAL;
}
