/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calendar expressions as of systemd.time(7), which libsystemd keeps to itself: what of them an
 * operator writes for a time at which something begins.
 *
 *     [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [UTC]      "Mon..Fri 22:00"
 *     each number is *, or a list of N, N..N, N/STEP, N..N/STEP        "*-*-1,15 02:00"
 *     or one word: minutely, hourly, daily, weekly, monthly, quarterly, semiannually, yearly
 *
 * Times are those of the clock on the wall, so where that is changed: a time that it shows twice is
 * the first of both, and one that it skips is the moment at which it does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_RANGES_MAX 16
#define CALENDAR_NEVER      UINT64_MAX
#define CALENDAR_YEAR_MIN   1970
#define CALENDAR_YEAR_MAX   2199

struct calendar_range {
	int first, last, step; /* last INT_MAX: as far as it goes */
};

struct calendar_field {
	unsigned n; /* 0: any */
	struct calendar_range range[CALENDAR_RANGES_MAX];
};

struct calendar {
	unsigned weekdays; /* bit n: tm_wday n; 0: any */
	bool utc;
	struct calendar_field year, month, day, hour, minute, second;
};

/* -EINVAL: it is not understood, or asks for what there never is. */
int calendar_parse(const char *text, struct calendar *ret);

/* The first that comes after @usec; both in microseconds since the epoch. CALENDAR_NEVER: none. */
uint64_t calendar_next(const struct calendar *c, uint64_t usec);

/*
 * The last that comes not after @usec, if it is at most @span of the wall clock (days) or little
 * more before it. CALENDAR_NEVER: none.
 */
uint64_t calendar_last(const struct calendar *c, uint64_t usec, uint64_t span);

/* What the wall clock shows @span microseconds later than at @usec. */
uint64_t calendar_add(const struct calendar *c, uint64_t usec, uint64_t span);

/* Conversions of times and moves of searches so far: what all of the above has cost. */
uint64_t calendar_steps(void);
