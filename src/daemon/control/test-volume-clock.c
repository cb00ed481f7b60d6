/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)
/* A Friday, 00:00 UTC. */
#define START (UINT64_C(1798761600) * SECOND)

static uint64_t now = START;

/* In place of the clock. */
uint64_t wall_clock_usec(void)
{
	return now;
}

uint64_t now_usec(void)
{
	return now;
}

static struct fixture {
	struct config config;
	struct manager manager;
	struct turn turn;
	sd_event *event;
	struct volume v;
} x;

static int on_turn(sd_event_source *s, void *userdata)
{
	(void)s;
	(void)userdata;
	return 0;
}

/* In re-encryption, 1000 bytes of which are left. */
static int begin(void **state)
{
	const struct worker_look look = {.valid = true,
					 .reencryption = REENCRYPTION_CLEAN,
					 .parameters.direction = "forward",
					 .progress = {.bytes_total = 1000}};

	now = START;
	x = (struct fixture){.manager = {.config = &x.config}};
	assert_int_equal(sd_event_new(&x.event), 0);
	assert_int_equal(turn_new(x.event, on_turn, NULL, &x.turn), 0);
	mark_init(&x.v.mark, &x.turn);
	x.v.manager = &x.manager;
	header_looked(&x.v.header, &look);
	progress_looked(&x.v.progress, &look);
	*state = &x.v;
	return 0;
}

static int end(void **state)
{
	(void)state;
	politeness_clear(&x.config.defaults.polite);
	turn_free(&x.turn);
	sd_event_unref(x.event);
	return 0;
}

static void configure(const char *key, const char *value)
{
	assert_int_equal(politeness_set(&x.config.defaults.polite, key, value), 0);
	volume_forget_clock(&x.v);
}

static void a_volume_without_windows_is_never_outside(void **state)
{
	struct volume *v = *state;

	assert_false(volume_look_at_clock(v));
	assert_false(v->clock.outside);
	assert_int_equal(volume_next_look(v), CALENDAR_NEVER);
	assert_int_equal(volume_end_of_next_window(v), 0);
}

static void a_window_closes_and_opens_by_the_clock(void **state)
{
	struct volume *v = *state;

	configure("Window", "01:00 for 2h");
	(void)volume_look_at_clock(v);
	assert_true(v->clock.outside);
	assert_non_null(strstr(v->clock.window_reason, "continues on"));
	assert_int_equal(volume_next_look(v), START + HOUR);
	now = START + HOUR;
	(void)volume_look_at_clock(v);
	assert_false(v->clock.outside);
	assert_int_equal(volume_next_look(v), START + 3 * HOUR);
	assert_int_equal(volume_end_of_next_window(v), START + 3 * HOUR);
	now = START + 3 * HOUR;
	(void)volume_look_at_clock(v);
	assert_true(v->clock.outside);
}

static void a_clock_that_was_set_is_looked_at_anew(void **state)
{
	struct volume *v = *state;

	configure("Window", "01:00 for 2h");
	(void)volume_look_at_clock(v);
	now = START - 22 * HOUR - HOUR / 2; /* half past one, the day before */
	(void)volume_look_at_clock(v);
	assert_true(v->clock.outside); /* until somebody says that the clock was set */
	volume_forget_clock(v);
	(void)volume_look_at_clock(v);
	assert_false(v->clock.outside);
}

static void a_person_may_say_not_to_wait_for_one(void **state)
{
	struct volume *v = *state;

	configure("Window", "01:00 for 2h");
	record_ignore_windows(&v->token.record, START + HOUR / 2);
	(void)volume_look_at_clock(v);
	assert_false(v->clock.outside);
	assert_int_equal(volume_next_look(v), START + HOUR / 2);
	now = START + HOUR / 2;
	(void)volume_look_at_clock(v);
	assert_true(v->clock.outside);
}

static void a_volume_at_rest_has_neither(void **state)
{
	const struct worker_look look = {.valid = true};
	struct volume *v = *state;

	configure("Window", "01:00 for 2h");
	header_looked(&v->header, &look);
	assert_false(volume_look_at_clock(v));
	assert_false(v->clock.outside);
	assert_int_equal(v->clock.deadline_usec, 0);
	assert_int_equal(volume_next_look(v), CALENDAR_NEVER);
}

