/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several volumes of a manager: how they are named, called, and share the host's rate. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/test-volume.h"
#include "model/least-rate.h"

static const struct rotate_options options = ROTATE_OPTIONS_NONE;

static char *copy(const char *text)
{
	char *c = strdup(text);

	assert_non_null(c);
	return c;
}

static void name_it(struct volume *v, const char *name, const char *device)
{
	struct worker_look look = test_look(v->uuid, REENCRYPTION_NONE);

	free(look.name);
	free(look.device);
	free(look.header_device);
	look.name = copy(name);
	look.device = copy(device);
	look.header_device = copy(device);
	(void)place_take_names(&v->place, &look);
	test_look_clear(&look);
}

static struct volume *find(struct manager *m, const char *what, int *ret)
{
	struct volume *v = NULL;
	struct failure f;

	*ret = manager_find_volume(m, what, &f, &v);
	return v;
}

static void a_volume_has_several_names(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	int r;

	name_it(v, "data", "/dev/sdx");
	assert_ptr_equal(find(*state, TEST_UUID_1, &r), v);
	assert_ptr_equal(find(*state, "data", &r), v);
	assert_ptr_equal(find(*state, "/dev/mapper/data", &r), v);
	assert_ptr_equal(find(*state, "/dev/sdx", &r), v);
	(void)find(*state, "/dev/sdy", &r);
	assert_int_equal(r, -ENODEV);
	(void)find(*state, "dat", &r);
	assert_int_equal(r, -ENODEV);
}

static void a_name_that_two_have_is_refused_but_the_exact_one_wins(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct volume *o = test_volume(*state, TEST_UUID_2);
	int r;

	name_it(v, "a b", "/dev/sdx");
	name_it(o, "a\\x20b", "/dev/sdy");
	assert_ptr_equal(find(*state, "a\\x20b", &r), o);
	name_it(o, "a b", "/dev/sdy");
	(void)find(*state, "a b", &r);
	assert_int_equal(r, -ENOTUNIQ);
}

static void one_that_is_there_comes_before_one_that_was(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = NULL;
	int r;

	name_it(v, "", "/dev/sdx");
	assert_int_equal(volume_new_absent(m, TEST_UUID_2, "/dev/sdx", NULL, "gone", &o), 0);
	assert_ptr_equal(find(m, "/dev/sdx", &r), v);
	assert_null(manager_present_volume(m, TEST_UUID_2));
	name_it(v, "", "/dev/sdy");
	assert_ptr_equal(find(m, "/dev/sdx", &r), o);
	assert_ptr_equal(find(m, TEST_UUID_2, &r), o);
	assert_int_equal(o->status.state, VOLUME_ABSENT);
}

static void one_that_was_absent_is_as_any_other(void **state)
{
	struct worker_look look = test_look(TEST_UUID_2, REENCRYPTION_CLEAN);
	struct volume *v = NULL;

	assert_int_equal(volume_new_absent(*state, TEST_UUID_2, "/dev/sdx", NULL, "gone", &v), 0);
	test_turn(*state);
	assert_null(v->worker.link);
	assert_int_equal(v->status.state, VOLUME_ABSENT);
	assert_int_equal(volume_come(v, &look, test_link()), 0);
	test_look_clear(&look);
	test_turn(*state);
	assert_int_equal(v->status.state, VOLUME_LOCKED);
	assert_non_null(v->job);
}

/* --- many --- */

static struct {
	unsigned n;
	int error;
} answer;

static void on_all(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)f;
	(void)userdata;
	assert_null(v);
	answer.n++;
	answer.error = error;
}

static void rotate(struct volume *v)
{
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(v->manager);
	/* The record has to be written by a worker. */
	test_ended(v, WORKER_INSPECT, 0, REENCRYPTION_NONE);
}

static void write_all(struct volume *v)
{
	while (v->worker.link && v->worker.link->record)
		test_written(v, 0);
}

static void all_have_suspended_with_the_last(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct volume *o = test_volume(*state, TEST_UUID_2);
	struct failure f;
	size_t n;

	answer.n = 0;
	rotate(v);
	rotate(o);
	assert_int_equal(manager_suspend_all(*state, NULL, "", &f, on_all, NULL, &n), 0);
	assert_int_equal(n, 2);
	test_turn(*state);
	write_all(v);
	assert_int_equal(answer.n, 0);
	write_all(o);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, 0);
}

static void where_none_matches_that_is_all(void **state)
{
	static const struct volume_filter filter = {.group = "another"};
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;
	size_t n;

	answer.n = 0;
	rotate(v);
	assert_int_equal(manager_suspend_all(*state, &filter, "", &f, on_all, NULL, &n), 0);
	assert_true(n == 0 && answer.n == 1);
}

