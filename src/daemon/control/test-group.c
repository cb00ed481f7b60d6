/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>

#include "daemon/control/test-volume.h"
#include "util/error.h"

static const struct rotate_options options = ROTATE_OPTIONS_NONE;
static struct volume *first, *second;

static void get_keys(struct volume *v)
{
	assert_int_equal(v->worker.job, WORKER_NONE);
	test_ended(v, WORKER_INSPECT, 0, REENCRYPTION_NONE);
	assert_int_equal(v->worker.job, WORKER_USE_PROVIDER);
	test_ended(v, WORKER_USE_PROVIDER, 0, REENCRYPTION_NONE);
}

static struct job *rotate_both(struct manager *m)
{
	struct failure f;
	struct job *j;

	first = test_volume(m, TEST_UUID_1);
	second = test_volume(m, TEST_UUID_2);
	/* Else the first that is locked takes both back. */
	m->config->defaults.provider.kind = PROVIDER_KEY_FILE;
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), 0);
	test_turn(m);
	get_keys(first);
	get_keys(second);
	return j;
}

static void write_all(struct volume *v)
{
	while (v->worker.link && v->worker.link->record)
		test_written(v, 0);
}

static void prepare(struct volume *v, int error)
{
	write_all(v);
	assert_int_equal(v->worker.job, WORKER_PREPARE);
	test_ended(v, WORKER_PREPARE, error, error < 0 ? REENCRYPTION_NONE : REENCRYPTION_CLEAN);
}

static void each_is_held_by_the_first(void **state)
{
	struct job *j = rotate_both(*state);

	assert_int_equal(j->n_members, 2);
	assert_true(first->group == j && second->group == j);
	assert_string_equal(first->token.record.held, TEST_UUID_1);
	assert_string_equal(second->token.record.held, TEST_UUID_1);
	assert_string_equal(first->token.record.group, second->token.record.group);
	assert_true(*first->token.record.group != '\0');
}

static void nothing_converts_before_the_first_header_says_so(void **state)
{
	(void)rotate_both(*state);
	prepare(first, 0);
	write_all(first);
	assert_int_equal(first->worker.job, WORKER_NONE);
	prepare(second, 0);
	write_all(second);
	assert_string_equal(first->token.record.held, ""); /* is on its way into the header */
	assert_string_equal(second->token.record.held, TEST_UUID_1);
	assert_int_equal(second->worker.job, WORKER_NONE);
	write_all(first);
	assert_null(first->group);
	assert_string_equal(second->token.record.held, "");
	write_all(second);
	assert_int_equal(first->worker.job, WORKER_CONVERT);
}

static void one_that_cannot_be_prepared_takes_all_back(void **state)
{
	struct job *j = rotate_both(*state);

	prepare(first, 0);
	write_all(first);
	prepare(second, -ENOSPC);
	assert_null(second->group);
	assert_int_equal(j->error, -ENOSPC);
	assert_int_equal(j->members[0].error, -ECANCELED);
	assert_int_equal(j->state, JOB_FAILED);
	assert_true(first->token.record.cancel); /* it is in the header, and is undone */
	write_all(first);
	assert_int_equal(first->worker.job, WORKER_UNDO);
	assert_int_equal(second->status.state, VOLUME_IDLE);
}

static void one_that_goes_away_takes_all_back(void **state)
{
	struct job *j = rotate_both(*state);

	prepare(first, 0);
	volume_remove(second);
	test_turn(*state);
	assert_true(job_ended(j));
	assert_true(first->token.record.cancel);
	assert_null(first->group);
}

static void a_cancel_of_one_is_one_of_all(void **state)
{
	struct job *j = rotate_both(*state), *cancelled;
	struct failure f;

	prepare(first, 0);
	assert_int_equal(volume_cancel(second, &(struct run_choices){}, &f, &cancelled), 0);
	assert_int_equal(j->state, JOB_CANCELLED);
	assert_true(first->token.record.cancel);
}

static void a_late_comer_is_refused(void **state)
{
	struct manager *m = *state;
	struct failure f;
	struct job *j;

	(void)rotate_both(m);
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), -ERROR_IN_PROGRESS);
}

/* What a manager finds that knows of no job. */
static struct volume *find_held(struct manager *m, const char *uuid, bool prepared)
{
	struct volume *v = test_volume(m, uuid);
	struct worker_look look =
		test_look(uuid, prepared ? REENCRYPTION_CLEAN : REENCRYPTION_NONE);

	record_wish(&v->token.record, &options);
	record_hold(&v->token.record, "a group", TEST_UUID_1);
	if (prepared)
		record_take_queued(&v->token.record);
	(void)volume_record_changed(v);
	header_looked(&v->header, &look);
	test_look_clear(&look);
	return v;
}

/* All were prepared, and its word was given. */
static struct volume *find_first(struct manager *m)
{
	struct volume *v = test_volume(m, TEST_UUID_1);

	record_hold(&v->token.record, "a group", "");
	return v;
}

static void a_found_member_waits_for_the_first(void **state)
{
	second = find_held(*state, TEST_UUID_2, true);
	group_settle(*state);
	assert_string_equal(second->token.record.held, TEST_UUID_1);
	assert_false(second->token.record.cancel);
}

static void a_found_member_goes_on_by_the_header_of_the_first(void **state)
{
	first = find_first(*state);
	second = find_held(*state, TEST_UUID_2, true);
	group_settle(*state);
	assert_string_equal(second->token.record.held, "");
	assert_false(second->token.record.cancel);
}

static void a_found_member_goes_back_where_no_word_was_given(void **state)
{
	struct manager *m = *state;

	second = find_held(m, TEST_UUID_2, true);
	first = find_held(m, TEST_UUID_1, false);
	group_settle(m);
	assert_true(second->token.record.cancel);
	assert_string_equal(second->token.record.held, "");
	assert_false(first->token.record.has_queued);
}

static void a_word_that_nobody_vouches_for_decides_nothing(void **state)
{
	first = find_first(*state);
	second = find_held(*state, TEST_UUID_2, true);
	record_distrust(&first->token.record);
	group_settle(*state);
	assert_string_equal(second->token.record.held, TEST_UUID_1);
	assert_false(second->token.record.cancel);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_held_by_the_first),
		TEST(nothing_converts_before_the_first_header_says_so),
		TEST(one_that_cannot_be_prepared_takes_all_back),
		TEST(one_that_goes_away_takes_all_back),
		TEST(a_cancel_of_one_is_one_of_all),
		TEST(a_late_comer_is_refused),
		TEST(a_found_member_waits_for_the_first),
		TEST(a_found_member_goes_on_by_the_header_of_the_first),
		TEST(a_found_member_goes_back_where_no_word_was_given),
		TEST(a_word_that_nobody_vouches_for_decides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
