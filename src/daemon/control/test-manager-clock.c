/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the manager wakes up by the clock on the wall. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/control/test-volume.h"
#include "util/log.h"

#define HOUR (3600 * UINT64_C(1000000))

/* Out of its windows till then. */
static struct volume *waits_until(struct manager *m, const char *uuid, uint64_t when)
{
	struct volume *v = test_volume(m, uuid);

	v->header.reencryption = REENCRYPTION_CLEAN;
	v->clock.window_change = when;
	assert_int_equal(volume_next_look(v), when);
	return v;
}

/* Seconds until the timer fires; 0: it is off. */
static uint64_t left(const struct manager *m)
{
	struct itimerspec spec;

	assert_int_equal(timerfd_gettime(m->core->clock.fd, &spec), 0);
	return (uint64_t)spec.it_value.tv_sec + (spec.it_value.tv_nsec > 0);
}

static void where_there_is_nothing_to_wait_for_there_is_no_timer(void **state)
{
	struct manager *m = *state;

	(void)test_volume(m, TEST_UUID_1);
	manager_set_clock(m);
	assert_int_equal(m->core->clock.fd, -1);
	assert_true(!m->core->clock.timer && !m->core->clock.zone);
}

static void it_waits_for_the_first_of_all_volumes(void **state)
{
	const uint64_t now = wall_clock_usec();
	struct manager *m = *state;
	struct volume *v = waits_until(m, TEST_UUID_1, now + 2 * HOUR);
	struct volume *o = waits_until(m, TEST_UUID_2, now + HOUR);

	manager_set_clock(m);
	assert_int_equal(m->core->clock.due, now + HOUR);
	assert_in_range(left(m), 3590, 3600);
	assert_non_null(m->core->clock.zone); /* and for another time zone */
	o->clock.window_change = now + 3 * HOUR;
	manager_set_clock(m);
	assert_int_equal(m->core->clock.due, now + 2 * HOUR);
	assert_in_range(left(m), 7190, 7200);
	v->clock.window_change = o->clock.window_change = CALENDAR_NEVER;
	manager_set_clock(m);
	assert_int_equal(m->core->clock.due, 0);
	assert_int_equal(left(m), 0);
}

/* A turn that changes nothing about it makes no system call. */
static void the_same_time_is_not_set_again(void **state)
{
	static const struct itimerspec off;
	struct manager *m = *state;

	(void)waits_until(m, TEST_UUID_1, wall_clock_usec() + HOUR);
	manager_set_clock(m);
	assert_int_equal(timerfd_settime(m->core->clock.fd, 0, &off, NULL), 0);
	manager_set_clock(m);
	assert_int_equal(left(m), 0);
}

/* Even where it is behind us: the clock may have been set meanwhile. */
static void when_it_fires_all_are_looked_at_anew(void **state)
{
	struct manager *m = *state;
	struct volume *o = test_volume(m, TEST_UUID_2);
	struct volume *v = waits_until(m, TEST_UUID_1, 1000000);

	o->clock.looked = 5;
	manager_set_clock(m);
	v->header.reencryption = REENCRYPTION_NONE; /* so that it has nothing more to wait for */
	assert_true(sd_event_run(m->event, 5000000) > 0);
	assert_int_equal(o->clock.looked, 0);
	assert_int_equal(v->clock.window_change, 0);
	assert_int_equal(m->core->clock.due,
			 0); /* or the same time would not be waited for again */
	test_turn(m);
	assert_int_equal(left(m), 0);
}

static void it_can_be_freed_at_any_time(void **state)
{
	struct manager *m = *state;

	manager_free_clock(m);
	(void)waits_until(m, TEST_UUID_1, wall_clock_usec() + HOUR);
	manager_set_clock(m);
	manager_free_clock(m);
	assert_int_equal(m->core->clock.fd, -1);
	manager_free_clock(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_there_is_nothing_to_wait_for_there_is_no_timer),
		TEST(it_waits_for_the_first_of_all_volumes),
		TEST(the_same_time_is_not_set_again),
		TEST(when_it_fires_all_are_looked_at_anew),
		TEST(it_can_be_freed_at_any_time),
	};

	log_init("test-manager-clock", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
