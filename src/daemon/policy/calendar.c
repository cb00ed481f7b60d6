/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a calendar expression holds; calendar-parse.c reads it. */
#include "daemon/policy/calendar.h"

#include <assert.h>
#include <time.h>

#include "util/checked.h"

#define SECOND UINT64_C(1000000)

/* --- the clock on the wall --- */

/* A clock is put forward or back by less than this at once. */
#define CHANGE_MAX (INT64_C(26) * 3600)

static uint64_t steps;

uint64_t calendar_steps(void)
{
	return steps;
}

/* As struct tm, but month from 1 and the year as people write it. */
struct wall {
	int year, month, day, hour, minute, second;
};

static struct tm local_at(const struct calendar *c, int64_t seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm = {};

	steps++;
	if (c->utc)
		(void)gmtime_r(&t, &tm);
	else
		(void)localtime_r(&t, &tm);
	return tm;
}

static struct wall wall_of(const struct tm *tm)
{
	return (struct wall){tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday,
			     tm->tm_hour,        tm->tm_min,     tm->tm_sec};
}

static struct wall wall_at(const struct calendar *c, int64_t seconds)
{
	const struct tm tm = local_at(c, seconds);

	return wall_of(&tm);
}

static int compare_wall(const struct wall *a, const struct wall *b)
{
	const int pairs[][2] = {{a->year, b->year}, {a->month, b->month},   {a->day, b->day},
				{a->hour, b->hour}, {a->minute, b->minute}, {a->second, b->second}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i][0] != pairs[i][1])
			return pairs[i][0] < pairs[i][1] ? -1 : 1;
	return 0;
}

/* As if the clock showed UTC. Fields may be out of range, as of timegm(3). */
static int64_t as_utc(const struct wall *w)
{
	struct tm tm = {.tm_year = w->year - 1900,
			.tm_mon = w->month - 1,
			.tm_mday = w->day,
			.tm_hour = w->hour,
			.tm_min = w->minute,
			.tm_sec = w->second};

	return timegm(&tm);
}

static struct wall from_utc(int64_t seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm = {};

	(void)gmtime_r(&t, &tm);
	return wall_of(&tm);
}

/* The clock never shows @w: when it jumps over it, which is near @about. */
static int64_t jump_over(const struct calendar *c, const struct wall *w, int64_t about)
{
	int64_t before = about - CHANGE_MAX, after = about + CHANGE_MAX;

	while (after - before > 1) {
		const int64_t middle = before + (after - before) / 2;
		const struct wall shown = wall_at(c, middle);

		if (compare_wall(&shown, w) < 0)
			before = middle;
		else
			after = middle;
	}
	return after;
}

/*
 * When the clock shows @w for the first time, in seconds since the epoch. It grows with @w. The
 * distance to UTC is what it was a while before or what it will be a while after; mktime(3) would
 * search years for a summer time that a zone may not have.
 */
static int64_t instant(const struct calendar *c, const struct wall *w)
{
	const int64_t utc = as_utc(w);
	int64_t first = INT64_MAX, any = utc;

	if (c->utc)
		return utc;
	for (int side = -1; side <= 1; side++) {
		const struct tm near = local_at(c, utc + (int64_t)side * CHANGE_MAX);
		struct wall shown;

		any = utc - near.tm_gmtoff;
		shown = wall_at(c, any);
		if (compare_wall(&shown, w) == 0)
			first = MIN(first, any);
	}
	return first != INT64_MAX ? first : jump_over(c, w, any);
}

/*
 * The latest that the clock has shown by @seconds: what it shows, but for the time after it was put
 * back, in which it shows again what it has shown. Whatever is not later has begun, and nothing
 * else.
 */
static struct wall latest_shown(const struct calendar *c, int64_t seconds)
{
	const struct tm now = local_at(c, seconds), before = local_at(c, seconds - CHANGE_MAX);
	int64_t begun, later;

	if (now.tm_gmtoff >= before.tm_gmtoff)
		return wall_of(&now);
	begun = seconds + now.tm_gmtoff;
	later = seconds + before.tm_gmtoff + 1;
	while (later - begun > 1) {
		const int64_t middle = begun + (later - begun) / 2;
		const struct wall w = from_utc(middle);

		if (instant(c, &w) <= seconds)
			begun = middle;
		else
			later = middle;
	}
	return from_utc(begun);
}

/* --- the next one, and the last --- */

/* The least value of @f that is at least @from; more than @max: none. */
static int field_next(const struct calendar_field *f, int from, int max)
{
	int best = max + 1;

	if (f->n == 0)
		return from;
	for (unsigned i = 0; i < f->n; i++) {
		const struct calendar_range *r = &f->range[i];
		int value = r->first;

		assert(r->step > 0);
		if (from > value)
			value += (from - value + r->step - 1) / r->step * r->step;
		if (value <= MIN(r->last, max))
			best = MIN(best, value);
	}
	return best;
}

/* The largest value of @f that is at most @from; less than 0: none. */
static int field_last(const struct calendar_field *f, int from)
{
	int best = -1;

	if (f->n == 0)
		return from;
	for (unsigned i = 0; i < f->n; i++) {
		const struct calendar_range *r = &f->range[i];
		const int last = MIN(r->last, from);

		assert(r->step > 0);
		if (last >= r->first)
			best = MAX(best, last - (last - r->first) % r->step);
	}
	return best;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	assert(month >= 1 && month <= 12);
	return days[month - 1] + (leap && month == 2);
}

