/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <errno.h>
#include <cmocka.h>

#include "daemon/policy/deadline.h"
#include "util/checked.h"

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define MB     UINT64_C(1000000)
/* 2026-11-22 13:30:00 UTC, a Sunday */
#define NOW (UINT64_C(1795354200) * SECOND)

static uint64_t at(const char *text)
{
	struct deadline d;

	if (deadline_parse(text, &d) < 0)
		fail_msg("\"%s\" is not understood", text);
	return deadline_at(&d, NOW);
}

static void it_is_a_span_or_a_time(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	assert_int_equal(at(""), 0);
	assert_int_equal(at("12h"), NOW + 12 * HOUR);
	assert_int_equal(at("3d"), NOW + 72 * HOUR);
	assert_int_equal(at("2026-11-22 14:30"), NOW + HOUR);
	assert_int_equal(at("Mon 06:00"), NOW + 16 * HOUR + HOUR / 2);
	/* Behind us, and not for ever ahead. */
	assert_int_equal(at("2026-11-22 12:30"), NOW - HOUR);
}

static void what_is_neither_is_refused(void **state)
{
	static const char *const wrong[] = {"soon", "0",          "-1h",
					    "12x",  "2026-13-01", "99999999999d"};
	struct deadline d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(deadline_parse(wrong[i], &d) < 0);
}

static void the_least_rate_is_in_time_to_the_byte(void **state)
{
	const uint64_t bytes = UINT64_C(1) << 50;

	(void)state;
	assert_int_equal(deadline_rate(1000, SECOND), 1000);
	assert_int_equal(deadline_rate(1001, 2 * SECOND), 501);
	assert_int_equal(deadline_rate(0, 0), 0);
	assert_true(deadline_rate(1, 0) == UINT64_MAX);
	assert_true(deadline_rate(UINT64_MAX, 1) == UINT64_MAX);
	assert_true(deadline_rate(bytes, 1000 * HOUR) * 3600 * 1000 >= bytes);
	assert_int_equal(deadline_least(1001, 1000), 1001000);
	assert_int_equal(deadline_least(1, 3), 333334);
	assert_int_equal(deadline_least(bytes, 0), 0);
	assert_true(deadline_least(UINT64_MAX, 1) == UINT64_MAX);
	assert_int_equal(deadline_floor(100 * MB), 105 * MB);
	assert_true(deadline_floor(UINT64_MAX) == UINT64_MAX);
}

static struct deadline_watch watch;

static bool risk(uint64_t needed, uint64_t limit, uint64_t rate, uint64_t seconds)
{
	const struct deadline_look l = {needed, limit, rate, NOW + seconds * SECOND};

	deadline_update(&watch, &l);
	return watch.at_risk;
}

static void more_than_is_allowed_is_a_risk_at_once(void **state)
{
	(void)state;
	watch = (struct deadline_watch){};
	assert_false(risk(10 * MB, 0, 0, 0));
	assert_false(risk(10 * MB, 10 * MB, 0, 1));
	assert_true(risk(11 * MB, 10 * MB, 0, 2));
	/* A little below the limit it does not go to and fro. */
	assert_true(risk(10 * MB, 10 * MB, 0, 3));
	assert_false(risk(9 * MB, 10 * MB, 0, 4));
	/* No time is left: whatever is allowed. */
	assert_true(risk(UINT64_MAX, 0, 0, 5));
}

static void slowness_counts_when_it_lasts(void **state)
{
	(void)state;
	watch = (struct deadline_watch){};
	assert_false(risk(10 * MB, 0, 9 * MB, 0));
	assert_false(risk(10 * MB, 0, 9 * MB, 14));
	assert_false(risk(10 * MB, 0, 10 * MB, 15)); /* it was a low moment */
	assert_false(risk(10 * MB, 0, 9 * MB, 16));
	assert_false(risk(10 * MB, 0, 9 * MB, 30));
	assert_true(risk(10 * MB, 0, 9 * MB, 31));
	assert_false(risk(10 * MB, 0, 11 * MB, 32));
	/* Suspended it has no rate, and that alone is none of its faults. */
	assert_false(risk(10 * MB, 0, 0, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_span_or_a_time),
		cmocka_unit_test(what_is_neither_is_refused),
		cmocka_unit_test(the_least_rate_is_in_time_to_the_byte),
		cmocka_unit_test(more_than_is_allowed_is_a_risk_at_once),
		cmocka_unit_test(slowness_counts_when_it_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
