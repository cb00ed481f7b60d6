/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows of time, in which work may be done: each begins at the times of a calendar expression and
 * stays open for a span of the clock on the wall.
 *
 *     Window=Mon..Fri 22:00 for 8h      22:00 to 06:00, also where the clock is changed in between
 *
 * Several may overlap. All times: microseconds since the epoch. Each answer takes a millisecond at
 * most, whatever the windows are: from the configuration may come odd ones, and the manager asks
 * for each volume every second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/calendar.h"

/* Longer than that it is hardly a window. */
#define WINDOW_SPAN_MAX (UINT64_C(31) * 86400 * 1000000)

/* Of one volume: each look asks about all of them. */
#define WINDOWS_MAX 32

struct window {
	struct calendar calendar;
	uint64_t span_usec;
	char text[128]; /* as it was written */
};

/* "CALENDAR for SPAN". -EINVAL. */
int window_parse(const char *text, struct window *ret);

/*
 * Is one of them open at @now? Without any the answer is yes. *ret_change: when it is worth asking
 * again, CALENDAR_NEVER: not.
 */
bool windows_open(const struct window *windows, size_t n, uint64_t now, uint64_t *ret_change);

/* How much of the time from @from to @to is in a window. */
uint64_t windows_inside(const struct window *windows, size_t n, uint64_t from, uint64_t to);

/* When @usec of time in windows have passed since @from; CALENDAR_NEVER: there is not so much. */
uint64_t windows_after(const struct window *windows, size_t n, uint64_t from, uint64_t usec);
