/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of a volume by the clock alone: its windows open and close, and its deadline comes
 * nearer, for which the governor has to leave more and more to the work.
 *
 *     windows    closed -> suspended, with the time of the next one as the reason; not the
 *                operator's suspension, which it neither takes back nor becomes
 *     deadline   bytes left / time left in windows = the least rate, which raises RateMin=
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/control/core.h"
#include "model/state-reason.h"
#include "util/checked.h"
#include "util/clock.h"

#define SECOND UINT64_C(1000000)

static const struct politeness *politeness_of(const struct volume *v)
{
	return &config_for_volume(v->manager->config, v->uuid)->polite;
}

static bool has_rotation(const struct volume *v)
{
	return header_in_reencryption(&v->header) || v->token.record.has_queued;
}

const char *clock_text(uint64_t usec, char *buf, size_t size)
{
	const time_t t = (time_t)(usec / SECOND);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(buf, size, "%llu", (unsigned long long)(usec / SECOND));
	return buf;
}

static const char *day_text(uint64_t usec, char *buf, size_t size)
{
	const time_t t = (time_t)(usec / SECOND);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(buf, size, "%a %Y-%m-%d at %H:%M", &tm) == 0)
		(void)snprintf(buf, size, "%llu", (unsigned long long)(usec / SECOND));
	return buf;
}

/* --- windows --- */

static void look_at_windows(struct volume *v, uint64_t now)
{
	const struct politeness *p = politeness_of(v);
	char text[32];

	if (!has_rotation(v) || p->n_windows == 0) {
		v->clock.outside = false;
		v->clock.window_change = has_rotation(v) ? CALENDAR_NEVER : 0;
		return;
	}
	if (now < v->clock.window_change)
		return;
	v->clock.outside = !windows_open(p->windows, p->n_windows, now, &v->clock.window_change);
	if (v->clock.outside && now < v->token.record.now_until) {
		v->clock.outside = false;
		v->clock.window_change = MIN(v->clock.window_change, v->token.record.now_until);
	} else if (v->clock.window_change == CALENDAR_NEVER) {
		(void)snprintf(v->clock.window_reason, sizeof(v->clock.window_reason),
			       "outside its windows, and no other one will open");
	} else {
		(void)snprintf(v->clock.window_reason, sizeof(v->clock.window_reason),
			       STATE_REASON_WINDOW "%s",
			       day_text(v->clock.window_change, text, sizeof(text)));
	}
}

uint64_t volume_end_of_next_window(const struct volume *v)
{
	const struct politeness *p = politeness_of(v);
	uint64_t change;

	if (p->n_windows == 0)
		return 0;
	if (!windows_open(p->windows, p->n_windows, wall_clock_usec(), &change) &&
	    change != CALENDAR_NEVER)
		(void)windows_open(p->windows, p->n_windows, change, &change);
	return change;
}

/* --- the deadline --- */

static uint64_t deadline_of(const struct volume *v)
{
	const struct record *r = &v->token.record;

	if (!has_rotation(v) || r->cancel)
		return 0;
	if (!header_in_reencryption(&v->header) && r->queued.deadline_usec > 0)
		return r->queued.deadline_usec;
	if (header_in_reencryption(&v->header) && r->deadline_usec > 0)
		return r->deadline_usec;
	return r->last.started_usec > 0
		       ? deadline_at(&politeness_of(v)->deadline, r->last.started_usec)
		       : 0;
}

/* @l: may be NULL where there is none. True: it has just come at risk. */
static bool set_risk(struct volume *v, bool at_risk, const struct deadline_look *l)
{
	char text[32];

	assert(l || !at_risk);
	if (at_risk == v->clock.at_risk)
		return false;
	v->clock.at_risk = at_risk;
	mark_tell(&v->mark, VOLUME_CHANGED_DEADLINE);
	if (!at_risk)
		return false;
	v->clock.needed = l->needed;
	(void)snprintf(v->clock.risk_reason, sizeof(v->clock.risk_reason),
		       "its deadline, %s, will be missed at this rate",
		       clock_text(v->clock.deadline_usec, text, sizeof(text)));
	return true;
}