static void the_first_failure_is_that_of_all(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct volume *o = test_volume(*state, TEST_UUID_2);
	struct failure f;
	size_t n;

	answer.n = 0;
	rotate(v);
	rotate(o);
	assert_int_equal(manager_suspend_all(*state, NULL, "", &f, on_all, NULL, &n), 0);
	volume_remove(o);
	test_turn(*state);
	assert_int_equal(answer.n, 0);
	write_all(v);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, -ENODEV);
}

/* --- the rate --- */

static void the_hosts_rate_is_shared_by_those_that_convert(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct failure f;

	m->core->convert.max_concurrent = m->core->convert.max_concurrent_per_disk = 0;
	assert_int_equal(manager_set_rate_limit(m, 1000, &f), 0);
	rotate(v);
	test_unlock(v);
	test_convert(v);
	assert_int_equal(v->worker.told.limits.rate, 1000);
	rotate(o);
	test_unlock(o);
	test_convert(o);
	assert_int_equal(v->worker.told.limits.rate, 500);
	assert_int_equal(o->worker.told.limits.rate, 500);
	assert_int_equal(volume_set_rate_limit(o, 200, &f, NULL, NULL), 0);
	test_turn(m);
	assert_int_equal(v->worker.told.limits.rate, 800); /* what the other one leaves */
	assert_int_equal(o->worker.told.limits.rate, 200);
}

static void a_rate_that_is_a_slip_is_refused(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct failure f;

	least_rate_set(LEAST_RATE);
	assert_int_equal(volume_set_rate_limit(v, 20, &f, NULL, NULL), -EINVAL);
	assert_non_null(strstr(f.text, "did you mean 20M?"));
	assert_int_equal(manager_set_rate_limit(m, 20 << 10, &f), -EINVAL);
	assert_non_null(strstr(f.text, "did you mean 20M?"));
	assert_int_equal(manager_set_rate_limit(m, 65535, &f), -EINVAL);
	assert_null(strstr(f.text, "did you mean"));
	assert_int_equal(manager_set_rate_limit(m, 65536, &f), 0);
	assert_int_equal(manager_set_rate_limit(m, 0, &f), 0);
	assert_int_equal(manager_set_rate_limit(m, RATE_AS_CONFIGURED, &f), 0);
	assert_int_equal(volume_set_rate_limit(v, RATE_AS_CONFIGURED, &f, NULL, NULL), 0);
	least_rate_set(0);
}

static void one_waits_for_another(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);

	m->core->convert.max_concurrent = 1;
	rotate(v);
	test_unlock(v);
	test_convert(v);
	rotate(o);
	test_unlock(o);
	write_all(o);
	test_ended(o, WORKER_PREPARE, 0, REENCRYPTION_CLEAN);
	write_all(o);
	assert_int_equal(o->status.state, VOLUME_QUEUED);
	test_ended(v, WORKER_CONVERT, 0, REENCRYPTION_NONE);
	write_all(o);
	assert_int_equal(o->worker.job, WORKER_CONVERT);
}

/* --- the end --- */

static void on_rest(void *userdata)
{
	++*(unsigned *)userdata;
}

static void work_that_is_paused_comes_to_rest_and_goes_on(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	unsigned rests = 0;

	rotate(v);
	test_unlock(v);
	test_convert(v);
	manager_pause(m, on_rest, &rests);
	test_turn(m);
	assert_int_equal(v->worker.link->stops, 1);
	assert_int_equal(rests, 0);
	test_ended(v, WORKER_CONVERT, -EINTR, REENCRYPTION_CLEAN);
	assert_int_equal(rests, 1);
	assert_int_equal(v->status.state, VOLUME_QUEUED);
	manager_unpause(m);
	test_turn(m);
	assert_int_equal(v->worker.job, WORKER_CONVERT);
	assert_int_equal(rests, 1);
}

static void the_end_waits_for_what_was_promised(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	unsigned rests = 0;

	rotate(v);
	assert_non_null(v->worker.link->record);
	manager_stop(m, on_rest, &rests);
	test_turn(m);
	assert_int_equal(rests, 0);
	write_all(v);
	assert_int_equal(rests, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_volume_has_several_names),
		TEST(a_name_that_two_have_is_refused_but_the_exact_one_wins),
		TEST(one_that_is_there_comes_before_one_that_was),
		TEST(one_that_was_absent_is_as_any_other),
		TEST(all_have_suspended_with_the_last),
		TEST(where_none_matches_that_is_all),
		TEST(the_first_failure_is_that_of_all),
		TEST(the_hosts_rate_is_shared_by_those_that_convert),
		TEST(a_rate_that_is_a_slip_is_refused),
		TEST(one_waits_for_another),
		TEST(work_that_is_paused_comes_to_rest_and_goes_on),
		TEST(the_end_waits_for_what_was_promised),
	};

	least_rate_set(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
