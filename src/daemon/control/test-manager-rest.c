/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sleep, and the end: all comes to rest, and those who wait hear of it once. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/control/test-volume.h"
#include "util/error.h"
#include "util/log.h"

static struct volume *converting;
static unsigned calm, stopped;

static void on_calm(void *userdata)
{
	assert_ptr_equal(userdata, &calm);
	calm++;
}

static void on_stopped(void *userdata)
{
	assert_ptr_equal(userdata, &stopped);
	stopped++;
}

static int begin(void **state)
{
	calm = stopped = 0;
	return test_begin(state);
}

static int end(void **state)
{
	return test_end(state);
}

static void convert(struct manager *m)
{
	static const struct rotate_options options = ROTATE_OPTIONS_NONE;
	struct failure f;
	struct job *j;

	converting = test_volume(m, TEST_UUID_1);
	assert_int_equal(volume_rotate(converting, &options, &f, &j), 0);
	test_turn(m);
	test_unlock(converting);
	test_convert(converting);
}

static void pause_all(struct manager *m)
{
	manager_pause(m, on_calm, &calm);
	test_turn(m);
}

static void stop_all(struct manager *m)
{
	manager_stop(m, on_stopped, &stopped);
	test_turn(m);
}

/* At a hotzone boundary. */
static void let_it_stop(void)
{
	test_ended(converting, WORKER_CONVERT, -EINTR, REENCRYPTION_CLEAN);
	while (converting->worker.link && converting->worker.link->record)
		test_written(converting, 0);
}

static void where_nothing_runs_it_is_calm_at_once(void **state)
{
	struct manager *m = *state;

	test_turn(m);
	pause_all(m);
	assert_int_equal(calm, 1);
	(void)test_volume(m, TEST_UUID_1);
	test_turn(m);
	assert_int_equal(calm, 1); /* once */
	stop_all(m);
	assert_int_equal(stopped, 1);
}

static void calm_waits_for_the_last_worker(void **state)
{
	struct manager *m = *state;

	convert(m);
	pause_all(m);
	assert_int_equal(converting->worker.link->stops, 1);
	assert_int_equal(calm, 0);
	let_it_stop();
	assert_int_equal(calm, 1);
	mark_set(&converting->mark, 0);
	test_turn(m);
	assert_int_equal(calm, 1);
	assert_int_equal(converting->worker.job, WORKER_NONE); /* and nothing goes on */
}

/* The host did not go to sleep after all. */
static void whoever_goes_on_is_not_told_of_calm(void **state)
{
	struct manager *m = *state;

	convert(m);
	pause_all(m);
	manager_unpause(m);
	let_it_stop();
	assert_int_equal(calm, 0);
	assert_int_equal(converting->worker.job, WORKER_CONVERT);
	test_ended(converting, WORKER_CONVERT, 0, REENCRYPTION_NONE);
	assert_int_equal(calm, 0);
}

static void a_rotation_that_is_asked_for_in_sleep_waits(void **state)
{
	static const struct rotate_options options = ROTATE_OPTIONS_NONE;
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct failure f;
	struct job *j;

	pause_all(m);
	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(m);
	test_unlock(v);
	while (v->worker.link->record)
		test_written(v, 0);
	assert_int_equal(v->worker.job, WORKER_NONE);
	manager_unpause(m);
	test_turn(m);
	while (v->worker.link->record)
		test_written(v, 0);
	assert_int_equal(v->worker.job, WORKER_PREPARE);
}

static void the_end_waits_for_the_work_and_is_told_once(void **state)
{
	struct manager *m = *state;
	unsigned other = 0;

	convert(m);
	stop_all(m);
	assert_true(m->stopping);
	assert_int_equal(converting->worker.link->stops, 1);
	assert_int_equal(stopped, 0);
	manager_stop(m, on_calm, &other); /* it ends already: the first one is told */
	let_it_stop();
	assert_int_equal(stopped, 1);
	mark_set(&converting->mark, 0);
	test_turn(m);
	assert_int_equal(stopped, 1);
}

/* A worker that is gone writes nothing any more. */
static void the_end_does_not_wait_for_what_nobody_writes(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	(void)volume_record_changed(v);
	test_turn(m);
	stop_all(m);
	assert_int_equal(stopped, 0); /* its worker has it in hand */
	volume_drop_worker(v);
	mark_set(&v->mark, 0);
	test_turn(m);
	assert_int_equal(stopped, 1);
}

static void sleep_and_the_end_may_come_together(void **state)
{
	struct manager *m = *state;

	convert(m);
	pause_all(m);
	stop_all(m);
	assert_true(calm == 0 && stopped == 0);
	let_it_stop();
	assert_true(calm == 1 && stopped == 1);
}

static int answer;

static void on_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)v;
	(void)userdata;
	assert_int_equal(stopped, 0); /* there is a bus for it */
	assert_string_equal(f->name, "ShuttingDown");
	answer = error;
}

static void those_who_still_wait_are_told_before_the_end(void **state)
{
	const struct request r = {.kind = REQUEST_UNLOCK,
				  .fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
				  .done = on_done};
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	answer = 0;
	volume_drop_worker(v);
	assert_int_equal(request_add(v, &r), 0);
	v->worker.presence = WORKER_PAUSED; /* after a death */
	stop_all(m);
	assert_int_equal(stopped, 1);
	assert_int_equal(answer, -ERROR_SHUTTING_DOWN);
	assert_false(request_pending(v));
}

static void whoever_waits_for_a_look_is_told_as_well(void **state)
{
	struct manager *m = *state;
	struct failure f;

	answer = 0;
	assert_int_equal(manager_add_volume(m, "/dev/a", NULL, &f, on_done, NULL), 0);
	assert_non_null(test_spawned());
	stop_all(m);
	assert_int_equal(answer, -ERROR_SHUTTING_DOWN);
	assert_int_equal(stopped, 1);
	assert_null(test_spawned());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nothing_runs_it_is_calm_at_once),
		TEST(calm_waits_for_the_last_worker),
		TEST(whoever_goes_on_is_not_told_of_calm),
		TEST(a_rotation_that_is_asked_for_in_sleep_waits),
		TEST(the_end_waits_for_the_work_and_is_told_once),
		TEST(the_end_does_not_wait_for_what_nobody_writes),
		TEST(sleep_and_the_end_may_come_together),
		TEST(those_who_still_wait_are_told_before_the_end),
		TEST(whoever_waits_for_a_look_is_told_as_well),
	};

	log_init("test-manager-rest", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
