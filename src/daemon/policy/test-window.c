/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calendar expressions and windows: beside systemd-analyze where that is installed, and where
 * clocks are changed. Times are given as the wall clock shows them, with "date" in UTC behind the
 * scenes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <errno.h>
#include <cmocka.h>

#include "daemon/policy/window.h"
#include "util/checked.h"

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

/* As POSIX has them: a machine may be without the names of zones. */
#define ROME    "CET-1CEST,M3.5.0,M10.5.0/3"
#define KOLKATA "IST-5:30"

static void zone(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

/* "2026-03-29 01:30:00", in UTC. */
static uint64_t at(const char *utc)
{
	struct tm tm = {};

	assert_non_null(strptime(utc, "%Y-%m-%d %H:%M:%S", &tm));
	return (uint64_t)timegm(&tm) * SECOND;
}

static const char *shown(uint64_t usec)
{
	static char text[4][32];
	static unsigned next;
	const time_t t = (time_t)(usec / SECOND);
	struct tm tm;
	char *p = text[next++ % 4];

	if (usec == CALENDAR_NEVER)
		return "never";
	(void)strftime(p, sizeof(text[0]), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	return p;
}

#define assert_time(usec, utc) assert_string_equal(shown(usec), utc)

static struct calendar calendar(const char *text)
{
	struct calendar c;

	if (calendar_parse(text, &c) < 0)
		fail_msg("\"%s\" is not understood", text);
	return c;
}

static struct window window(const char *text)
{
	struct window w;

	if (window_parse(text, &w) < 0)
		fail_msg("\"%s\" is not understood", text);
	return w;
}

static void what_is_no_calendar_expression_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"for",
		"Mo 10:00",
		"Mon..",
		"10",
		"24:00",
		"10:60",
		"10:00:60",
		"*-13-01",
		"*-00-01",
		"*-02-30",
		"*-*-32",
		"2026-1..13-1",
		"10:00 Mon",
		"10:00 11:00",
		"Mon Tue",
		"*-*-* *-*-*",
		"5..3:00",
		"1/0:00",
		"10:00 Europe/Rome",
		"10:00 UTC x",
		"-01-01",
		"*:*:*:*",
		"Mon,,Tue",
		"1960-01-01",
		"99999999999999999999:00",
		"*-*~1",
		"10:00:00.5",
	};
	struct calendar c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (calendar_parse(wrong[i], &c) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i]);
}

static const char *const expressions[] = {
	"Mon..Fri 22:00",
	"Sat,Sun 10:30:15",
	"daily",
	"weekly",
	"monthly",
	"hourly",
	"quarterly",
	"semiannually",
	"yearly",
	"minutely",
	"*-*-1,15 02:00",
	"*-02-29 12:00",
	"Fri *-*-13 00:00",
	"2027-01-01",
	"12-24 18:00",
	"*:0/20",
	"8..17/3:30",
	"*-*-28..31 23:59:59",
	"Mon *-*-1..7 04:05:06",
	"Wed 2026..2028-1..3-5,6,7 6,18:30",
	"03:15 UTC",
	"Monday,WED..friday 5:00",
};

/* The times that systemd-analyze gives, in UTC, by --iterations. */
static int compare_with_systemd(const char *expression, const char *base, unsigned n)
{
	struct calendar c = calendar(expression);
	uint64_t t = at(base);
	unsigned seen = 0;
	char command[512], line[256];
	FILE *p;

	(void)snprintf(command, sizeof(command),
		       "systemd-analyze calendar --base-time='%s UTC' --iterations=%u '%s' 2>&1",
		       base, n, expression);
	p = popen(command, "re");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		/* "Next elapse: Mon 2026-11-23 22:00:00 UTC"; elsewhere a line "(in UTC): ..." too
		 */
		char *text = strstr(line, " UTC\n"), *date;

		if (!text || strstr(line, "riginal form") || strstr(line, "ormalized form"))
			continue;
		*text = '\0';
		date = text - strlen("2026-11-23 22:00:00");
		t = calendar_next(&c, t);
		if (strcmp(date, shown(t)) != 0)
			fail_msg("\"%s\" from %s: %s, systemd says %s", expression, base, shown(t),
				 date);
		seen++;
	}
	return pclose(p) == 0 ? (int)seen : -1;
}

static void the_times_are_those_of_systemd(void **state)
{
	static const char *const named[] = {"UTC", "Asia/Kolkata", "America/New_York"};

	(void)state;
	if (system("systemd-analyze calendar --base-time=2026-01-01 daily >/dev/null 2>&1") != 0)
		skip();
	for (size_t z = 0; z < ARRAY_SIZE(named); z++) {
		zone(named[z]);
		for (size_t i = 0; i < ARRAY_SIZE(expressions); i++)
			assert_true(compare_with_systemd(expressions[i], "2026-11-22 13:30:00",
							 4) >= 1);
	}
	zone("UTC");
}

