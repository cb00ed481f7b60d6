/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <string.h>

#include "daemon/control/worker-slot.h"
#include "daemon/workers/store.h"

#define UUID "6a0a6c3e-0e6f-4ea5-9a25-1a1c6c7a9c6f"

/* In place of the worker and of the fd store: what was said to them. */
static struct {
	int spawn_error;
	unsigned spawned, freed, retired, stops, limits, governors;
	bool stored;
} did;

static struct worker_link *const the_link = (struct worker_link *)&did;

int worker_link_spawn(sd_event *event, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret)
{
	(void)event;
	(void)spec;
	(void)handler;
	(void)userdata;
	if (did.spawn_error < 0)
		return did.spawn_error;
	did.spawned++;
	*ret = the_link;
	return 0;
}

int worker_link_inspect(struct worker_link *l)
{
	assert_ptr_equal(l, the_link);
	return 0;
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	did.freed += l != NULL;
	return NULL;
}

void worker_link_retire(struct worker_link *l)
{
	assert_ptr_equal(l, the_link);
	did.retired++;
}

void worker_link_set_handler(struct worker_link *l, const struct worker_handler *handler,
			     void *userdata)
{
	(void)handler;
	(void)userdata;
	assert_ptr_equal(l, the_link);
}

int worker_link_control_fd(const struct worker_link *l)
{
	assert_ptr_equal(l, the_link);
	return 0;
}

void worker_link_expect(struct worker_link *l, enum worker_job job)
{
	assert_ptr_equal(l, the_link);
	assert_int_not_equal(job, WORKER_NONE);
}

int worker_link_stop(struct worker_link *l)
{
	assert_ptr_equal(l, the_link);
	did.stops++;
	return 0;
}

int worker_link_set_limits(struct worker_link *l, const struct worker_limits *limits)
{
	(void)limits;
	assert_ptr_equal(l, the_link);
	did.limits++;
	return 0;
}

int worker_link_set_governor(struct worker_link *l, const struct governor_config *governor)
{
	(void)governor;
	assert_ptr_equal(l, the_link);
	did.governors++;
	return 0;
}

bool store_put(const char *prefix, const char *uuid, int fd)
{
	(void)fd;
	assert_string_equal(prefix, STORE_WORKER);
	assert_string_equal(uuid, UUID);
	did.stored = true;
	return true;
}

void store_drop(const char *prefix, const char *uuid)
{
	assert_string_equal(prefix, STORE_WORKER);
	assert_string_equal(uuid, UUID);
	did.stored = false;
}

static struct fixture {
	sd_event *event;
	struct turn turn;
	struct volume_mark mark;
	struct worker_slot worker;
} fixture;

static int on_turn(sd_event_source *s, void *userdata)
{
	(void)s;
	(void)userdata;
	return 0;
}

static int on_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	(void)userdata;
	return 0;
}

static int begin(void **state)
{
	memset(&did, 0, sizeof(did));
	fixture = (struct fixture){};
	assert_int_equal(sd_event_new(&fixture.event), 0);
	assert_int_equal(turn_new(fixture.event, on_turn, NULL, &fixture.turn), 0);
	mark_init(&fixture.mark, &fixture.turn);
	worker_slot_init(&fixture.worker, fixture.event, &fixture.mark, UUID, false);
	*state = &fixture.worker;
	return 0;
}

static int end(void **state)
{
	worker_slot_free(*state);
	turn_free(&fixture.turn);
	sd_event_unref(fixture.event);
	return 0;
}

static int start(struct worker_slot *w)
{
	static const struct worker_spec spec;
	static const struct worker_handler handler;

	return worker_slot_start(w, &spec, &handler, NULL, UINT64_C(60000000), on_limit);
}

static void start_and_look(struct worker_slot *w)
{
	assert_int_equal(start(w), 0);
	worker_slot_looked(w);
	assert_int_equal(w->presence, WORKER_READY);
}

