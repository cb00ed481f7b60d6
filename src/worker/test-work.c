/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The jobs of a worker, with a desk that notes what it is asked, in which order, and refuses at one
 * of the questions: up to the last of them nothing has been written. The volume is one that the
 * real cryptsetup makes.
 */
#include "worker/work.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/test-begin-util.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

#define REFUSED (-ENOANO) /* no step gives this one */

/* What the desk answers, and what it was asked. */
struct fake {
	struct script script;
	const char *refuses; /* this question; NULL: none */
	bool verifies;       /* may_verify() */
	bool stops;          /* at the first hotzone boundary */
	bool stopped;        /* the last conversion did */
	char asked[256];     /* "keys agree ..." */
	struct conversion_watch watch;
};

static int note(struct work *w, const char *question)
{
	struct fake *f = w->arg;
	const size_t used = strlen(f->asked);

	(void)snprintf(f->asked + used, sizeof(f->asked) - used, "%s%s", used ? " " : "", question);
	return f->refuses && strcmp(f->refuses, question) == 0 ? REFUSED : 0;
}

static int fake_bring_keys(struct work *w)
{
	struct fake *f = w->arg;

	w->steps.passphrases = params_for(&f->script).passphrases;
	return note(w, "bring");
}

static int fake_check_keys(struct work *w)
{
	return note(w, "keys");
}

static bool fake_may_verify(struct work *w)
{
	const struct fake *f = w->arg;

	(void)note(w, "verify");
	return f->verifies;
}

static int fake_keep_keys(struct work *w)
{
	return note(w, "keep");
}

static int fake_check_position(struct work *w)
{
	return note(w, "position");
}

static int fake_confirm_position(struct work *w)
{
	assert_non_null(w->steps.volume.lock);
	return note(w, "confirm");
}

static int fake_agree(struct work *w, const struct luks_begin_plan *plan)
{
	assert_int_equal(plan->n_lost, 0);
	return note(w, "agree");
}

static bool stop_wanted(void *arg)
{
	const struct fake *f = arg;

	return f->stops;
}

static void fake_watch(struct work *w, bool recover_only)
{
	struct fake *f = w->arg;

	(void)note(w, recover_only ? "recover" : "convert");
	f->watch = (struct conversion_watch){.stop = stop_wanted, .arg = f};
	w->steps.watch = &f->watch;
}

static int fake_unwatch(struct work *w, int error, enum engine_outcome outcome)
{
	struct fake *f = w->arg;

	w->steps.watch = NULL;
	f->stopped = outcome == ENGINE_STOPPED;
	return error;
}

static const struct desk fake_desk = {
	.bring_keys = fake_bring_keys,
	.check_keys = fake_check_keys,
	.may_verify = fake_may_verify,
	.keep_keys = fake_keep_keys,
	.check_position = fake_check_position,
	.confirm_position = fake_confirm_position,
	.agree = fake_agree,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
};

typedef int (*job_fn)(struct work *w);

/* @option: "init-only" or "resume-only"; NULL: none. */
static int run(struct fake *f, job_fn job, const char *option)
{
	struct work_options o = WORK_OPTIONS_NONE;
	struct work w;
	int r;

	o.target.device = image;
	o.rotation.force_offline = o.rotation.may_weaken = true;
	o.foreground.init_only = option && strcmp(option, "init-only") == 0;
	o.foreground.resume_only = option && strcmp(option, "resume-only") == 0;
	f->script = (struct script){.next = "a"};
	*f->asked = '\0';
	work_init(&w, &o, &fake_desk, f);
	r = job(&w);
	work_close(&w);
	return r;
}

static void assert_run(struct fake *f, job_fn job, const char *option, int error, const char *asked)
{
	const int r = run(f, job, option);

	if (r != error || strcmp(f->asked, asked) != 0)
		fail_msg("%d and \"%s\" instead of %d and \"%s\"", r, f->asked, error, asked);
}

