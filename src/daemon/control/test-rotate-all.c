/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rotation of several volumes is refused for; how it goes on is in test-group.c. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <string.h>

#include "daemon/control/test-volume.h"
#include "util/error.h"
#include "util/log.h"

static const struct rotate_options options = ROTATE_OPTIONS_NONE;

/* And nothing has begun. */
static void expect_refused(struct manager *m, const struct volume_filter *filter,
			   const struct rotate_options *o, int error)
{
	struct job *j = NULL;
	struct failure f = {};

	assert_int_equal(manager_rotate_all(m, filter, o, &f, &j), error);
	assert_true(*f.text != '\0' && *f.name != '\0');
	assert_null(j);
	assert_int_equal(m->jobs.n, 0);
	for (const struct volume *v = m->volumes; v; v = v->next) {
		assert_false(v->token.record.has_queued);
		assert_true(!v->job && !v->group);
	}
}

static void all_that_match_have_one_job_and_no_other(void **state)
{
	static const char *const uuids[] = {TEST_UUID_2, NULL};
	const struct volume_filter filter = {.uuids = uuids};
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct failure f;
	struct job *j;

	assert_int_equal(manager_rotate_all(m, &filter, &options, &f, &j), 0);
	assert_int_equal(j->n_members, 1);
	assert_string_equal(j->members[0].uuid, TEST_UUID_2);
	assert_int_equal(j->kind, JOB_ROTATE);
	assert_ptr_equal(o->job, j);
	assert_true(o->token.record.has_queued);
	assert_true(!v->job && !v->token.record.has_queued);
}

static void two_groups_have_two_names(void **state)
{
	static const char *const first[] = {TEST_UUID_1, NULL}, *const second[] = {TEST_UUID_2,
										   NULL};
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct failure f;
	struct job *j;

	assert_int_equal(
		manager_rotate_all(m, &(struct volume_filter){.uuids = first}, &options, &f, &j),
		0);
	assert_int_equal(
		manager_rotate_all(m, &(struct volume_filter){.uuids = second}, &options, &f, &j),
		0);
	assert_int_equal(strlen(v->token.record.group), 36);
	assert_int_equal(strlen(o->token.record.group), 36);
	assert_string_not_equal(v->token.record.group, o->token.record.group);
}

static void where_none_matches_it_is_refused(void **state)
{
	struct manager *m = *state;

	expect_refused(m, NULL, &options, -ENODEV);
	(void)test_volume(m, TEST_UUID_1);
	expect_refused(m, &(struct volume_filter){.group = "another"}, &options, -ENODEV);
}

static void one_that_cannot_refuses_for_all(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_2);

	(void)test_volume(m, TEST_UUID_1);
	trouble_conflict(&v->trouble, &(struct failure){"HeaderConflict", "a test"});
	expect_refused(m, NULL, &options, -ERROR_HEADER_CHANGED);
	trouble_clear(&v->trouble);
	v->header.reencryption = REENCRYPTION_CLEAN;
	expect_refused(m, NULL, &options, -ERROR_IN_PROGRESS);
	v->header.reencryption = REENCRYPTION_NONE;
	header_lost(&v->header);
	expect_refused(m, NULL, &options, -EBUSY);
	assert_true(
		request_pending(v)); /* it is looked at, so that the next call can be answered */
}

/* Be it one that an earlier manager has left, with no job, or a way back that has ended but for its
 * job. */
static void what_one_is_at_refuses_for_all(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct failure f;
	struct job *j;

	record_wish(&o->token.record, &options);
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), -ERROR_IN_PROGRESS);
	record_drop_queued(&o->token.record);
	assert_int_equal(volume_new_job(o, JOB_CANCEL, &j), 0);
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), -ERROR_IN_PROGRESS);
	assert_true(!v->job && !v->token.record.has_queued);
	job_member_ended(j, o, 0, NULL);
	assert_int_equal(manager_rotate_all(m, NULL, &options, &f, &j), 0);
}

/* With its ciphers it cannot be done so, be it by what is configured. */
static void options_that_one_cannot_have_refuse_for_all(void **state)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_2);

	(void)test_volume(m, TEST_UUID_1);
	strcpy(v->header.parameters.old_cipher, "cipher_null-ecb");
	o.run.skip_unwritten = CHOICE_YES;
	expect_refused(m, NULL, &o, -ENOTSUP);
	m->config->defaults.run.skip_unwritten = true;
	expect_refused(m, NULL, &options, -ENOTSUP);
}

static void a_deadline_that_cannot_be_is_refused(void **state)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct manager *m = *state;

	(void)test_volume(m, TEST_UUID_1);
	o.deadline_usec = 1;
	expect_refused(m, NULL, &o, -EINVAL);
	o.deadline_usec = UINT64_MAX;
	expect_refused(m, NULL, &o, -EINVAL);
}

static void a_daemon_that_ends_begins_nothing(void **state)
{
	struct manager *m = *state;

	(void)test_volume(m, TEST_UUID_1);
	m->stopping = true;
	expect_refused(m, NULL, &options, -ERROR_SHUTTING_DOWN);
}

/* Nobody has to unlock them first. */
static int begin_with_a_provider(void **state)
{
	int r = test_begin(state);

	((struct manager *)*state)->config->defaults.provider.kind = PROVIDER_KEY_FILE;
	return r;
}

static void a_locked_one_refuses_for_all(void **state)
{
	struct manager *m = *state;

	m->config->defaults.provider.kind = PROVIDER_NONE;
	(void)test_volume(m, TEST_UUID_1);
	(void)test_volume(m, TEST_UUID_2);
	expect_refused(m, NULL, &options, -ENOKEY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_with_a_provider, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_that_match_have_one_job_and_no_other),
		TEST(two_groups_have_two_names),
		TEST(where_none_matches_it_is_refused),
		TEST(one_that_cannot_refuses_for_all),
		TEST(what_one_is_at_refuses_for_all),
		TEST(options_that_one_cannot_have_refuse_for_all),
		TEST(a_deadline_that_cannot_be_is_refused),
		TEST(a_daemon_that_ends_begins_nothing),
		TEST(a_locked_one_refuses_for_all),
	};

	log_init("test-rotate-all", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
