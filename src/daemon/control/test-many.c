/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which volumes a call for many is about, and what its caller hears; see also test-volumes.c. */
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
#include "util/error.h"
#include "util/log.h"

static struct {
	unsigned n;
	int error;
	char name[64];
} answer;

static void on_all(struct volume *v, int error, const struct failure *f, void *userdata)
{
	assert_null(v);
	assert_ptr_equal(userdata, &answer);
	answer.n++;
	answer.error = error;
	memcpy(answer.name, f->name, sizeof(answer.name));
}

/* By a worker that has to look first, where the one before has gone. */
static void write_all(struct volume *v)
{
	if (v->worker.link && v->worker.link->job == WORKER_INSPECT)
		test_ended(v, WORKER_INSPECT, 0, REENCRYPTION_NONE);
	while (v->worker.link && v->worker.link->record)
		test_written(v, 0);
}

static void rotate(struct volume *v)
{
	static const struct rotate_options options = ROTATE_OPTIONS_NONE;
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(v->manager);
	test_ended(v, WORKER_INSPECT, 0, REENCRYPTION_NONE);
}

static size_t suspend_all(struct manager *m, const struct volume_filter *filter)
{
	struct failure f;
	size_t n = 99;

	answer.n = 0;
	assert_int_equal(manager_suspend_all(m, filter, "night", &f, on_all, &answer, &n), 0);
	test_turn(m);
	return n;
}

static size_t resume_all(struct manager *m)
{
	struct failure f;
	size_t n = 99;

	answer.n = 0;
	assert_int_equal(
		manager_resume_all(m, NULL, &(struct resume_options){}, &f, on_all, &answer, &n),
		0);
	test_turn(m);
	return n;
}

#define MATCHES(v, ...) volume_filter_matches(&(struct volume_filter){__VA_ARGS__}, v)
#define UUIDS(...)                                                                                 \
	.uuids = (const char *const[])                                                             \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void a_filter_matches_what_all_its_members_match(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	free(v->settings.group);
	v->settings.group = strdup("nightly");
	assert_true(volume_filter_matches(NULL, v));
	assert_true(MATCHES(v, .group = NULL));
	assert_true(MATCHES(v, .group = "nightly"));
	assert_false(MATCHES(v, .group = "night"));
	assert_false(MATCHES(v, .group = "")); /* those without a group */
	assert_true(MATCHES(v, .state = "idle"));
	assert_false(MATCHES(v, .state = "running"));
	assert_false(MATCHES(v, .state = "no state"));
	assert_true(MATCHES(v, UUIDS(TEST_UUID_2, TEST_UUID_1, NULL)));
	assert_false(MATCHES(v, UUIDS(TEST_UUID_2, NULL)));
	assert_false(MATCHES(v, UUIDS(NULL))); /* a list of none is none, and not all */
	assert_true(MATCHES(v, .group = "nightly", .state = "idle", UUIDS(TEST_UUID_1, NULL)));
	assert_false(MATCHES(v, .group = "nightly", .state = "idle", UUIDS(TEST_UUID_2, NULL)));
	assert_false(MATCHES(v, .group = "nightly", .state = "failed", UUIDS(TEST_UUID_1, NULL)));
	assert_false(MATCHES(v, .group = "x", .state = "idle", UUIDS(TEST_UUID_1, NULL)));
}

static void without_a_volume_the_caller_is_answered(void **state)
{
	assert_int_equal(suspend_all(*state, NULL), 0);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, 0);
	assert_int_equal(resume_all(*state), 0);
	assert_int_equal(answer.n, 1);
}

static void what_is_at_rest_is_left_out(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1),
		      *idle = test_volume(*state, TEST_UUID_2);

	rotate(v);
	assert_int_equal(suspend_all(*state, NULL), 1);
	write_all(v);
	assert_true(answer.n == 1 && answer.error == 0);
	assert_string_equal(v->token.record.suspend_reason, "night");
	assert_false(idle->token.record.suspended);
}

static void what_is_suspended_is_resumed(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1), *o = test_volume(*state, TEST_UUID_2);

	rotate(v);
	rotate(o);
	assert_int_equal(suspend_all(*state, NULL), 2);
	write_all(v);
	write_all(o);
	assert_true(answer.n == 1 && answer.error == 0);
	assert_int_equal(resume_all(*state), 2);
	write_all(v);
	assert_int_equal(answer.n, 0);
	write_all(o);
	assert_true(answer.n == 1 && answer.error == 0);
	assert_false(v->token.record.suspended || o->token.record.suspended);
}

/* It counts as none of those that are suspended, and does not keep the others from it. */
static void one_that_refuses_at_once_is_the_failure_of_all(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);

	rotate(o);
	v->status.state = VOLUME_FAILED; /* which it is no more: there is no rotation */
	assert_int_equal(resume_all(m), 1);
	write_all(o);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, -ERROR_NO_ROTATION);
	assert_string_equal(answer.name, "NoRotation");
}

static void of_two_failures_the_first_counts(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);

	rotate(o);
	v->status.state = VOLUME_FAILED;
	assert_int_equal(resume_all(m), 1);
	volume_remove(o);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, -ERROR_NO_ROTATION);
}

static void only_what_matches_is_suspended(void **state)
{
	static const char *const uuids[] = {TEST_UUID_2, NULL};
	struct volume *v = test_volume(*state, TEST_UUID_1), *o = test_volume(*state, TEST_UUID_2);

	rotate(v);
	rotate(o);
	assert_int_equal(suspend_all(*state, &(struct volume_filter){.uuids = uuids}), 1);
	assert_false(v->token.record.suspended);
	assert_true(o->token.record.suspended);
	volume_remove(o); /* which answers the caller */
	assert_int_equal(answer.n, 1);
}

static void where_all_refuse_the_caller_is_answered_once(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);

	v->status.state = o->status.state = VOLUME_FAILED;
	assert_int_equal(resume_all(m), 0);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.error, -ERROR_NO_ROTATION);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_filter_matches_what_all_its_members_match),
		TEST(without_a_volume_the_caller_is_answered),
		TEST(what_is_at_rest_is_left_out),
		TEST(what_is_suspended_is_resumed),
		TEST(one_that_refuses_at_once_is_the_failure_of_all),
		TEST(of_two_failures_the_first_counts),
		TEST(only_what_matches_is_suspended),
		TEST(where_all_refuse_the_caller_is_answered_once),
	};

	log_init("test-many", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
