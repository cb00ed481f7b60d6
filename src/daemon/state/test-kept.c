/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs and accepted calls that outlive the daemon. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/job.h"
#include "daemon/state/kept-text.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define A "11111111-2222-3333-4444-555555555555"
#define B "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/* A volume is known here by its address alone. */
struct volume {
	struct job *job;
};

static void on_job(struct job *j, void *userdata)
{
	(void)j;
	(void)userdata;
}

static void on_changed(struct job *j, uint64_t what, void *userdata)
{
	(void)j;
	(void)what;
	(void)userdata;
}

static void on_left(struct volume *v, void *userdata)
{
	(void)v;
	(void)userdata;
}

static const struct job_observer observer = {
	.added = on_job, .changed = on_changed, .removed = on_job, .left = on_left};

static struct jobs jobs, next; /* of a daemon, and of the one after it */

static int begin(void **state)
{
	(void)state;
	jobs = next = (struct jobs){.observer = &observer};
	return 0;
}

static int end(void **state)
{
	(void)state;
	job_free_all(&jobs);
	job_free_all(&next);
	return 0;
}

static struct job *new_job(struct volume *v, const char *uuid)
{
	const struct job_seat seat = {.volume = v, .present = &v->job, .uuid = uuid};
	struct job *j;

	assert_int_equal(job_new(&jobs, JOB_ROTATE, &seat, 1, &j), 0);
	return j;
}

static void accept_call(const char *id, uint64_t job, uint64_t usec)
{
	struct accepted_call c = {.verb = "Rotate", .object = "/o", .job = job, .usec = usec};

	(void)snprintf(c.id.text, sizeof(c.id.text), "%s", id);
	assert_int_equal(accepted_add(&jobs.accepted, &c), 0);
}

static const struct accepted_call *find(const struct jobs *in, const char *text)
{
	struct request_id id;

	(void)snprintf(id.text, sizeof(id.text), "%s", text);
	return accepted_find(&in->accepted, &id);
}

/* The next daemon. */
static void restart(void)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(kept_format(&jobs, &text), 0);
	assert_int_equal(kept_parse(&next, text), 0);
}

static void a_result_is_as_it_was(void **state)
{
	struct volume v = {};
	struct job *j, *k;

	(void)state;
	jobs.caller = (struct caller_id){.known = true, .uid = 0};
	j = new_job(&v, A);
	job_member_started(j, &v);
	job_member_ended(j, &v, -ENOKEY,
			 &(struct failure){.name = "Locked", .text = "no \"key\"\n"});
	accept_call("an-id", j->id, 7);
	restart();
	k = next.first;
	assert_non_null(k);
	assert_int_equal(k->id, j->id);
	assert_int_equal(k->kind, JOB_ROTATE);
	assert_int_equal(k->state, JOB_FAILED);
	assert_int_equal(k->error, -ENOKEY);
	assert_string_equal(k->failure.name, "Locked");
	assert_string_equal(k->failure.text, "no \"key\"\n");
	assert_true(k->caller.known && k->caller.uid == 0);
	assert_int_equal(k->created_usec, j->created_usec);
	assert_int_equal(k->started_usec, j->started_usec);
	assert_int_equal(k->ended_usec, j->ended_usec);
	assert_string_equal(k->members[0].uuid, A);
	assert_true(k->members[0].ended);
	assert_int_equal(find(&next, "an-id")->job, j->id);
	assert_string_equal(find(&next, "an-id")->verb, "Rotate");
	assert_string_equal(find(&next, "an-id")->object, "/o");
	assert_int_equal(find(&next, "an-id")->usec, 7);
}

static void what_had_not_ended_goes_on_with_its_volume(void **state)
{
	struct volume v = {}, w = {};
	struct job_seat seat = {.volume = &w, .present = &w.job, .uuid = B};
	struct job *j = new_job(&v, A);

	(void)state;
	job_member_started(j, &v);
	restart();
	assert_int_equal(next.first->state, JOB_WAITING);
	assert_int_equal(next.running, 0);
	assert_false(next.first->caller.known);
	assert_null(job_volume_found(&next, &seat));
	seat.uuid = A;
	assert_ptr_equal(job_volume_found(&next, &seat), next.first);
	assert_ptr_equal(w.job, next.first);
	job_member_started(next.first, &w);
	assert_int_equal(next.first->started_usec, j->started_usec);
	assert_int_equal(next.running, 1);
	job_member_ended(next.first, &w, 0, NULL);
	assert_int_equal(next.first->state, JOB_DONE);
	assert_null(w.job);
	assert_null(job_volume_found(&next, &seat));
}

static void of_two_jobs_the_last_goes_on(void **state)
{
	struct volume v = {}, w = {};
	const struct job_seat seat = {.volume = &w, .present = &w.job, .uuid = A};

	(void)state;
	(void)new_job(&v, A);
	(void)new_job(&v, A);
	restart();
	assert_ptr_equal(job_volume_found(&next, &seat), next.first->next);
	assert_ptr_equal(w.job, next.first->next);
	assert_int_equal(next.first->state, JOB_CANCELLED);
}

static void numbers_are_not_given_again(void **state)
{
	struct volume v = {};
	const struct job_seat seat = {.volume = &v, .present = &v.job, .uuid = A};
	struct job *j = new_job(&v, A);

	(void)state;
	job_member_ended(j, &v, 0, NULL);
	restart();
	assert_int_equal(job_new(&next, JOB_CANCEL, &seat, 1, &j), 0);
	assert_int_equal(j->id, jobs.first->id + 1);
}

