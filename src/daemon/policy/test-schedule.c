/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/policy/schedule.h"
#include "util/checked.h"

static const char *const sda[] = {"sda"}, *const sdb[] = {"sdb"}, *const both[] = {"sda", "sdb"};

static void those_who_came_first_go_first(void **state)
{
	struct schedule s = {.max_concurrent = 2};
	struct schedule_entry a = {}, b = {}, c = {};

	(void)state;
	schedule_add(&s, &a);
	schedule_add(&s, &b);
	schedule_add(&s, &c);
	schedule_add(&s, &a); /* once only */
	assert_ptr_equal(schedule_next(&s), &a);
	assert_ptr_equal(schedule_next(&s), &b);
	assert_null(schedule_next(&s));
	schedule_remove(&s, &a);
	assert_ptr_equal(schedule_next(&s), &c);
	assert_null(schedule_next(&s));
}

static void a_busy_disk_holds_up_only_its_own(void **state)
{
	struct schedule s = {.max_concurrent_per_disk = 1};
	struct schedule_entry a = {.n_disks = 1, .disks = sda}, b = {.n_disks = 1, .disks = sda},
			      striped = {.n_disks = 2, .disks = both},
			      c = {.n_disks = 1, .disks = sdb};

	(void)state;
	schedule_add(&s, &a);
	schedule_add(&s, &b);
	schedule_add(&s, &striped);
	schedule_add(&s, &c);
	assert_ptr_equal(schedule_next(&s), &a);
	assert_ptr_equal(schedule_next(&s), &c);
	assert_null(schedule_next(&s));
	schedule_remove(&s, &c);
	assert_null(schedule_next(&s)); /* sda is still busy, for both that wait */
	schedule_remove(&s, &a);
	assert_ptr_equal(schedule_next(&s), &b);
	schedule_remove(&s, &b);
	assert_ptr_equal(schedule_next(&s), &striped);
}

static void who_waits_is_told_for_whom(void **state)
{
	struct schedule s = {.max_concurrent = 2, .max_concurrent_per_disk = 1};
	struct schedule_entry a = {.n_disks = 1, .disks = sda}, b = {.n_disks = 2, .disks = both},
			      c = {.n_disks = 1, .disks = sdb}, d = {};
	bool on_disk;

	(void)state;
	schedule_add(&s, &a);
	schedule_add(&s, &b);
	assert_ptr_equal(schedule_next(&s), &a);
	assert_null(schedule_next(&s));
	assert_ptr_equal(schedule_ahead(&s, &b, &on_disk), &a);
	assert_true(on_disk);
	assert_null(schedule_ahead(&s, &d, &on_disk));
	schedule_add(&s, &c);
	schedule_add(&s, &d);
	assert_ptr_equal(schedule_next(&s), &c);
	assert_ptr_equal(schedule_ahead(&s, &d, &on_disk), &a);
	assert_false(on_disk);
}

static void what_was_found_at_work_counts(void **state)
{
	struct schedule s = {.max_concurrent = 1};
	struct schedule_entry a = {}, b = {}, c = {};

	(void)state;
	schedule_add_running(&s, &a);
	schedule_add_running(&s, &b);
	schedule_add(&s, &c);
	assert_null(schedule_next(&s));
	schedule_remove(&s, &b);
	assert_null(schedule_next(&s));
	schedule_remove(&s, &a);
	assert_ptr_equal(schedule_next(&s), &c);
}

static void without_a_host_limit_each_has_its_own(void **state)
{
	const uint64_t limits[] = {0, 100};
	uint64_t shares[2];

	(void)state;
	schedule_share(0, limits, shares, 2);
	assert_int_equal(shares[0], 0);
	assert_int_equal(shares[1], 100);
}

static void shares_are_equal_and_what_one_cannot_use_goes_to_the_others(void **state)
{
	const uint64_t limits[] = {0, 100, 0, 350};
	uint64_t shares[4];

	(void)state;
	/* 1000 / 4 = 250: 100 stays 100; 900 / 3 = 300 for each of the rest, 350 is no help. */
	schedule_share(1000, limits, shares, 4);
	assert_int_equal(shares[0], 300);
	assert_int_equal(shares[1], 100);
	assert_int_equal(shares[2], 300);
	assert_int_equal(shares[3], 300);
	/* More than the host allows can never be had, less always. */
	schedule_share(10000, limits, shares, 4);
	assert_int_equal(shares[1], 100);
	assert_int_equal(shares[3], 350);
	assert_int_equal(shares[0], 4775);
	/* 0 would mean no limit. */
	schedule_share(1, limits, shares, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(shares[i], 1);
}

static void shares_never_add_up_to_more_than_there_is(void **state)
{
	const unsigned seed = (unsigned)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 1000; round++) {
		const size_t n = (size_t)random() % 8 + 1;
		const uint64_t total = (uint64_t)random() % 1000 + n;
		uint64_t limits[8], shares[8], sum = 0, most = 0;

		for (size_t i = 0; i < n; i++)
			limits[i] = random() % 2 ? (uint64_t)random() % 500 : 0;
		schedule_share(total, limits, shares, n);
		for (size_t i = 0; i < n; i++) {
			assert_true(shares[i] > 0);
			assert_true(limits[i] == 0 || shares[i] <= limits[i]);
			sum += shares[i];
			most = MAX(most, shares[i]);
		}
		assert_true(sum <= total);
		/* Fair: who has less than another has it by its own limit. */
		for (size_t i = 0; i < n; i++)
			assert_true(shares[i] == most || shares[i] == limits[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_came_first_go_first),
		cmocka_unit_test(a_busy_disk_holds_up_only_its_own),
		cmocka_unit_test(who_waits_is_told_for_whom),
		cmocka_unit_test(what_was_found_at_work_counts),
		cmocka_unit_test(without_a_host_limit_each_has_its_own),
		cmocka_unit_test(shares_are_equal_and_what_one_cannot_use_goes_to_the_others),
		cmocka_unit_test(shares_never_add_up_to_more_than_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