static void wait_for_mark(void)
{
	while (!mark_take_due(&fixture.mark))
		assert_true(sd_event_run(fixture.event, UINT64_C(5000000)) >= 0);
}

static void it_looks_before_it_is_ready(void **state)
{
	struct worker_slot *w = *state;

	assert_false(worker_slot_knows_header(w));
	assert_true(worker_slot_may_start(w));
	assert_int_equal(start(w), 0);
	assert_int_equal(w->presence, WORKER_LOOKING);
	assert_false(worker_slot_knows_header(w) || worker_slot_may_start(w));
	worker_slot_looked(w);
	assert_true(worker_slot_knows_header(w));
}

static void an_adopted_one_says_first_what_it_does(void **state)
{
	const struct worker_status status = {.job = WORKER_CONVERT, .run = {.verify = true}};
	struct worker_slot *w = *state;

	worker_slot_init(w, fixture.event, &fixture.mark, UUID, true);
	worker_slot_take(w, the_link, &(struct worker_handler){}, NULL);
	assert_int_equal(w->presence, WORKER_LOOKING);
	worker_slot_found(w, &status);
	assert_int_equal(w->presence, WORKER_READY);
	assert_int_equal(w->job, WORKER_CONVERT);
	assert_true(w->told.run.verify);
}

static void what_was_read_is_known_without_a_worker(void **state)
{
	struct worker_slot *w = *state;

	start_and_look(w);
	worker_slot_keep(w);
	assert_true(did.stored);
	assert_true(worker_slot_drop(w));
	assert_false(worker_slot_drop(w));
	assert_int_equal(did.retired, 1);
	assert_false(did.stored);
	assert_int_equal(w->presence, WORKER_ABSENT);
	worker_slot_look_again(w);
	assert_int_equal(w->presence, WORKER_WANTED);
}

static void one_that_is_dropped_before_it_has_looked_is_wanted(void **state)
{
	struct worker_slot *w = *state;

	assert_int_equal(start(w), 0);
	assert_true(worker_slot_drop(w));
	assert_int_equal(w->presence, WORKER_WANTED);
}

static void the_second_death_in_a_row_makes_a_pause(void **state)
{
	struct worker_slot *w = *state;

	start_and_look(w);
	worker_slot_begin(w, WORKER_CONVERT);
	worker_slot_keep(w);
	assert_false(worker_slot_died(w));
	assert_int_equal(w->presence, WORKER_WANTED); /* the first time at once */
	assert_int_equal(w->job, WORKER_NONE);
	assert_false(did.stored);
	assert_int_equal(start(w), 0);
	assert_false(worker_slot_died(w));
	assert_int_equal(w->presence, WORKER_PAUSED);
	assert_false(worker_slot_may_start(w));
	wait_for_mark();
	assert_true(worker_slot_may_start(w));
}

static void one_that_always_dies_is_given_up(void **state)
{
	struct worker_slot *w = *state;
	unsigned deaths = 0;
	bool given_up = false;

	did.spawn_error = -EAGAIN;
	while (!given_up) {
		deaths++;
		given_up = worker_slot_died(w);
	}
	assert_int_equal(deaths, 6);
	assert_int_equal(w->presence, WORKER_ABSENT); /* until somebody asks */
	assert_int_equal(start(w), -EAGAIN);
	assert_int_equal(w->deaths, 0);
}

static void progress_forgives_deaths(void **state)
{
	struct worker_slot *w = *state;

	for (unsigned i = 0; i < 20; i++) {
		worker_slot_forgive(w);
		assert_false(worker_slot_died(w));
		assert_true(worker_slot_may_start(w));
	}
}

static void a_job_is_stopped_once(void **state)
{
	struct worker_slot *w = *state;

	start_and_look(w);
	worker_slot_begin(w, WORKER_CONVERT);
	(void)worker_slot_stop(w);
	(void)worker_slot_stop(w);
	assert_int_equal(did.stops, 1);
	worker_slot_ended(w, WORKER_CHECK); /* another one's end */
	assert_int_equal(w->job, WORKER_CONVERT);
	worker_slot_ended(w, WORKER_CONVERT);
	worker_slot_begin(w, WORKER_CONVERT);
	(void)worker_slot_stop(w);
	assert_int_equal(did.stops, 2);
}