/* Those of systemd, without it: a machine that lacks systemd-analyze has this. */
static void the_next_time_is_found(void **state)
{
	struct calendar c = calendar("Mon..Fri 22:00");

	(void)state;
	zone("UTC");
	assert_time(calendar_next(&c, at("2026-11-22 13:30:00")), "2026-11-23 22:00:00");
	assert_time(calendar_next(&c, at("2026-11-23 21:59:59")), "2026-11-23 22:00:00");
	assert_time(calendar_next(&c, at("2026-11-23 22:00:00")), "2026-11-24 22:00:00");
	assert_time(calendar_next(&c, at("2026-11-27 22:00:00")), "2026-11-30 22:00:00");
	c = calendar("*-02-29");
	assert_time(calendar_next(&c, at("2026-11-22 13:30:00")), "2028-02-29 00:00:00");
	c = calendar("2026-11-22 13:30");
	assert_time(calendar_next(&c, at("2026-11-22 13:30:00")), "never");
}

/* Rome, 2026-03-29: 02:00 becomes 03:00; 2026-10-25: 03:00 becomes 02:00 again. */
static void a_skipped_time_is_when_it_is_skipped(void **state)
{
	struct calendar c = calendar("02:30");

	(void)state;
	zone(ROME);
	assert_time(calendar_next(&c, at("2026-03-28 12:00:00")), "2026-03-29 01:00:00");
	assert_time(calendar_next(&c, at("2026-03-29 00:59:59")), "2026-03-29 01:00:00");
	assert_time(calendar_next(&c, at("2026-03-29 01:00:00")), "2026-03-30 00:30:00");
	zone("UTC");
}

static void a_time_that_comes_twice_is_the_first(void **state)
{
	struct calendar c = calendar("02:30");

	(void)state;
	zone(ROME);
	assert_time(calendar_next(&c, at("2026-10-24 12:00:00")), "2026-10-25 00:30:00");
	assert_time(calendar_next(&c, at("2026-10-25 00:30:00")), "2026-10-26 01:30:00");
	c = calendar("*:30");
	assert_time(calendar_next(&c, at("2026-10-25 00:30:00")), "2026-10-25 02:30:00");
	zone("UTC");
}

static void check_window(const struct window *w, size_t n, const char *now, bool open,
			 const char *change)
{
	uint64_t when;

	if (windows_open(w, n, at(now), &when) != open)
		fail_msg("at %s it is %s", now, open ? "closed" : "open");
	assert_time(when, change);
}

static void a_window_is_open_from_its_first_moment_to_its_last(void **state)
{
	const struct window w = window("Mon..Fri 22:00 for 8h");

	(void)state;
	zone("UTC");
	check_window(&w, 1, "2026-11-23 21:59:59", false, "2026-11-23 22:00:00");
	check_window(&w, 1, "2026-11-23 22:00:00", true, "2026-11-24 06:00:00");
	check_window(&w, 1, "2026-11-24 05:59:59", true, "2026-11-24 06:00:00");
	check_window(&w, 1, "2026-11-24 06:00:00", false, "2026-11-24 22:00:00");
	/* That of Friday is still open on Saturday. */
	check_window(&w, 1, "2026-11-28 03:00:00", true, "2026-11-28 06:00:00");
	check_window(&w, 1, "2026-11-28 06:00:00", false, "2026-11-30 22:00:00");
}

/* 22:00 to 06:00 is 7 hours in one night and 9 in another. */
static void a_window_ends_by_the_clock_on_the_wall(void **state)
{
	const struct window w = window("22:00 for 8h");

	(void)state;
	zone(ROME);
	check_window(&w, 1, "2026-03-28 22:00:00", true, "2026-03-29 04:00:00");
	check_window(&w, 1, "2026-10-24 21:00:00", true, "2026-10-25 05:00:00");
	assert_int_equal(
		windows_inside(&w, 1, at("2026-03-28 12:00:00"), at("2026-03-29 12:00:00")),
		7 * HOUR);
	assert_int_equal(
		windows_inside(&w, 1, at("2026-10-24 12:00:00"), at("2026-10-25 12:00:00")),
		9 * HOUR);
	zone("UTC");
}

static void a_window_whose_start_is_skipped_begins_with_the_jump(void **state)
{
	const struct window w = window("02:10 for 10min");

	(void)state;
	zone(ROME);
	check_window(&w, 1, "2026-03-28 12:00:00", false, "2026-03-29 01:00:00");
	check_window(&w, 1, "2026-03-29 01:00:00", true, "2026-03-29 01:10:00");
	check_window(&w, 1, "2026-03-29 01:10:00", false, "2026-03-30 00:10:00");
	zone("UTC");
}

