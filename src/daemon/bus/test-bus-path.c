/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects and their paths, which anybody on the bus may make up. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <string.h>

#include "daemon/bus/bus-internal.h"
#include "daemon/control/test-volume.h"
#include "util/log.h"

#define PATH_1 "/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_000000000001"

static struct bus bus;

static int begin(void **state)
{
	int r = test_begin(state);

	bus = (struct bus){.manager = *state};
	return r;
}

static int end(void **state)
{
	return test_end(state);
}

static struct job *new_job(struct volume **volumes, size_t n)
{
	struct job_seat seats[2];
	struct job *j;

	for (size_t i = 0; i < n; i++)
		seats[i] = (struct job_seat){.volume = volumes[i],
					     .present = &volumes[i]->job,
					     .uuid = volumes[i]->uuid};
	assert_int_equal(job_new(&bus.manager->jobs, JOB_ROTATE, seats, n, &j), 0);
	return j;
}

static void a_volume_is_found_at_its_path(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1), *o = test_volume(*state, TEST_UUID_2);

	assert_string_equal(volume_path(TEST_UUID_1).text, PATH_1);
	assert_true(sd_bus_object_path_is_valid(PATH_1));
	assert_ptr_equal(volume_at(&bus, PATH_1), v);
	assert_ptr_equal(volume_at(&bus, volume_path(o->uuid).text), o);
}

/* One path each: or signals would come from another one than was asked. */
static void no_other_path_leads_to_a_volume(void **state)
{
	static char longest[4096];
	static const char *const others[] = {
		"",
		"/",
		"/org/recryptd1/volume",
		"/org/recryptd1/volume/",
		"/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_000000000001/",
		"/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_0000000000010",
		"/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_000000000001/x",
		"/org/recryptd1/volume/6a0a6c3e-0e6f-4ea5-9a25-000000000001",
		"/org/recryptd1/volume/6A0A6C3E_0E6F_4EA5_9A25_000000000001",
		"/org/recryptd1/volume/6a0a6c3e0e6f4ea59a25000000000001",
		"/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_00000000000",
		"/org/recryptd1/volume/6a0a6c3e_0e6f_4ea5_9a25_000000000009",
		"/org/recryptd1/volumes/6a0a6c3e_0e6f_4ea5_9a25_000000000001",
		"/org/recryptd1/job/6a0a6c3e_0e6f_4ea5_9a25_000000000001",
		longest,
	};

	(void)test_volume(*state, TEST_UUID_1);
	(void)snprintf(longest, sizeof(longest), "%s", PATH_1);
	memset(longest + strlen(longest), '0', sizeof(longest) - strlen(longest) - 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_null(volume_at(&bus, others[i]));
}

static void a_job_is_found_at_its_path_alone(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *j = new_job(&v, 1);
	char other[100];

	j->id = 7;
	assert_string_equal(job_path(j).text, "/org/recryptd1/job/7");
	assert_ptr_equal(job_at(&bus, "/org/recryptd1/job/7"), j);
	for (size_t i = 0; i < 6; i++) {
		static const char *const forms[] = {"07", "+7", "7 ", "7/", "71", ""};

		(void)snprintf(other, sizeof(other), "/org/recryptd1/job/%s", forms[i]);
		assert_null(job_at(&bus, other));
	}
	j->id = UINT64_MAX; /* it fits */
	assert_string_equal(job_path(j).text, "/org/recryptd1/job/18446744073709551615");
	assert_ptr_equal(job_at(&bus, job_path(j).text), j);
}

/* Also when that is gone: who waits for the job may ask for it yet. */
static void a_job_of_one_volume_has_its_path(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	const struct job *j = new_job(&v, 1);

	assert_string_equal(job_volume_path(j).text, PATH_1);
	volume_remove(v);
	assert_string_equal(job_volume_path(j).text, PATH_1);
	assert_null(volume_at(&bus, PATH_1));
}

static void a_job_of_several_has_none(void **state)
{
	struct volume *volumes[] = {test_volume(*state, TEST_UUID_1),
				    test_volume(*state, TEST_UUID_2)};
	const struct job *j = new_job(volumes, 2);

	assert_string_equal(job_volume_path(j).text, "/");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_volume_is_found_at_its_path),    TEST(no_other_path_leads_to_a_volume),
		TEST(a_job_is_found_at_its_path_alone), TEST(a_job_of_one_volume_has_its_path),
		TEST(a_job_of_several_has_none),
	};

	log_init("test-bus-path", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