/* Refused at each of the questions of @asked, which are those up to the first write. */
static void assert_refusable(job_fn job, const char *asked)
{
	char copy[128], *save = NULL;
	uint8_t before[32], after[32];

	image_hash(before);
	assert_true(strlen(asked) < sizeof(copy));
	strcpy(copy, asked);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct fake f = {.refuses = word};
		const size_t length = (size_t)(word - copy) + strlen(word);
		char expected[128];

		(void)snprintf(expected, sizeof(expected), "%.*s", (int)length, asked);
		assert_run(&f, job, NULL, REFUSED, expected);
		image_hash(after);
		assert_memory_equal(before, after, sizeof(before));
	}
}

/* A re-encryption of which nothing is converted. */
static void begin_only(void)
{
	struct fake f = {};

	image_format("--sector-size 512");
	assert_run(&f, work_begin, NULL, 0, "bring keys agree keep");
}

static void a_plan_is_agreed_to_before_anything_is_written(void **state)
{
	struct fake f = {};
	uint8_t before[32], after[32];

	(void)state;
	image_format("--sector-size 512");
	assert_refusable(work_begin, "bring keys agree");
	assert_refusable(work_reencrypt, "bring keys agree");
	image_hash(before);
	assert_run(&f, work_check, NULL, 0, "bring keys agree");
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
	assert_run(&f, work_reencrypt, NULL, 0, "bring keys agree keep convert");
	assert_false(f.stopped);
	assert_run(&f, work_resume, NULL, -ERROR_NO_ROTATION, "bring");
}

static void a_beginning_is_a_job_of_its_own(void **state)
{
	struct fake f = {};

	(void)state;
	image_format("--sector-size 512");
	assert_run(&f, work_reencrypt, "resume-only", -ERROR_NO_ROTATION, "bring");
	assert_run(&f, work_reencrypt, "init-only", 0, "bring keys agree keep");
	assert_run(&f, work_begin, NULL, -ERROR_IN_PROGRESS, "bring");
	assert_run(&f, work_check, NULL, -ERROR_IN_PROGRESS, "bring");
	assert_run(&f, work_reencrypt, "init-only", -EINVAL, "bring");
}

static void a_resume_asks_before_the_first_commit(void **state)
{
	struct fake f = {.stops = true};

	(void)state;
	begin_only();
	assert_refusable(work_resume, "bring position keys keep confirm");
	assert_refusable(work_reencrypt, "bring position keys keep confirm");
	assert_run(&f, work_resume, NULL, 0, "bring position keys keep confirm convert");
	assert_true(f.stopped);
	f.stops = false;
	assert_run(&f, work_reencrypt, NULL, 0, "bring position keys keep confirm convert");
	assert_false(f.stopped);
}

static void a_cancel_asks_before_the_first_commit(void **state)
{
	struct fake f = {};

	(void)state;
	begin_only();
	assert_refusable(work_cancel, "bring position keys keep confirm");
	assert_run(&f, work_cancel, NULL, 0, "bring position keys keep confirm convert");
	assert_run(&f, work_cancel, NULL, -EINVAL, "bring");
}

/* The manager takes a note between the two. */
static void what_has_nothing_converted_is_undone_and_not_reversed(void **state)
{
	struct fake f = {};

	(void)state;
	begin_only();
	assert_refusable(work_reverse, "bring position keys keep confirm");
	assert_run(&f, work_reverse, NULL, 0, "bring position keys keep confirm");
	assert_run(&f, work_undo, NULL, 0, "bring position keys keep confirm convert");
	assert_run(&f, work_undo, NULL, -ERROR_NO_ROTATION, "bring");
	assert_run(&f, work_reverse, NULL, -ERROR_NO_ROTATION, "bring");
}

static void a_clean_header_is_verified_where_there_is_a_key(void **state)
{
	struct fake f = {};

	(void)state;
	begin_only();
	assert_run(&f, work_recover, NULL, 0, "bring verify");
	f.verifies = true;
	assert_run(&f, work_recover, NULL, 0, "bring verify keys keep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_is_agreed_to_before_anything_is_written),
		cmocka_unit_test(a_beginning_is_a_job_of_its_own),
		cmocka_unit_test(a_resume_asks_before_the_first_commit),
		cmocka_unit_test(a_cancel_asks_before_the_first_commit),
		cmocka_unit_test(what_has_nothing_converted_is_undone_and_not_reversed),
		cmocka_unit_test(a_clean_header_is_verified_where_there_is_a_key),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-work", getenv("DEBUG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