static void a_conversion_that_is_reversed_goes_on_as_that(void **state)
{
	struct worker_slot *w = *state;

	start_and_look(w);
	worker_slot_begin(w, WORKER_CONVERT);
	worker_slot_reverse_next(w);
	worker_slot_ended(w, WORKER_CONVERT);
	worker_slot_converted(w);
	assert_int_equal(w->job, WORKER_REVERSE);
	worker_slot_ended(w, WORKER_REVERSE);
	worker_slot_begin(w, WORKER_CONVERT);
	worker_slot_ended(w, WORKER_CONVERT);
	worker_slot_converted(w);
	assert_int_equal(w->job, WORKER_NONE);
}

static void a_conversion_whose_reversal_was_refused_just_ends(void **state)
{
	struct worker_slot *w = *state;

	start_and_look(w);
	worker_slot_begin(w, WORKER_CONVERT);
	worker_slot_reverse_next(w);
	worker_slot_ended(w, WORKER_REVERSE);
	assert_int_equal(w->job, WORKER_CONVERT);
	worker_slot_ended(w, WORKER_CONVERT);
	worker_slot_converted(w);
	assert_int_equal(w->job, WORKER_NONE);
}

static void another_process_is_waited_for_but_not_for_ever(void **state)
{
	struct worker_slot *w = *state;

	assert_false(worker_slot_retry_later(w, -EIO));
	assert_true(worker_slot_retry_later(w, -EBUSY));
	assert_true(w->retry.due);
	wait_for_mark();
	assert_false(w->retry.due);
	for (unsigned i = 1; i < 7; i++)
		assert_true(worker_slot_retry_later(w, -EBUSY));
	assert_false(worker_slot_retry_later(w, -EBUSY));
	worker_slot_got_through(w);
	assert_true(worker_slot_retry_later(w, -EBUSY));
}

static void nothing_is_told_twice(void **state)
{
	struct worker_limits limits = {.rate = 1};
	struct governor_config g = {.rate_min = 1000};
	struct worker_slot *w = *state;

	(void)worker_slot_tell_limits(w, &limits); /* nobody is there */
	assert_int_equal(did.limits, 0);
	start_and_look(w);
	(void)worker_slot_tell_limits(w, &limits);
	(void)worker_slot_tell_limits(w, &limits);
	assert_int_equal(did.limits, 1);
	limits.rate = 2;
	(void)worker_slot_tell_limits(w, &limits);
	assert_int_equal(did.limits, 2);
	(void)worker_slot_tell_governor(w, &g);
	g.rate_min = 1020; /* 2 % are not worth a message */
	(void)worker_slot_tell_governor(w, &g);
	assert_int_equal(did.governors, 1);
	g.rate_min = 1021;
	(void)worker_slot_tell_governor(w, &g);
	assert_int_equal(did.governors, 2);
	(void)worker_slot_died(w);
	assert_int_equal(start(w), 0);
	(void)worker_slot_tell_limits(w, &limits); /* the next one knows nothing */
	assert_int_equal(did.limits, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_looks_before_it_is_ready),
		TEST(an_adopted_one_says_first_what_it_does),
		TEST(what_was_read_is_known_without_a_worker),
		TEST(one_that_is_dropped_before_it_has_looked_is_wanted),
		TEST(the_second_death_in_a_row_makes_a_pause),
		TEST(one_that_always_dies_is_given_up),
		TEST(progress_forgives_deaths),
		TEST(a_job_is_stopped_once),
		TEST(a_conversion_that_is_reversed_goes_on_as_that),
		TEST(a_conversion_whose_reversal_was_refused_just_ends),
		TEST(another_process_is_waited_for_but_not_for_ever),
		TEST(nothing_is_told_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