static void a_deadline_asks_for_a_rate(void **state)
{
	struct volume *v = *state;

	v->token.record.deadline_usec = START + 100 * SECOND;
	assert_false(volume_look_at_clock(v));
	assert_int_equal(v->clock.deadline_usec, START + 100 * SECOND);
	assert_int_equal(v->clock.rate_floor, deadline_floor(10)); /* 1000 bytes in 100 s */
	assert_true(mark_take_changes(&v->mark) & VOLUME_CHANGED_DEADLINE);
}

static void a_deadline_that_the_limit_forbids_is_at_risk_once(void **state)
{
	struct volume *v = *state;

	v->settings.rate_limit = 5;
	v->token.record.deadline_usec = START + 100 * SECOND;
	assert_true(volume_look_at_clock(v));
	assert_true(v->clock.at_risk);
	assert_int_equal(v->clock.needed, 10);
	assert_non_null(strstr(v->clock.risk_reason, "will be missed"));
	volume_forget_clock(v);
	assert_false(volume_look_at_clock(v)); /* which is no news */
	assert_true(v->clock.at_risk);
}

static void it_comes_at_risk_while_nothing_is_done(void **state)
{
	struct volume *v = *state;

	v->settings.rate_limit = 100; /* ten seconds are enough */
	v->token.record.deadline_usec = START + 100 * SECOND;
	assert_false(volume_look_at_clock(v));
	assert_int_equal(volume_next_look(v), START + 91 * SECOND);
	now = START + 91 * SECOND;
	assert_true(volume_look_at_clock(v));
}

static void who_goes_back_has_no_deadline(void **state)
{
	struct volume *v = *state;

	v->settings.rate_limit = 5;
	v->token.record.deadline_usec = START + 100 * SECOND;
	(void)volume_look_at_clock(v);
	record_cancel(&v->token.record);
	assert_false(volume_look_at_clock(v));
	assert_false(v->clock.at_risk);
	assert_true(v->clock.deadline_usec == 0 && v->clock.rate_floor == 0);
}

static void the_end_counts_in_windows(void **state)
{
	struct volume *v = *state;

	assert_int_equal(volume_end_at_rate(v), 0); /* nothing runs */
	progress_heard(&v->progress, &(struct worker_progress){.rate = 1, .bytes_total = 7200});
	assert_int_equal(volume_end_at_rate(v), START + 2 * HOUR);
	configure("Window", "00:00 for 1h");
	assert_int_equal(volume_end_at_rate(v), START + 25 * HOUR);
}

static void an_estimate_knows_limits_and_windows(void **state)
{
	struct volume *v = *state;

	assert_int_equal(volume_estimate(v, 1000, 0), 0); /* nobody has measured anything */
	assert_int_equal(volume_estimate(v, 1000, 7), 7);
	v->settings.rate_limit = 10;
	assert_int_equal(volume_estimate(v, 1000, 7), 100 * SECOND);
	x.manager.rate_limit = 5;
	assert_int_equal(volume_estimate(v, 1000, 7), 200 * SECOND);
	assert_int_equal(volume_estimate(v, 1000, 300 * SECOND), 300 * SECOND);
	configure("Window", "01:00 for 2h");
	assert_int_equal(volume_estimate(v, 1000, 0), HOUR + 200 * SECOND);
	assert_int_equal(volume_estimate(v, 5 * 3 * 3600, 0), 26 * HOUR); /* three hours */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_volume_without_windows_is_never_outside),
		TEST(a_window_closes_and_opens_by_the_clock),
		TEST(a_clock_that_was_set_is_looked_at_anew),
		TEST(a_person_may_say_not_to_wait_for_one),
		TEST(a_volume_at_rest_has_neither),
		TEST(a_deadline_asks_for_a_rate),
		TEST(a_deadline_that_the_limit_forbids_is_at_risk_once),
		TEST(it_comes_at_risk_while_nothing_is_done),
		TEST(who_goes_back_has_no_deadline),
		TEST(the_end_counts_in_windows),
		TEST(an_estimate_knows_limits_and_windows),
	};

	(void)setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