/* The zone is asked for anew each time: a machine may travel. */
static void another_zone_is_another_window(void **state)
{
	const struct window w = window("22:00 for 1h");

	(void)state;
	zone("UTC");
	check_window(&w, 1, "2026-11-23 22:30:00", true, "2026-11-23 23:00:00");
	zone(KOLKATA);
	check_window(&w, 1, "2026-11-23 22:30:00", false, "2026-11-24 16:30:00");
	zone("UTC");
}

static void windows_that_overlap_or_touch_are_one(void **state)
{
	const struct window w[] = {window("22:00 for 4h"), window("Tue 01:00 for 3h"),
				   window("Tue 04:00 for 30min")};

	(void)state;
	zone("UTC");
	check_window(w, 3, "2026-11-23 23:00:00", true, "2026-11-24 04:30:00");
	check_window(w, 3, "2026-11-24 23:00:00", true, "2026-11-25 02:00:00");
}

static void without_windows_it_is_always_open(void **state)
{
	uint64_t when;

	(void)state;
	assert_true(windows_open(NULL, 0, at("2026-11-23 22:30:00"), &when));
	assert_int_equal(when, CALENDAR_NEVER);
	assert_int_equal(windows_inside(NULL, 0, 5 * HOUR, 8 * HOUR), 3 * HOUR);
	assert_int_equal(windows_after(NULL, 0, 5 * HOUR, 3 * HOUR), 8 * HOUR);
}

static void windows_of_the_past_stay_closed(void **state)
{
	const struct window w = window("2020-01-01 22:00 for 1h");

	(void)state;
	check_window(&w, 1, "2026-11-23 22:30:00", false, "never");
	assert_int_equal(
		windows_inside(&w, 1, at("2026-11-23 22:30:00"), at("2027-11-23 22:30:00")), 0);
	assert_int_equal(windows_after(&w, 1, at("2026-11-23 22:30:00"), HOUR), CALENDAR_NEVER);
}

/* One that is always open asks again some time; one of many short ones is not slow. */
static void extremes_are_bounded(void **state)
{
	const struct window always = window("daily for 24h"), often = window("*:*:* for 31d"),
			    short_ones = window("*:* for 1s");
	uint64_t when;

	(void)state;
	zone("UTC");
	assert_true(windows_open(&always, 1, at("2026-11-23 22:30:00"), &when));
	assert_true(when > at("2026-12-01 00:00:00"));
	assert_true(windows_open(&often, 1, at("2026-11-23 22:30:00"), &when));
	check_window(&short_ones, 1, "2026-11-23 22:30:00", true, "2026-11-23 22:30:01");
	check_window(&short_ones, 1, "2026-11-23 22:30:01", false, "2026-11-23 22:31:00");
	/* A year of them: a sixtieth. */
	assert_in_range(windows_inside(&short_ones, 1, at("2026-01-01 00:00:00"),
				       at("2027-01-01 00:00:00")),
			145 * HOUR, 147 * HOUR);
}

static const char *const zones[] = {"UTC", ROME, KOLKATA, "LHST-10:30LHDT-11,M10.1.0,M4.1.0"};

/* From all over two years, more often near where Rome and Lord Howe change their clocks. */
static uint64_t random_time(void)
{
	static const char *const changes[] = {"2026-03-29 01:00:00", "2026-10-25 01:00:00",
					      "2026-04-04 15:00:00", "2026-10-03 15:30:00"};
	const uint64_t second = (uint64_t)rand();

	if (rand() % 2)
		return at("2026-01-01 00:00:00") + second % (2 * 365 * 86400) * SECOND;
	return at(changes[rand() % 4]) - 8 * HOUR + second % (16 * 3600) * SECOND;
}

/* The last start is that from which the next one is later; seen by going forward from start to
 * start. */
static void the_last_start_is_the_one_before_the_next(void **state)
{
	static const char *const odd[] = {
		"*:0/7",          "02:00..59/13",     "Mon,Thu *:15,45",       "0/5:30:20",
		"*-*-1..7 02:30", "Sun *-*-* 2:0/30", "*-3,4,10-* 1..3:59:59", "daily",
		"*-*-29..31",
	};
	const char *given = getenv("CALENDAR_SEED");
	const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	printf("CALENDAR_SEED=%u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < 4000; i++) {
		const char *tz = zones[(unsigned)rand() % ARRAY_SIZE(zones)];
		const char *text = odd[(unsigned)rand() % ARRAY_SIZE(odd)];
		const struct calendar c = calendar(text);
		const uint64_t now = random_time(), span = 3 * 24 * HOUR;
		uint64_t last, next, start;

		zone(tz);
		last = calendar_last(&c, now, span);
		next = calendar_next(&c, now);
		start = calendar_next(&c, now - span);
		while (start <= now && calendar_next(&c, start) <= now)
			start = calendar_next(&c, start);
		if (next <= now || (last != CALENDAR_NEVER && last > now) ||
		    (start <= now && last != start))
			fail_msg("\"%s\" in %s at %s: last %s, next %s, going forward %s", text, tz,
				 shown(now), shown(last), shown(next), shown(start));
	}
	zone("UTC");
}

