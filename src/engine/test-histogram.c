/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/histogram.h"
#include "util/checked.h"

static void nothing_counted_is_zero(void **state)
{
	const struct histogram h = {};

	(void)state;
	assert_int_equal(histogram_percentile(&h, 0), 0);
	assert_int_equal(histogram_percentile(&h, 999), 0);
	assert_int_equal(histogram_percentile(&h, 1000), 0);
}

/* Alone, and below a longer one, so that the longest does not hide an end that is too high. */
static void each_duration_is_found_within_an_eighth(void **state)
{
	uint64_t usec = 0;

	(void)state;
	while (usec <= UINT32_MAX) {
		struct histogram h = {};
		uint64_t found;

		histogram_add(&h, usec);
		assert_int_equal(histogram_percentile(&h, 500), usec);
		histogram_add(&h, UINT64_MAX);
		found = histogram_percentile(&h, 500);
		if (usec >= UINT32_MAX / 16 * 15)
			assert_int_equal(found, UINT64_MAX); /* the last bucket has no end */
		else
			assert_in_range(found, usec, usec < 16 ? usec : usec + usec / 8);
		usec = usec < 70 ? usec + 1 : usec + usec / 61;
	}
}

/* 999 of the first and one of the second: the 99.9th percentile is the first, and one more of the
 * second in as many is not. */
static void percentiles_count_from_below(void **state)
{
	struct histogram h = {};

	(void)state;
	for (unsigned i = 0; i < 999; i++)
		histogram_add(&h, 10);
	histogram_add(&h, 1000000);
	assert_int_equal(histogram_percentile(&h, 0), 0);
	assert_int_equal(histogram_percentile(&h, 1), 10);
	assert_int_equal(histogram_percentile(&h, 999), 10);
	assert_int_equal(histogram_percentile(&h, 1000), 1000000);
	histogram_add(&h, 1000000);
	assert_int_equal(histogram_percentile(&h, 998), 10);
	assert_int_equal(histogram_percentile(&h, 999), 1000000);
	assert_int_equal(h.n, 1001);
	assert_int_equal(h.max, 1000000);
}

static void what_is_longer_than_an_hour_is_the_longest(void **state)
{
	struct histogram h = {};

	(void)state;
	histogram_add(&h, 1);
	histogram_add(&h, UINT64_C(1) << 40);
	assert_int_equal(histogram_percentile(&h, 999), UINT64_C(1) << 40);
	assert_int_equal(histogram_percentile(&h, 500), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_counted_is_zero),
		cmocka_unit_test(each_duration_is_found_within_an_eighth),
		cmocka_unit_test(percentiles_count_from_below),
		cmocka_unit_test(what_is_longer_than_an_hour_is_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
