/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a rotation is to be done: a span from its start, or a time. And the arithmetic of it: the
 * least rate that is in time. All times in microseconds since the epoch; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/policy/calendar.h"

struct deadline {
	bool set;
	uint64_t span_usec; /* 0: @calendar */
	struct calendar calendar;
	char text[64]; /* as it was written, or its beginning */
};

/* "12h", "3d"; or a calendar expression: "2026-12-01 06:00", "Mon 06:00". "": none. -EINVAL,
 * -ERANGE. */
int deadline_parse(const char *text, struct deadline *ret);

/* For what was begun at @started: a calendar's first time after that. 0: none. */
uint64_t deadline_at(const struct deadline *d, uint64_t started);

/* Bytes/s that @bytes need at least in @usec; UINT64_MAX: there is no time left for them. */
uint64_t deadline_rate(uint64_t bytes, uint64_t usec);

/* That with a little room, for hotzones that take longer than the ones before. */
uint64_t deadline_floor(uint64_t rate);

/* How long @bytes take at least, with @limit bytes/s; 0: no limit. */
uint64_t deadline_least(uint64_t bytes, uint64_t limit);

struct deadline_look {
	uint64_t needed;   /* bytes/s, deadline_rate() */
	uint64_t limit;    /* bytes/s that are allowed at most; 0: no limit */
	uint64_t rate;     /* bytes/s that there are, smoothed; 0: nothing runs */
	uint64_t now_usec; /* monotonic */
};

struct deadline_watch {
	bool at_risk;
	uint64_t slow_since_usec; /* monotonic; 0: it is fast enough */
};

/*
 * Can it hold? At risk at once where it would need more than is allowed, and after a while of being
 * too slow; no more at risk when there is some room again.
 */
void deadline_update(struct deadline_watch *w, const struct deadline_look *l);
