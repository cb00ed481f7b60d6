/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/window.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/policy/units.h"
#include "util/checked.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)
/*
 * Questions to a calendar that one answer may take, some microseconds each, however odd the windows
 * are. Windows that follow each other without a gap are looked through so far; what is beyond, in a
 * sum of time, is taken to be alike.
 */
#define QUESTIONS_MAX 256U

int window_parse(const char *text, struct window *ret)
{
	static const char separator[] = " for ";
	const char *where = strstr(text, separator);
	struct window w = {};
	char calendar[sizeof(w.text)];
	const char *span;
	int r;

	if (!where || strlen(text) >= sizeof(w.text))
		return -EINVAL;
	(void)snprintf(calendar, sizeof(calendar), "%.*s", (int)(where - text), text);
	for (span = where + strlen(separator); *span == ' '; span++)
		;
	r = config_parse_usec(span, &w.span_usec);
	if (r < 0)
		return r;
	r = calendar_parse(calendar, &w.calendar);
	if (r < 0)
		return r;
	if (w.span_usec < SECOND || w.span_usec > WINDOW_SPAN_MAX)
		return -EINVAL;
	(void)text_copy(w.text, sizeof(w.text), text);
	*ret = w;
	return 0;
}

/* Until when some window stays open that was begun by @usec; 0: none is open then. */
static uint64_t open_until(const struct window *windows, size_t n, uint64_t usec, size_t *left)
{
	uint64_t until = 0;

	*left -= MIN(n, *left);
	for (size_t i = 0; i < n; i++) {
		const struct window *w = &windows[i];
		const uint64_t start = calendar_last(&w->calendar, usec, w->span_usec);
		const uint64_t end = start == CALENDAR_NEVER
					     ? 0
					     : calendar_add(&w->calendar, start, w->span_usec);

		assert(w->span_usec >= SECOND && w->span_usec <= WINDOW_SPAN_MAX);
		if (end > usec)
			until = MAX(until, end);
	}
	return until;
}

static uint64_t next_start(const struct window *windows, size_t n, uint64_t usec, size_t *left)
{
	uint64_t next = CALENDAR_NEVER;

	*left -= MIN(n, *left);
	for (size_t i = 0; i < n; i++) {
		const uint64_t start = calendar_next(&windows[i].calendar, usec);

		next = MIN(next, start);
	}
	return next;
}

/* As windows_open(), with at most *@left questions, and one round in any case. */
static bool is_open(const struct window *windows, size_t n, uint64_t now, size_t *left,
		    uint64_t *ret_change)
{
	uint64_t until, further;

	assert(n <= WINDOWS_MAX);
	*ret_change = CALENDAR_NEVER;
	if (n == 0)
		return true;
	until = open_until(windows, n, now, left);
	if (until == 0) {
		*ret_change = next_start(windows, n, now, left);
		return false;
	}
	while (*left > 0) {
		further = open_until(windows, n, until, left);
		if (further == 0)
			break;
		until = further;
	}
	*ret_change = until;
	return true;
}

bool windows_open(const struct window *windows, size_t n, uint64_t now, uint64_t *ret_change)
{
	size_t left = QUESTIONS_MAX;

	return is_open(windows, n, now, &left, ret_change);
}

uint64_t windows_inside(const struct window *windows, size_t n, uint64_t from, uint64_t to)
{
	uint64_t inside = 0, at = from, change;
	size_t left = QUESTIONS_MAX;

	if (to <= from)
		return 0;
	while (left > 0 && at < to) {
		const bool open = is_open(windows, n, at, &left, &change);

		change = MIN(change, to);
		if (open)
			inside += change - at;
		at = change;
	}
	if (at < to)
		inside = (uint64_t)((double)inside * (double)(to - from) / (double)(at - from));
	return inside;
}

uint64_t windows_after(const struct window *windows, size_t n, uint64_t from, uint64_t usec)
{
	uint64_t rest = usec, at = from, change;
	size_t left = QUESTIONS_MAX;

	while (left > 0) {
		const bool open = is_open(windows, n, at, &left, &change);

		if (open && (change == CALENDAR_NEVER || change - at >= rest))
			return at + rest;
		if (change == CALENDAR_NEVER)
			return CALENDAR_NEVER;
		if (open)
			rest -= change - at;
		at = change;
	}
	return rest < usec ? from + (uint64_t)((double)(at - from) * (double)usec /
					       (double)(usec - rest))
			   : CALENDAR_NEVER;
}
