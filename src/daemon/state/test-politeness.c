/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <string.h>

#include "daemon/state/politeness.h"

#define SECOND UINT64_C(1000000)

static struct politeness p;

static int begin(void **state)
{
	(void)state;
	p = politeness_defaults;
	return 0;
}

static int end(void **state)
{
	(void)state;
	politeness_clear(&p);
	return 0;
}

static void where_nothing_is_said_nobody_steps_back(void **state)
{
	(void)state;
	assert_int_equal(p.governor.mode, GOVERNOR_NONE);
	assert_true(p.governor.rate_min > 0 && p.governor.latency_target > 0);
	assert_true(p.governor.rate_max == 0 && p.n_windows == 0 && !p.deadline.set && !p.set);
}

static void each_setting_is_taken(void **state)
{
	(void)state;
	assert_int_equal(politeness_set(&p, "Governor", "latency"), 0);
	assert_int_equal(p.governor.mode, GOVERNOR_LATENCY);
	assert_int_equal(politeness_set(&p, "RateMin", "4M"), 0);
	assert_int_equal(p.governor.rate_min, 4 << 20);
	assert_int_equal(politeness_set(&p, "RateMax", "1G"), 0);
	assert_int_equal(p.governor.rate_max, 1 << 30);
	assert_int_equal(politeness_set(&p, "LatencyTarget", "20ms"), 0);
	assert_int_equal(p.governor.latency_target, 20000);
	assert_int_equal(politeness_set(&p, "Window", "Sat 01:00 for 2h"), 0);
	assert_int_equal(p.n_windows, 1);
	assert_int_equal(p.windows[0].span_usec, 7200 * SECOND);
	assert_int_equal(politeness_set(&p, "Deadline", "3d"), 0);
	assert_true(p.deadline.set && p.deadline.span_usec == 3 * 86400 * SECOND);
}

static void what_is_wrong_changes_nothing(void **state)
{
	static const struct {
		const char *key, *value;
		int error;
	} wrong[] = {
		{"Governor", "polite", -EINVAL},
		{"Governor", "", -EINVAL},
		{"RateMin", "fast", -EINVAL},
		{"RateMin", "-1", -EINVAL},
		{"RateMax", "99999999999999999999", -ERANGE},
		{"LatencyTarget", "0", -EDOM}, /* it would always be missed */
		{"LatencyTarget", "soon", -EINVAL},
		{"Window", "Sat 01:00", -EINVAL},
		{"Deadline", "yesterday", -EINVAL},
		{"governor", "idle", -ENOENT}, /* names have one way of writing */
		{"Window ", "Sat 01:00 for 2h", -ENOENT},
		{"", "1", -ENOENT},
		{"RateLimit", "1M", -ENOENT}, /* of config.h */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(politeness_set(&p, wrong[i].key, wrong[i].value), wrong[i].error);
	assert_memory_equal(&p, &politeness_defaults, sizeof(p));
}

static void windows_add_up_and_an_empty_one_takes_them_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WINDOWS_MAX; i++)
		assert_int_equal(politeness_set(&p, "Window", "Mon 02:00 for 1h"), 0);
	assert_int_equal(politeness_set(&p, "Window", "Mon 02:00 for 1h"), -E2BIG);
	assert_int_equal(p.n_windows, WINDOWS_MAX);
	assert_int_equal(politeness_set(&p, "Window", ""), 0);
	assert_int_equal(p.n_windows, 0);
	assert_int_equal(politeness_set(&p, "Window", "Tue 03:00 for 1h"), 0);
	assert_int_equal(p.n_windows, 1);
	assert_string_equal(p.windows[0].text, "Tue 03:00 for 1h");
}

/* [Volume] has a value for all, and [Volume UUID] one of its own for some. */
static void what_a_section_leaves_out_is_as_in_the_defaults(void **state)
{
	struct politeness all = politeness_defaults;

	(void)state;
	assert_int_equal(politeness_set(&all, "Governor", "idle"), 0);
	assert_int_equal(politeness_set(&all, "RateMin", "2M"), 0);
	assert_int_equal(politeness_set(&all, "RateMax", "9M"), 0);
	assert_int_equal(politeness_set(&all, "LatencyTarget", "5ms"), 0);
	assert_int_equal(politeness_set(&all, "Deadline", "1d"), 0);
	assert_int_equal(politeness_set(&all, "Window", "Mon 02:00 for 1h"), 0);
	assert_int_equal(politeness_set(&p, "RateMax", "3M"), 0);
	assert_int_equal(politeness_inherit(&p, &all), 0);
	politeness_clear(&all); /* what is inherited is a copy */
	assert_int_equal(p.governor.mode, GOVERNOR_IDLE);
	assert_int_equal(p.governor.rate_min, 2 << 20);
	assert_int_equal(p.governor.rate_max, 3 << 20);
	assert_int_equal(p.governor.latency_target, 5000);
	assert_true(p.deadline.set);
	assert_int_equal(p.n_windows, 1);
	assert_string_equal(p.windows[0].text, "Mon 02:00 for 1h");
}

/* Also one that says the same as where nothing is said, or takes all windows back. */
static void what_a_section_says_holds_against_the_defaults(void **state)
{
	struct politeness all = politeness_defaults;

	(void)state;
	assert_int_equal(politeness_set(&all, "Governor", "idle"), 0);
	assert_int_equal(politeness_set(&all, "RateMin", "2M"), 0);
	assert_int_equal(politeness_set(&all, "LatencyTarget", "5ms"), 0);
	assert_int_equal(politeness_set(&all, "Deadline", "1d"), 0);
	assert_int_equal(politeness_set(&all, "Window", "Mon 02:00 for 1h"), 0);
	assert_int_equal(politeness_set(&p, "Governor", "none"), 0);
	assert_int_equal(politeness_set(&p, "RateMin", "1M"), 0);
	assert_int_equal(politeness_set(&p, "LatencyTarget", "10ms"), 0);
	assert_int_equal(politeness_set(&p, "Deadline", ""), 0);
	assert_int_equal(politeness_set(&p, "Window", ""), 0);
	assert_int_equal(politeness_inherit(&p, &all), 0);
	politeness_clear(&all);
	assert_int_equal(p.governor.mode, GOVERNOR_NONE);
	assert_int_equal(p.governor.rate_min, 1 << 20);
	assert_int_equal(p.governor.latency_target, 10000);
	assert_false(p.deadline.set);
	assert_int_equal(p.n_windows, 0);
}

static void defaults_without_windows_take_none_away_and_give_none(void **state)
{
	(void)state;
	assert_int_equal(politeness_inherit(&p, &politeness_defaults), 0);
	assert_int_equal(p.n_windows, 0);
	assert_int_equal(politeness_set(&p, "Window", "Mon 02:00 for 1h"), 0);
	assert_int_equal(politeness_inherit(&p, &politeness_defaults), 0);
	assert_int_equal(p.n_windows, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nothing_is_said_nobody_steps_back),
		TEST(each_setting_is_taken),
		TEST(what_is_wrong_changes_nothing),
		TEST(windows_add_up_and_an_empty_one_takes_them_back),
		TEST(what_a_section_leaves_out_is_as_in_the_defaults),
		TEST(what_a_section_says_holds_against_the_defaults),
		TEST(defaults_without_windows_take_none_away_and_give_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
