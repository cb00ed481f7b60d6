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
#include <string.h>
#include <unistd.h>

#include "daemon/state/job-numbers.h"
#include "util/log.h"

static char dir[] = "/tmp/test-job-numbers-XXXXXX", path[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	return snprintf(path, sizeof(path), "%s/jobs", dir) < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

/* Of a new manager, which ends without a word. */
static uint64_t give(unsigned times)
{
	struct job_numbers n;
	uint64_t last = 0;

	assert_int_equal(job_numbers_init(&n, dir), 0);
	while (times-- > 0) {
		const uint64_t number = job_numbers_next(&n);

		assert_true(number > last);
		last = number;
	}
	job_numbers_clear(&n);
	return last;
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void numbers_grow_over_restarts(void **state)
{
	uint64_t last = give(1);

	(void)state;
	assert_int_equal(last, 1);
	for (unsigned times = 1; times < 5000; times = times * 3 + 1) {
		const uint64_t next = give(times);

		assert_true(next >= last + times);
		last = next;
	}
}

static void none_is_given_before_it_is_remembered(void **state)
{
	struct job_numbers n, next;

	(void)state;
	assert_int_equal(job_numbers_init(&n, dir), 0);
	for (unsigned i = 0; i < 2500; i++) {
		const uint64_t number = job_numbers_next(&n);

		assert_int_equal(job_numbers_init(&next, dir), 0);
		assert_true(next.last >= number);
		job_numbers_clear(&next);
	}
	job_numbers_clear(&n);
}

static void a_file_that_says_nothing_makes_them_larger(void **state)
{
	static const char *const texts[] = {"",
					    "x\n",
					    "12",
					    "-1\n",
					    "99999999999999999999\n",
					    "1 2\n",
					    "9223372036854775808\n",
					    "1234567890123456789012345678901234567890\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text(texts[i]);
		assert_in_range(give(1), UINT64_C(1) << 30, UINT64_C(1) << 40);
	}
	write_text("7\n");
	assert_int_equal(give(1), 8);
}

static void without_a_directory_they_begin_with_1(void **state)
{
	struct job_numbers n;

	(void)state;
	assert_int_equal(job_numbers_init(&n, NULL), 0);
	assert_int_equal(job_numbers_next(&n), 1);
	assert_int_equal(job_numbers_next(&n), 2);
	job_numbers_clear(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_grow_over_restarts, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(none_is_given_before_it_is_remembered, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_file_that_says_nothing_makes_them_larger,
						make_dir, remove_dir),
		cmocka_unit_test(without_a_directory_they_begin_with_1),
	};

	log_init("test-job-numbers", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
