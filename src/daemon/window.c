/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config.h"
#include "util/checked.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)
/* The wall clock may be put back by so much within a window. */
#define CLOCK_CHANGE (UINT64_C(26) * 3600 * SECOND)
/* Windows that follow each other without a gap are looked through so far, for one answer. */
#define CHAIN_MAX 32U
/* And changes from open to closed or back, for a sum; what is beyond is taken to be alike. */
#define CHANGES_MAX 100U

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
	if (r == 0)
		r = calendar_parse(calendar, &w.calendar);
	if (r < 0)
		return r;
	if (w.span_usec < SECOND || w.span_usec > WINDOW_SPAN_MAX)
		return -EINVAL;
	(void)text_copy(w.text, sizeof(w.text), text);
	*ret = w;
	return 0;
}

/* The last beginning that is not after @usec; 0: none that could still be open. */
static uint64_t last_start(const struct window *w, uint64_t usec)
{
	const uint64_t most = w->span_usec + CLOCK_CHANGE;
	uint64_t start = CALENDAR_NEVER, next;

	/* From near to far: many may lie behind. */
	for (uint64_t back = 4 * SECOND; start > usec; back *= 4) {
		if (back / 4 > most)
			return 0;
		start = calendar_next(&w->calendar, usec > back ? usec - back : 0);
	}
	while ((next = calendar_next(&w->calendar, start)) <= usec)
		start = next;
	return start;
}

static uint64_t end_of(const struct window *w, uint64_t start)
{
	return calendar_add(&w->calendar, start, w->span_usec);
}

/* Until when some window stays open that was begun by @usec; 0: none is open then. */
static uint64_t open_until(const struct window *windows, size_t n, uint64_t usec)
{
	uint64_t until = 0;

	for (size_t i = 0; i < n; i++) {
		const uint64_t start = last_start(&windows[i], usec);
		const uint64_t end = start > 0 ? end_of(&windows[i], start) : 0;

		if (end > usec)
			until = MAX(until, end);
	}
	return until;
}

bool windows_open(const struct window *windows, size_t n, uint64_t now, uint64_t *ret_change)
{
	uint64_t until = open_until(windows, n, now), next = CALENDAR_NEVER;

	*ret_change = CALENDAR_NEVER;
	if (n == 0)
		return true;
	for (size_t i = 0; i < n && until == 0; i++) {
		const uint64_t start = calendar_next(&windows[i].calendar, now);

		next = MIN(next, start);
	}
	for (unsigned i = 0; i < CHAIN_MAX && until > 0; i++) {
		const uint64_t further = open_until(windows, n, until);

		next = until;
		if (further == 0)
			break;
		until = further;
	}
	*ret_change = next;
	return until > 0;
}

uint64_t windows_inside(const struct window *windows, size_t n, uint64_t from, uint64_t to)
{
	uint64_t inside = 0, at = from, change;

	if (to <= from)
		return 0;
	for (unsigned i = 0; i < CHANGES_MAX && at < to; i++) {
		const bool open = windows_open(windows, n, at, &change);

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
	uint64_t left = usec, at = from, change;

	for (unsigned i = 0; i < CHANGES_MAX; i++) {
		const bool open = windows_open(windows, n, at, &change);

		if (open && (change == CALENDAR_NEVER || change - at >= left))
			return at + left;
		if (change == CALENDAR_NEVER)
			return CALENDAR_NEVER;
		if (open)
			left -= change - at;
		at = change;
	}
	return left < usec ? from + (uint64_t)((double)(at - from) * (double)usec /
					       (double)(usec - left))
			   : CALENDAR_NEVER;
}
