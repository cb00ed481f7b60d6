/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rotation of one volume, step by step: what the worker is told, and what callers see. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>

#include "daemon/control/events.h"
#include "daemon/control/test-volume.h"
#include "util/error.h"

static const struct rotate_options options = ROTATE_OPTIONS_NONE;

static struct job *rotate(struct volume *v)
{
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(v->manager);
	return j;
}

static struct job *cancel(struct volume *v)
{
	struct failure f;
	struct job *j;

	assert_int_equal(volume_cancel(v, &(struct run_choices){}, &f, &j), 0);
	test_turn(v->manager);
	return j;
}

static void assert_state(const struct volume *v, enum volume_state state)
{
	assert_string_equal(volume_state_name(v->status.state), volume_state_name(state));
}

/* The token is in the header before the worker does what it is about. */
static void nothing_is_prepared_before_its_record_is_durable(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	(void)rotate(v);
	assert_state(v, VOLUME_LOCKED);
	test_unlock(v);
	assert_non_null(v->worker.link->record);
	assert_int_equal(v->worker.link->job, WORKER_NONE);
	test_written(v, 0); /* the wish; then the name of the key */
	assert_int_equal(v->worker.link->job, WORKER_NONE);
	test_written(v, 0);
	assert_int_equal(v->worker.link->job, WORKER_PREPARE);
	assert_string_equal(v->worker.link->run.side, "old"); /* or it is another volume */
	assert_state(v, VOLUME_PREPARING);
}

static void a_rotation_ends_with_its_job_and_without_keys(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *j = rotate(v);

	test_unlock(v);
	test_convert(v);
	assert_state(v, VOLUME_RUNNING);
	assert_int_equal(j->state, JOB_RUNNING);
	test_ended(v, WORKER_CONVERT, 0, REENCRYPTION_NONE);
	assert_int_equal(j->state, JOB_DONE);
	assert_state(v, VOLUME_IDLE);
	assert_string_equal(v->token.shown.last.outcome, "finished");
	assert_string_equal(test_events.last, EVENT_ROTATION_FINISHED);
	assert_int_equal(v->keys.state, KEYS_SPENT);
	assert_non_null(v->worker.link); /* which has the last record to write */
	test_written(v, 0);
	assert_null(v->worker.link);
}

static void a_cancel_before_anything_is_prepared_is_over_at_once(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *rotation = rotate(v), *j = cancel(v);

	assert_int_equal(rotation->state, JOB_CANCELLED);
	assert_int_equal(j->state, JOB_DONE);
	assert_state(v, VOLUME_IDLE);
	assert_false(v->token.record.has_queued);
}

static void a_cancel_turns_the_work_around(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	(void)rotate(v);
	test_unlock(v);
	test_convert(v);
	(void)cancel(v);
	assert_true(v->token.record.cancel);
	while (v->worker.link->record)
		test_written(v, 0);
	assert_int_equal(v->worker.link->job, WORKER_REVERSE);
	assert_true(v->worker.reverse_sent);
}

/* Begun by somebody else, so that the record knows no side: that the work is over is told by the
 * job. */
static void a_recovery_that_ends_the_work_ends_the_rotation(void **state)
{
	struct worker_look look = test_look(TEST_UUID_1, REENCRYPTION_HOT);
	struct volume *v;

	look.progress.bytes_done = 900;
	assert_int_equal(volume_new(*state, &look, test_link(), false, &v), 0);
	test_look_clear(&look);
	test_turn(*state);
	(void)cancel(v);
	test_unlock(v);
	while (v->worker.link->record)
		test_written(v, 0);
	assert_int_equal(v->worker.link->job, WORKER_RECOVER);
	test_ended(v, WORKER_RECOVER, 0, REENCRYPTION_NONE);
	assert_state(v, VOLUME_IDLE);
	assert_string_equal(v->token.record.last.outcome, "finished");
	assert_false(keys_are_held(&v->keys));
	assert_null(v->job);
}

static void a_suspension_stops_the_worker_once(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;

	(void)rotate(v);
	test_unlock(v);
	test_convert(v);
	assert_int_equal(volume_suspend(v, "maintenance", &f, NULL, NULL), 0);
	test_turn(v->manager);
	mark_set(&v->mark, 0);
	test_turn(v->manager);
	assert_int_equal(v->worker.link->stops, 1);
	while (v->worker.link->record)
		test_written(v, 0);
	assert_non_null(v->requests); /* the caller waits for the stop as well */
	test_ended(v, WORKER_CONVERT, -EINTR, REENCRYPTION_CLEAN);
	assert_state(v, VOLUME_SUSPENDED);
	assert_string_equal(v->status.reason, "maintenance");
	assert_null(v->requests);
}