/*
 * What an answer costs does not grow with how often windows begin, how rarely, or how they overlap.
 * 256 questions of at most 40 moves and conversions: going from start to start took millions.
 */
static void odd_windows_cost_no_more_steps_than_others(void **state)
{
	static const char *const texts[] = {
		"*-*-* 0..5:*:* for 31d", "*:*:0/2 for 1s",
		"Mon *-02-29 for 31d",    "*-*-* 00:*:* for 2s",
		"*-1/2-* *:0/7 for 3min", "Sat,Sun 2026..2199/3-*-31 23:59:59 for 25h",
		"*-*-* *:*:0/3 for 1s",
	};
	struct window w[ARRAY_SIZE(texts)];
	uint64_t most = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		w[i] = window(texts[i]);
	for (unsigned i = 0; i < 64 * ARRAY_SIZE(zones); i++) {
		const uint64_t now = at("2026-01-01 00:00:00") + i / ARRAY_SIZE(zones) * 171 * HOUR;
		/* All, and each set of those that come later. */
		const size_t from = i % ARRAY_SIZE(texts), n = ARRAY_SIZE(texts) - from;
		uint64_t change, steps = calendar_steps();

		zone(zones[i % ARRAY_SIZE(zones)]);
		(void)windows_open(w + from, n, now, &change);
		most = MAX(most, calendar_steps() - steps);
		steps = calendar_steps();
		(void)windows_inside(w + from, n, now, now + 200 * 24 * HOUR);
		most = MAX(most, calendar_steps() - steps);
		steps = calendar_steps();
		(void)windows_after(w + from, n, now, 100 * 24 * HOUR);
		most = MAX(most, calendar_steps() - steps);
	}
	printf("at most %llu steps\n", (unsigned long long)most);
	assert_true(most <= UINT64_C(256) * 40);
	zone("UTC");
}

static void time_inside_is_counted(void **state)
{
	const struct window w = window("Mon..Fri 22:00 for 8h");

	(void)state;
	zone("UTC");
	/* From Monday noon to Tuesday 23:00: one whole, and an hour. */
	assert_int_equal(
		windows_inside(&w, 1, at("2026-11-23 12:00:00"), at("2026-11-24 23:00:00")),
		9 * HOUR);
	/* A week has five of them. */
	assert_int_equal(
		windows_inside(&w, 1, at("2026-11-23 12:00:00"), at("2026-11-30 12:00:00")),
		40 * HOUR);
	assert_int_equal(
		windows_inside(&w, 1, at("2026-11-24 23:00:00"), at("2026-11-24 22:00:00")), 0);
	/* Nine hours from Monday noon end an hour into the second. */
	assert_time(windows_after(&w, 1, at("2026-11-23 12:00:00"), 9 * HOUR),
		    "2026-11-24 23:00:00");
}

static void what_is_no_window_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"22:00",
		"22:00 8h",
		"22:00 for",
		"22:00 for ",
		"22:00 for x",
		"for 8h",
		"22:00 for 0",
		"22:00 for 10ms",
		"22:00 for 32d",
		"25:00 for 1h",
		"22:00-06:00",
	};
	struct window w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (window_parse(wrong[i], &w) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_calendar_expression_is_refused),
		cmocka_unit_test(the_times_are_those_of_systemd),
		cmocka_unit_test(the_next_time_is_found),
		cmocka_unit_test(a_skipped_time_is_when_it_is_skipped),
		cmocka_unit_test(a_time_that_comes_twice_is_the_first),
		cmocka_unit_test(a_window_is_open_from_its_first_moment_to_its_last),
		cmocka_unit_test(a_window_ends_by_the_clock_on_the_wall),
		cmocka_unit_test(a_window_whose_start_is_skipped_begins_with_the_jump),
		cmocka_unit_test(another_zone_is_another_window),
		cmocka_unit_test(windows_that_overlap_or_touch_are_one),
		cmocka_unit_test(without_windows_it_is_always_open),
		cmocka_unit_test(windows_of_the_past_stay_closed),
		cmocka_unit_test(extremes_are_bounded),
		cmocka_unit_test(the_last_start_is_the_one_before_the_next),
		cmocka_unit_test(odd_windows_cost_no_more_steps_than_others),
		cmocka_unit_test(time_inside_is_counted),
		cmocka_unit_test(what_is_no_window_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
