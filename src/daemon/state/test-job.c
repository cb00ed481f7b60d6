/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>

#include "daemon/state/job.h"

/* A volume is known here by its address alone. */
struct volume {
	struct job *job;
	unsigned left;
};

static struct {
	unsigned added, changed, removed;
	uint64_t what; /* of the last change */
} heard;

static void on_added(struct job *j, void *userdata)
{
	(void)j;
	(void)userdata;
	heard.added++;
}

static void on_changed(struct job *j, uint64_t what, void *userdata)
{
	(void)j;
	(void)userdata;
	heard.changed++;
	heard.what = what;
}

static void on_removed(struct job *j, void *userdata)
{
	(void)j;
	(void)userdata;
	heard.removed++;
}

static void on_left(struct volume *v, void *userdata)
{
	(void)userdata;
	v->left++;
}

static const struct job_observer observer = {
	.added = on_added, .changed = on_changed, .removed = on_removed, .left = on_left};

static int begin(void **state)
{
	static struct jobs jobs;

	jobs = (struct jobs){.observer = &observer};
	heard.added = heard.changed = heard.removed = 0;
	*state = &jobs;
	return 0;
}

static int end(void **state)
{
	job_free_all(*state);
	return 0;
}

static struct job *new_job(struct jobs *jobs, struct volume *v, size_t n)
{
	struct job_seat seats[3];
	struct job *j;

	for (size_t i = 0; i < n; i++)
		seats[i] =
			(struct job_seat){.volume = &v[i], .present = &v[i].job, .uuid = "an id"};
	assert_int_equal(job_new(jobs, JOB_ROTATE, seats, n, &j), 0);
	return j;
}

static void a_job_takes_its_way(void **state)
{
	struct jobs *jobs = *state;
	struct volume v = {};
	struct job *j = new_job(jobs, &v, 1);

	assert_ptr_equal(v.job, j);
	assert_int_equal(heard.added, 1);
	assert_int_equal(j->state, JOB_WAITING);
	job_member_started(j, &v);
	assert_int_equal(j->state, JOB_RUNNING);
	assert_int_equal(jobs->running, 1);
	assert_int_equal(heard.what, JOB_CHANGED_STATE | JOB_CHANGED_RUNNING);
	job_member_ended(j, &v, 0, NULL);
	assert_int_equal(j->state, JOB_DONE);
	assert_int_equal(jobs->running, 0);
	assert_null(v.job);
	assert_int_equal(v.left, 1);
	assert_int_equal(heard.changed, 2);
}

static void a_job_that_never_ran_changes_no_number(void **state)
{
	struct volume v = {};
	struct job *j = new_job(*state, &v, 1);

	job_member_ended(j, &v, -ECANCELED, &(struct failure){.text = "no"});
	assert_int_equal(j->state, JOB_CANCELLED);
	assert_int_equal(heard.what, JOB_CHANGED_STATE);
}

static void a_job_ends_with_its_last_member_and_the_first_error(void **state)
{
	struct volume v[3] = {};
	struct job *j = new_job(*state, v, 3);

	job_member_ended(j, &v[1], -EIO, &(struct failure){.text = "first"});
	job_member_ended(j, &v[0], -EINVAL, &(struct failure){.text = "second"});
	assert_int_equal(j->state, JOB_WAITING);
	job_member_ended(j, &v[2], 0, NULL);
	assert_int_equal(j->state, JOB_FAILED);
	assert_int_equal(j->error, -EIO);
	assert_string_equal(j->failure.text, "first");
}

static void a_part_ends_once(void **state)
{
	struct volume v = {};
	struct job *j = new_job(*state, &v, 1);

	job_member_ended(j, &v, 0, NULL);
	job_member_ended(j, &v, -EIO, &(struct failure){.text = "late"});
	assert_int_equal(j->state, JOB_DONE);
	assert_int_equal(v.left, 1);
}

static void all_are_prepared_with_the_last(void **state)
{
	struct volume v[3] = {};
	struct job *j = new_job(*state, v, 3);

	assert_false(job_member_prepared(j, &v[2]));
	assert_false(job_member_prepared(j, &v[0]));
	assert_false(job_member_prepared(j, &v[0]));
	assert_true(job_member_prepared(j, &v[1]));
}

static void a_later_job_of_the_volume_stays_its_own(void **state)
{
	struct volume v = {};
	struct job *first = new_job(*state, &v, 1), *second = new_job(*state, &v, 1);

	job_member_ended(first, &v, 0, NULL);
	assert_ptr_equal(v.job, second);
	assert_int_equal(v.left, 0);
}

static void a_volume_that_goes_away_fails_its_part(void **state)
{
	struct jobs *jobs = *state;
	struct volume v[2] = {};
	struct job *j = new_job(jobs, v, 2);

	job_volume_removed(jobs, &v[0], -ENODEV, &(struct failure){.text = "gone"});
	assert_null(j->members[0].volume);
	assert_null(v[0].job);
	job_member_ended(j, &v[1], 0, NULL);
	assert_int_equal(j->error, -ENODEV);
}

static void old_jobs_go_and_those_that_wait_stay(void **state)
{
	struct jobs *jobs = *state;
	struct volume waits = {}, v = {};
	struct job *j = new_job(jobs, &waits, 1);

	for (unsigned i = 0; i < JOBS_KEPT + 2; i++)
		job_member_ended(new_job(jobs, &v, 1), &v, 0, NULL);
	(void)new_job(jobs, &v, 1);
	assert_int_equal(heard.removed, 2);
	assert_ptr_equal(jobs->first, j);
	assert_int_equal(jobs->n, 1 + JOBS_KEPT + 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_takes_its_way),
		TEST(a_job_that_never_ran_changes_no_number),
		TEST(a_job_ends_with_its_last_member_and_the_first_error),
		TEST(a_part_ends_once),
		TEST(all_are_prepared_with_the_last),
		TEST(a_later_job_of_the_volume_stays_its_own),
		TEST(a_volume_that_goes_away_fails_its_part),
		TEST(old_jobs_go_and_those_that_wait_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