static void results_of_calls_with_an_id_stay_longer(void **state)
{
	struct volume v = {};
	char id[16];

	(void)state;
	for (unsigned i = 0; i < JOBS_KEPT * 2; i++) {
		struct job *j = new_job(&v, A);

		(void)snprintf(id, sizeof(id), "%u", i);
		if (i % 2 == 0)
			accept_call(id, j->id, 1);
		job_member_ended(j, &v, 0, NULL);
	}
	(void)new_job(&v, A);
	/* All with an id, and of the last JOBS_KEPT those without. */
	assert_int_equal(jobs.n, JOBS_KEPT + JOBS_KEPT / 2 + 1);
	assert_non_null(find(&jobs, "0"));
}

static void old_results_go(void **state)
{
	const uint64_t now = wall_clock_usec();
	struct volume v = {};
	struct job *j = new_job(&v, A);

	(void)state;
	accept_call("old", j->id, 1);
	accept_call("old-done", 0, now - ACCEPTED_AGE_USEC - 1000);
	accept_call("done", 0, now);
	job_member_ended(j, &v, 0, NULL);
	job_drop_old(&jobs);
	assert_int_equal(jobs.n, 1);
	assert_null(find(&jobs, "old-done"));
	assert_non_null(find(&jobs, "done"));
	j->ended_usec = now - JOBS_AGE_USEC - 1000;
	job_drop_old(&jobs);
	assert_int_equal(jobs.n, 0);
	assert_null(find(&jobs, "old"));
}

static void a_job_waits_a_year_for_its_volume(void **state)
{
	struct volume v = {};
	const struct job_seat seat = {.volume = &v, .present = &v.job, .uuid = A};
	struct job *j = new_job(&v, A);

	(void)state;
	j->created_usec -= JOBS_WAIT_USEC / 2;
	(void)new_job(&v, B);
	jobs.first->next->created_usec -= JOBS_WAIT_USEC + 1000000;
	restart();
	assert_int_equal(next.n, 2);
	job_drop_old(&next);
	assert_int_equal(next.n, 1);
	next.first->created_usec -= JOBS_WAIT_USEC;
	assert_non_null(job_volume_found(&next, &seat));
	job_drop_old(&next);
	assert_int_equal(next.n, 1); /* its volume is there */
}

static void the_list_of_calls_is_bounded(void **state)
{
	char id[16];

	(void)state;
	for (unsigned i = 0; i < ACCEPTED_KEPT + 3; i++) {
		(void)snprintf(id, sizeof(id), "%u", i);
		accept_call(id, 0, 1);
	}
	assert_int_equal(jobs.accepted.n, ACCEPTED_KEPT);
	assert_null(find(&jobs, "2"));
	assert_non_null(find(&jobs, "3"));
}

static void ids_are_of_a_few_characters(void **state)
{
	struct request_id id = {"azAZ09-._:"};
	struct failure f;

	(void)state;
	assert_int_equal(request_id_check(&id, &f), 0);
	for (unsigned c = 1; c < 256; c++) {
		id.text[0] = (char)c;
		assert_int_equal(request_id_check(&id, &f) == 0,
				 strchr("-._:", (int)c) || (c >= '0' && c <= '9') ||
					 (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
	}
}

#define MEMBER "\"members\":[{\"uuid\":\"" A "\"}]"

static void what_is_wrong_is_left_out(void **state)
{
	static const char *const bad[] = {
		"1",
		"{}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"waiting\"}",
		"{\"id\":0,\"kind\":\"rotate\",\"state\":\"waiting\"," MEMBER "}",
		"{\"id\":-1,\"kind\":\"rotate\",\"state\":\"waiting\"," MEMBER "}",
		"{\"id\":1,\"kind\":\"x\",\"state\":\"waiting\"," MEMBER "}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"x\"," MEMBER "}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"done\"," MEMBER "}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"waiting\",\"members\":[]}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"waiting\",\"members\":[7]}",
		"{\"id\":1,\"kind\":\"rotate\",\"state\":\"waiting\",\"members\":[{\"uuid\":\"x\"}]"
		"}",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(
			text, sizeof(text),
			"{\"jobs\":[%s,{\"id\":9,\"kind\":\"cancel\",\"state\":\"waiting\"," MEMBER
			"}],\"calls\":[{\"id\":\"a b\",\"job\":9},{\"id\":\"x\",\"job\":1},"
			"{\"id\":\"y\",\"job\":9},{\"id\":\"y\",\"job\":9},null]}",
			bad[i]);
		assert_int_equal(kept_parse(&next, text), 0);
		assert_int_equal(next.n, 1);
		assert_int_equal(next.first->id, 9);
		assert_int_equal(next.accepted.n, 1);
		job_free_all(&next);
		next = (struct jobs){.observer = &observer};
	}
	assert_int_equal(kept_parse(&next, "[]"), -EBADMSG);
	assert_int_equal(kept_parse(&next, ""), -EBADMSG);
	assert_int_equal(kept_parse(&next, "{}"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_result_is_as_it_was),
		TEST(what_had_not_ended_goes_on_with_its_volume),
		TEST(of_two_jobs_the_last_goes_on),
		TEST(numbers_are_not_given_again),
		TEST(results_of_calls_with_an_id_stay_longer),
		TEST(old_results_go),
		TEST(a_job_waits_a_year_for_its_volume),
		TEST(the_list_of_calls_is_bounded),
		TEST(ids_are_of_a_few_characters),
		TEST(what_is_wrong_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