static void a_worker_that_dies_while_it_prepares_leaves_the_header_unseen(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;
	struct job *j;

	(void)rotate(v);
	test_unlock(v);
	test_written(v, 0);
	test_written(v, 0);
	assert_int_equal(v->worker.job, WORKER_PREPARE);
	volume_worker_handler.died(v);
	assert_true(v->header.unseen);
	assert_int_equal(volume_cancel(v, &(struct run_choices){}, &f, &j), 0);
	assert_true(v->token.record.cancel); /* it may be there, and has to be undone */
	test_turn(v->manager);
	assert_int_equal(v->worker.link->job, WORKER_INSPECT);
	test_ended(v, WORKER_INSPECT, 0, REENCRYPTION_NONE);
	assert_int_equal(j->state, JOB_DONE);
	assert_state(v, VOLUME_IDLE);
}

static void an_error_of_the_work_waits_for_a_person(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *j = rotate(v);
	struct failure f;

	test_unlock(v);
	test_convert(v);
	test_ended(v, WORKER_CONVERT, -EIO, REENCRYPTION_CLEAN);
	assert_state(v, VOLUME_FAILED);
	assert_int_equal(j->state, JOB_FAILED);
	assert_string_equal(v->status.error, "Test");
	assert_int_equal(volume_resume(v, &(struct resume_options){}, &f, NULL, NULL), 0);
	test_turn(v->manager);
	assert_int_equal(v->worker.link->job, WORKER_CONVERT);
}

/* The worker is told in time to begin with what is in force. */
static void a_second_rotation_waits_for_the_first(void **state)
{
	struct rotate_options queue = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *first = rotate(v), *j;
	struct failure f;

	assert_int_equal(volume_rotate(v, &options, &f, &j), -ERROR_IN_PROGRESS);
	queue.queue = true;
	test_unlock(v);
	test_convert(v);
	assert_int_equal(volume_rotate(v, &queue, &f, &j), 0);
	assert_ptr_equal(j, first);
	test_turn(v->manager);
	test_written(v, 0);
	test_ended(v, WORKER_CONVERT, 0, REENCRYPTION_NONE);
	assert_int_equal(first->state, JOB_DONE);
	assert_non_null(v->job); /* of the second */
	assert_true(keys_are_held(&v->keys));
}

static void a_header_of_before_is_a_conflict(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct job *j = rotate(v);
	struct failure f;

	test_unlock(v);
	test_convert(v);
	/* Of the time before the rotation, though nobody has taken it back. */
	test_ended(v, WORKER_CONVERT, -EIO, REENCRYPTION_NONE);
	assert_int_equal(j->state, JOB_FAILED);
	assert_state(v, VOLUME_FAILED);
	assert_true(trouble_is_conflict(&v->trouble));
	assert_int_equal(volume_rotate(v, &options, &f, &j), -ERROR_HEADER_CHANGED);
	assert_int_equal(volume_accept(v, &f, NULL, NULL), 0);
	test_turn(v->manager);
	assert_state(v, VOLUME_IDLE);
}

static void a_locked_volume_is_told_once(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	(void)rotate(v);
	assert_int_equal(test_events.n, 1);
	assert_string_equal(test_events.last, EVENT_VOLUME_LOCKED);
	mark_set(&v->mark, 0);
	test_turn(v->manager);
	assert_int_equal(test_events.n, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_prepared_before_its_record_is_durable),
		TEST(a_rotation_ends_with_its_job_and_without_keys),
		TEST(a_cancel_before_anything_is_prepared_is_over_at_once),
		TEST(a_cancel_turns_the_work_around),
		TEST(a_recovery_that_ends_the_work_ends_the_rotation),
		TEST(a_suspension_stops_the_worker_once),
		TEST(a_worker_that_dies_while_it_prepares_leaves_the_header_unseen),
		TEST(an_error_of_the_work_waits_for_a_person),
		TEST(a_second_rotation_waits_for_the_first),
		TEST(a_header_of_before_is_a_conflict),
		TEST(a_locked_volume_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
