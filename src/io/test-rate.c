/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rate limiter on the real clock: what is let through in a time, how soon a new rate and an
 * interruption are taken up. The tolerances are the promises of rate.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "io/rate.h"
#include "util/checked.h"
#include "util/clock.h"

#define KIB   UINT64_C(1024)
#define MIB   (1024 * KIB)
#define BLOCK UINT64_C(4096)

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static bool flag_is_set(void *arg)
{
	const bool *flag = arg;

	return *flag;
}

/* Works for @usec in hotzones of what the limiter says, each of which takes @work_usec. */
static uint64_t bytes_in(struct rate *r, uint64_t *total, uint64_t usec, uint64_t work_usec)
{
	const struct timespec work = {.tv_nsec = (long)(work_usec * 1000)};
	const uint64_t before = *total, end = now_usec() + usec;

	for (;;) {
		uint64_t size;

		rate_wait(r, *total, never, NULL);
		if (now_usec() >= end)
			return *total - before;
		size = rate_hotzone(r);
		assert_int_not_equal(size, 0);
		assert_int_equal(nanosleep(&work, NULL), 0);
		*total += MAX(round_down_u64(size, BLOCK), BLOCK);
	}
}

static void within(uint64_t bytes, uint64_t wanted, uint64_t percent)
{
	assert_in_range(bytes, wanted - wanted * percent / 100, wanted + wanted * percent / 100);
}

/* Hotzones of 1/8 s make 1.3 % of 10 s, and the clock the rest. */
static void the_rate_of_ten_seconds_is_exact_to_2_percent(void **state)
{
	struct rate r;
	uint64_t total = 0;

	(void)state;
	assert_int_equal(rate_init(&r, 64 * KIB), 0);
	within(bytes_in(&r, &total, 10000000, 20000), 640 * KIB, 2);
	rate_destroy(&r);
}

/* One second has eight hotzones: one more or less is 13 %. */
static void a_new_rate_is_that_of_the_next_second(void **state)
{
	static const uint64_t rates[] = {64 * KIB, 100 * MIB, 128 * KIB};
	struct rate r;
	uint64_t total = 0;

	(void)state;
	assert_int_equal(rate_init(&r, rates[0]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		rate_set(&r, rates[i]);
		within(bytes_in(&r, &total, 1000000, 1000), rates[i], 13);
	}
	rate_destroy(&r);
}

/* 4 MiB without a limit are not charged at the limit that comes after them. */
static void work_of_before_is_not_paid_at_a_new_rate(void **state)
{
	struct rate r;
	uint64_t before;

	(void)state;
	assert_int_equal(rate_init(&r, 0), 0);
	rate_wait(&r, 0, never, NULL);
	assert_int_equal(rate_hotzone(&r), 0);
	rate_set(&r, 64 * KIB);
	assert_true(rate_is_due(&r, 4 * MIB, now_usec()));
	before = now_usec();
	rate_wait(&r, 4 * MIB, never, NULL);
	assert_in_range(now_usec() - before, 0, 2 * RATE_HOTZONE_USEC);
	assert_int_equal(rate_hotzone(&r), 8 * KIB);
	rate_destroy(&r);
}

/* A hotzone that took 1 s pays for itself and half a second more: not for hours to come. */
static void lost_time_is_made_up_for_only_so_far(void **state)
{
	const struct timespec stall = {.tv_sec = 1};
	struct rate r;
	uint64_t total = 0;

	(void)state;
	assert_int_equal(rate_init(&r, MIB), 0);
	rate_wait(&r, total, never, NULL);
	assert_int_equal(nanosleep(&stall, NULL), 0);
	/* 1 s of work, and the burst. */
	within(bytes_in(&r, &total, 1000000, 0), MIB + MIB / 2, 13);
	rate_destroy(&r);
}

static void *interrupt_later(void *arg)
{
	const struct timespec later = {.tv_nsec = 100000000};
	struct {
		struct rate *r;
		bool *flag;
	} *what = arg;

	(void)nanosleep(&later, NULL);
	*what->flag = true;
	rate_wake(what->r);
	return NULL;
}

/* 1 MiB at 1 KiB/s would be a wait of 17 minutes. */
static void a_wait_can_be_interrupted_and_still_has_to_be_paid(void **state)
{
	static bool flag;
	struct rate r;
	struct {
		struct rate *r;
		bool *flag;
	} what = {&r, &flag};
	pthread_t thread;
	uint64_t before;

	(void)state;
	flag = false;
	assert_int_equal(rate_init(&r, KIB), 0);
	rate_wait(&r, 0, never, NULL);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_later, &what), 0);
	before = now_usec();
	rate_wait(&r, MIB, flag_is_set, &flag);
	assert_in_range(now_usec() - before, 50000, 2000000);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(rate_is_due(&r, MIB, now_usec()));
	rate_destroy(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_of_ten_seconds_is_exact_to_2_percent),
		cmocka_unit_test(a_new_rate_is_that_of_the_next_second),
		cmocka_unit_test(work_of_before_is_not_paid_at_a_new_rate),
		cmocka_unit_test(lost_time_is_made_up_for_only_so_far),
		cmocka_unit_test(a_wait_can_be_interrupted_and_still_has_to_be_paid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
