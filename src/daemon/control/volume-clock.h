/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: what the clock alone decides, its windows and its deadline. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/deadline.h"

struct volume;

struct volume_clock {
	bool outside;           /* of its windows */
	uint64_t window_change; /* realtime, when that changes; 0: to be looked at */
	char window_reason[96]; /* while outside */
	uint64_t deadline_usec; /* realtime; 0: none */
	bool at_risk;
	char risk_reason[96]; /* while it is at risk */
	uint64_t needed;      /* bytes/s, then; UINT64_MAX: there is no time left */
	struct deadline_watch watch;
	uint64_t looked;     /* at the deadline, realtime; 0: not yet */
	uint64_t risk;       /* realtime, when it will be at risk if nothing is done */
	uint64_t rate_floor; /* bytes/s that the deadline needs; 0: none */
};

/* True: the deadline has just come at risk. */
bool volume_look_at_clock(struct volume *v);
/* What was found of it may hold no longer: another configuration, clock or zone. */
void volume_forget_clock(struct volume *v);
/* The same of the deadline alone, for a step that comes anyway. */
void volume_forget_deadline(struct volume *v);
/* Realtime; CALENDAR_NEVER: nothing changes by the clock. */
uint64_t volume_next_look(const struct volume *v);
/* When the work is done at the present rate, in its windows; 0: not known. */
uint64_t volume_end_at_rate(const struct volume *v);
/*
 * How long a rotation of @bytes would take that begins now, microseconds: with its limits and in
 * its windows, and @fastest_usec at least, which is what its worker has measured; 0: not known.
 */
uint64_t volume_estimate(const struct volume *v, uint64_t bytes, uint64_t fastest_usec);
/*
 * Of the one that is open, else of the next one; CALENDAR_NEVER: none is to come. 0: none at all.
 */
uint64_t volume_end_of_next_window(const struct volume *v);

/* As recryptctl shows times; returns @buf. */
const char *clock_text(uint64_t usec, char *buf, size_t size);