/* The most that there may be: what it was told, or would be if it were at work. */
static uint64_t allowed_rate(const struct volume *v)
{
	const uint64_t own = v->settings.rate_limit, host = v->manager->rate_limit;

	if (v->lines.convert.running && v->worker.told.limits_sent)
		return v->worker.told.limits.rate;
	return own == 0 || (host > 0 && host < own) ? host : own;
}

/*
 * When it will be at risk, if nothing is done until then: nobody else looks at one that is
 * suspended. A little later, so that it is so beyond the rounding.
 */
static uint64_t next_risk(const struct volume *v, uint64_t now, uint64_t inside, uint64_t limit)
{
	const struct politeness *p = politeness_of(v);
	const uint64_t least = deadline_least(volume_bytes_left(v), limit);
	uint64_t at = now;

	if (volume_bytes_left(v) == 0)
		return CALENDAR_NEVER;
	if (inside > least)
		at = windows_after(p->windows, p->n_windows, now, inside - least);
	at = MIN(at, v->clock.deadline_usec);
	return at < CALENDAR_NEVER - SECOND ? at + SECOND : CALENDAR_NEVER;
}

static bool look_at_deadline(struct volume *v, uint64_t now)
{
	const struct politeness *p = politeness_of(v);
	const uint64_t at = deadline_of(v);
	struct deadline_look l;
	uint64_t inside;

	if (at != v->clock.deadline_usec) {
		v->clock.deadline_usec = at;
		mark_tell(&v->mark, VOLUME_CHANGED_DEADLINE);
		v->clock.watch = (struct deadline_watch){};
		v->clock.looked = 0;
	}
	if (at == 0) {
		v->clock.rate_floor = 0;
		return set_risk(v, false, NULL);
	}
	/* Its arithmetic is not for every step; a clock may also go back. */
	if (v->clock.looked > 0 && now - v->clock.looked < SECOND)
		return false;
	v->clock.looked = now;
	inside = windows_inside(p->windows, p->n_windows, now, at);
	l = (struct deadline_look){
		.needed = deadline_rate(volume_bytes_left(v), inside),
		.limit = allowed_rate(v),
		.rate = v->progress.rate,
		.now_usec = now_usec(),
	};
	v->clock.rate_floor = deadline_floor(l.needed);
	v->clock.risk = next_risk(v, now, inside, l.limit);
	deadline_update(&v->clock.watch, &l);
	return set_risk(v, v->clock.watch.at_risk, &l);
}

/* --- both --- */

bool volume_look_at_clock(struct volume *v)
{
	const uint64_t now = wall_clock_usec();

	look_at_windows(v, now);
	return look_at_deadline(v, now);
}

void volume_forget_clock(struct volume *v)
{
	v->clock.window_change = v->clock.looked = 0;
	mark_set(&v->mark, 0);
}

void volume_forget_deadline(struct volume *v)
{
	v->clock.looked = 0;
}

uint64_t volume_next_look(const struct volume *v)
{
	const bool wait = v->clock.deadline_usec > 0 && !v->clock.at_risk;

	if (!has_rotation(v))
		return CALENDAR_NEVER;
	return wait ? MIN(v->clock.window_change, v->clock.risk) : v->clock.window_change;
}

uint64_t volume_end_at_rate(const struct volume *v)
{
	const struct politeness *p = politeness_of(v);
	uint64_t end;

	if (v->progress.rate == 0)
		return 0;
	end = windows_after(
		p->windows, p->n_windows, wall_clock_usec(),
		(uint64_t)((double)volume_bytes_left(v) / (double)v->progress.rate * 1e6));
	return end == CALENDAR_NEVER ? 0 : end;
}

uint64_t volume_estimate(const struct volume *v, uint64_t bytes, uint64_t fastest_usec)
{
	const struct politeness *p = politeness_of(v);
	const uint64_t now = wall_clock_usec();
	const uint64_t usec = MAX(fastest_usec, deadline_least(bytes, allowed_rate(v)));
	uint64_t end;

	if (usec == 0)
		return 0;
	end = windows_after(p->windows, p->n_windows, now, usec);
	return end == CALENDAR_NEVER ? 0 : end - now;
}