/* Sakamoto's rule. */
static unsigned weekday_of(int year, int month, int day)
{
	static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
	const int y = month < 3 ? year - 1 : year;

	assert(month >= 1 && month <= 12);
	return (unsigned)((y + y / 4 - y / 100 + y / 400 + shift[month - 1] + day) % 7);
}

static bool is_on(const struct calendar *c, const struct wall *w)
{
	return c->weekdays == 0 || c->weekdays & 1U << weekday_of(w->year, w->month, w->day);
}

/* Each returns whether *@w, moved on, is in range; what is below it starts anew. */

static bool next_date(const struct calendar *c, struct wall *w)
{
	const struct wall was = *w;

	w->year = field_next(&c->year, w->year, CALENDAR_YEAR_MAX);
	if (w->year > CALENDAR_YEAR_MAX)
		return true; /* the caller looks */
	if (w->year > was.year)
		*w = (struct wall){w->year, 1, 1, 0, 0, 0};
	w->month = field_next(&c->month, w->month, 12);
	if (w->month > 12) {
		*w = (struct wall){w->year + 1, 1, 1, 0, 0, 0};
		return false;
	}
	if (w->month > was.month && w->year == was.year)
		*w = (struct wall){w->year, w->month, 1, 0, 0, 0};
	for (;;) {
		const int day = field_next(&c->day, w->day, 31);

		steps++;
		if (day > days_of(w->year, w->month)) {
			*w = (struct wall){w->year, w->month + 1, 1, 0, 0, 0};
			return false;
		}
		if (day > w->day)
			*w = (struct wall){w->year, w->month, day, 0, 0, 0};
		if (is_on(c, w))
			return true;
		*w = (struct wall){w->year, w->month, w->day + 1, 0, 0, 0};
	}
}

static bool next_time(const struct calendar *c, struct wall *w)
{
	const int hour = field_next(&c->hour, w->hour, 23);
	int minute, second;

	steps++;
	if (hour > 23) {
		*w = (struct wall){w->year, w->month, w->day + 1, 0, 0, 0};
		return false;
	}
	minute = field_next(&c->minute, hour > w->hour ? 0 : w->minute, 59);
	if (minute > 59) {
		*w = (struct wall){w->year, w->month, w->day, hour + 1, 0, 0};
		return false;
	}
	second = field_next(&c->second, hour > w->hour || minute > w->minute ? 0 : w->second, 59);
	if (second > 59) {
		*w = (struct wall){w->year, w->month, w->day, hour, minute + 1, 0};
		return false;
	}
	*w = (struct wall){w->year, w->month, w->day, hour, minute, second};
	return true;
}

static bool next_wall(const struct calendar *c, struct wall *w)
{
	while (!next_date(c, w) || (w->year <= CALENDAR_YEAR_MAX && !next_time(c, w)))
		;
	return w->year <= CALENDAR_YEAR_MAX;
}

uint64_t calendar_next(const struct calendar *c, uint64_t usec)
{
	struct wall w = latest_shown(c, (int64_t)(usec / SECOND));

	w.second++;
	return next_wall(c, &w) ? (uint64_t)instant(c, &w) * SECOND : CALENDAR_NEVER;
}

/* The last time of the day of *@w, not after it: false: there is none. */
static bool last_time(const struct calendar *c, struct wall *w)
{
	int minute = w->minute, second = w->second;

	for (int hour = field_last(&c->hour, w->hour); hour >= 0;
	     hour = field_last(&c->hour, hour - 1)) {
		if (hour < w->hour)
			minute = second = 59;
		for (int m = field_last(&c->minute, minute); m >= 0;
		     m = field_last(&c->minute, m - 1)) {
			const int s = field_last(&c->second, m < minute ? 59 : second);

			steps++;
			if (s < 0)
				continue;
			*w = (struct wall){w->year, w->month, w->day, hour, m, s};
			return true;
		}
	}
	return false;
}

static bool is_date(const struct calendar *c, const struct wall *w)
{
	return field_last(&c->year, w->year) == w->year &&
	       field_last(&c->month, w->month) == w->month &&
	       field_last(&c->day, w->day) == w->day && is_on(c, w);
}

uint64_t calendar_last(const struct calendar *c, uint64_t usec, uint64_t span)
{
	struct wall w = latest_shown(c, (int64_t)(usec / SECOND));
	const int64_t first = as_utc(&w) - (int64_t)(span / SECOND) - CHANGE_MAX;

	/* Day by day: a span has few of them. */
	for (int64_t day = as_utc(&w); day >= first; day = as_utc(&w)) {
		steps++;
		if (is_date(c, &w) && last_time(c, &w))
			return (uint64_t)MAX(instant(c, &w), INT64_C(0)) * SECOND;
		w = (struct wall){w.year, w.month, w.day, 0, 0, -1};
		w = from_utc(as_utc(&w));
	}
	return CALENDAR_NEVER;
}

uint64_t calendar_add(const struct calendar *c, uint64_t usec, uint64_t span)
{
	/* As if the wall clock were one that is never changed. */
	const struct wall from = wall_at(c, (int64_t)(usec / SECOND));
	const uint64_t to = (uint64_t)as_utc(&from) * SECOND + usec % SECOND + span;
	const struct wall w = from_utc((int64_t)(to / SECOND));

	return (uint64_t)instant(c, &w) * SECOND + to % SECOND;
}
