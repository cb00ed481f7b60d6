/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Headers that do not belong to what this host left. */
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

#include "daemon/control/events.h"
#include "daemon/control/test-volume.h"
#include "util/error.h"
#include "util/log.h"

static const struct rotate_options options = ROTATE_OPTIONS_NONE;

/* The record says what the volume was, and what its last rotation made of it. */
static void was(struct volume *v, const char *now, const char *old_side, const char *new_side)
{
	struct record_sides *s = &v->token.record.sides;

	strcpy(s->now, now);
	strcpy(s->old, old_side);
	strcpy(s->new, new_side);
}

/* The header, which belongs to the key "old", is of before the rotation that has ended. */
static void put_old_header_back(struct volume *v)
{
	was(v, "new", "old", "new");
	assert_int_equal(volume_check_header(v), RECORD_ROLLED_BACK);
}

static void a_header_that_belongs_there_is_noted(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;

	was(v, "", "", "");
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	assert_string_equal(v->token.record.sides.now, "old");
	assert_int_equal(volume_refuse_conflict(v, &f), 0);
	assert_int_equal(test_events.n, 0);
}

static void a_header_of_before_is_a_conflict_and_told_once(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f = {};

	put_old_header_back(v);
	assert_true(trouble_is_conflict(&v->trouble));
	assert_int_equal(volume_refuse_conflict(v, &f), -ERROR_HEADER_CHANGED);
	assert_non_null(strstr(f.text, "/dev/test"));
	assert_non_null(strstr(f.text, "recryptctl accept"));  /* what to do */
	assert_string_equal(v->token.record.sides.now, "new"); /* and nothing is taken from it */
	put_old_header_back(v);
	assert_int_equal(test_events.n, 1);
	assert_string_equal(test_events.last, EVENT_ROTATION_FAILED);
}

static void the_right_header_ends_the_conflict(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;

	put_old_header_back(v);
	strcpy(v->header.old_side, "new");
	(void)mark_take_changes(&v->mark);
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	assert_int_equal(volume_refuse_conflict(v, &f), 0);
	assert_int_equal(mark_take_changes(&v->mark), VOLUME_CHANGED_STATE);
}

/* What a person has to see to is not over because the header is right. */
static void a_failure_of_the_work_stays(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	trouble_failed(&v->trouble, &(struct failure){"Test", "a test"});
	was(v, "old", "", "");
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	assert_int_equal(v->trouble.kind, TROUBLE_FAILED);
}

static void a_key_of_another_program_is_no_conflict(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	const uint64_t wanted = v->writing.wanted;

	was(v, "a third", "", "");
	assert_int_equal(volume_check_header(v), RECORD_OTHER_KEY);
	assert_false(trouble_is_conflict(&v->trouble));
	assert_string_equal(v->token.record.sides.now, "old");
	assert_true(v->writing.wanted > wanted); /* and that is remembered */
}

static void a_re_encryption_that_does_not_follow_is_a_conflict(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	v->header.reencryption = REENCRYPTION_CLEAN;
	strcpy(v->header.new_side, "new");
	was(v, "a third", "", "");
	assert_int_equal(volume_check_header(v), RECORD_OTHER_ROTATION);
	assert_true(trouble_is_conflict(&v->trouble));
}

/* The sides are the same all through a rotation: the sequence number tells its headers apart. */
static void an_older_header_of_the_same_rotation_is_a_conflict(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	v->header.reencryption = REENCRYPTION_CLEAN;
	strcpy(v->header.new_side, "new");
	was(v, "old", "old", "new");
	strcpy(v->token.record.last.outcome, "running");
	v->token.memory.sequence = v->header.sequence = 10;
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	v->header.sequence = 11; /* a worker that is gone now went on with it */
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	v->header.sequence = 9;
	assert_int_equal(volume_check_header(v), RECORD_ROLLED_BACK);
	assert_true(trouble_is_conflict(&v->trouble));
	strcpy(v->token.record.last.outcome, "preparing"); /* nothing can have been converted */
	assert_int_equal(volume_check_header(v), RECORD_MATCHES);
	assert_false(trouble_is_conflict(&v->trouble));
}

static void an_end_is_told_by_the_side_whatever_the_number(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	was(v, "old", "old", "new");
	strcpy(v->token.record.last.outcome, "running");
	strcpy(v->header.old_side, "new");
	v->header.sequence = 9;
	v->token.memory.sequence = 10;
	assert_int_equal(volume_check_header(v), RECORD_ENDED_NEW);
	assert_false(trouble_is_conflict(&v->trouble));
}

/* Whoever waits for a rotation hears that it failed, so it must not begin later. */
static void what_was_to_begin_is_given_up_with_its_job(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(*state);
	put_old_header_back(v);
	assert_int_equal(j->state, JOB_FAILED);
	assert_int_equal(j->error, -ERROR_HEADER_CHANGED);
	assert_false(v->token.record.has_queued);
	assert_null(v->job);
}

/* One that comes after the present rotation was promised, and waits for a person as that does. */
static void what_is_queued_behind_a_rotation_stays(void **state)
{
	struct rotate_options queue = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;
	struct job *j;

	queue.queue = true;
	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(*state);
	test_unlock(v);
	test_convert(v);
	assert_int_equal(volume_rotate(v, &queue, &f, &j), 0);
	v->token.memory.sequence = v->header.sequence + 1;
	assert_int_equal(volume_check_header(v), RECORD_ROLLED_BACK);
	assert_int_equal(j->state, JOB_FAILED);
	assert_true(v->token.record.has_queued);
}

static void a_conflict_takes_its_group_back(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct failure f;
	struct job *j;

	m->config->defaults.provider.kind = PROVIDER_KEY_FILE;
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), 0);
	put_old_header_back(v);
	assert_int_equal(j->state, JOB_FAILED);
	assert_int_equal(j->error, -ERROR_HEADER_CHANGED);
	assert_true(!v->group && !o->group);
	assert_false(trouble_is_conflict(&o->trouble));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_header_that_belongs_there_is_noted),
		TEST(a_header_of_before_is_a_conflict_and_told_once),
		TEST(the_right_header_ends_the_conflict),
		TEST(a_failure_of_the_work_stays),
		TEST(a_key_of_another_program_is_no_conflict),
		TEST(a_re_encryption_that_does_not_follow_is_a_conflict),
		TEST(an_older_header_of_the_same_rotation_is_a_conflict),
		TEST(an_end_is_told_by_the_side_whatever_the_number),
		TEST(what_was_to_begin_is_given_up_with_its_job),
		TEST(what_is_queued_behind_a_rotation_stays),
		TEST(a_conflict_takes_its_group_back),
	};

	log_init("test-volume-conflict", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
