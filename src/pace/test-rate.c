/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rate limiter on the real clock: what is let through in a time, how soon a new rate and an
 * interruption are taken up. The tolerances are the promises of rate.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "pace/rate.h"
#include "util/checked.h"
#include "util/clock.h"

#define KIB   UINT64_C(1024)
#define MIB   (1024 * KIB)
#define BLOCK UINT64_C(4096)
#define TRIES 3

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

/* Prints what is not. A machine that is busy with something else steals time, so there are tries.
 */
static bool within(uint64_t bytes, uint64_t wanted, uint64_t percent)
{
	const uint64_t off = bytes > wanted ? bytes - wanted : wanted - bytes;

	if (off <= wanted * percent / 100)
		return true;
	print_message("%ju bytes instead of %ju\n", (uintmax_t)bytes, (uintmax_t)wanted);
	return false;
}

/* Hotzones of 1/8 s make 1.3 % of 10 s, and the clock the rest. */
static void the_rate_of_ten_seconds_is_exact_to_2_percent(void **state)
{
	struct rate r;
	uint64_t total = 0;
	unsigned tries = 1;

	(void)state;
	assert_int_equal(rate_init(&r, 64 * KIB), 0);
	while (!within(bytes_in(&r, &total, 10000000, 20000), 640 * KIB, 2))
		assert_true(tries++ < TRIES);
	rate_destroy(&r);
}

/* In the second after a change. */
static uint64_t bytes_after_change(uint64_t from, uint64_t to)
{
	struct rate r;
	uint64_t total = 0, bytes;

	assert_int_equal(rate_init(&r, from), 0);
	(void)bytes_in(&r, &total, 300000, 1000);
	rate_set(&r, to);
	bytes = bytes_in(&r, &total, 1000000, 1000);
	rate_destroy(&r);
	return bytes;
}

/* One second has eight hotzones: one more or less is 13 %. */
static void a_new_rate_is_that_of_the_next_second(void **state)
{
	static const uint64_t rates[] = {64 * KIB, 100 * MIB, 128 * KIB};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(rates); i++) {
		unsigned tries = 1;

		while (!within(bytes_after_change(rates[i], rates[i + 1]), rates[i + 1], 13))
			assert_true(tries++ < TRIES);
	}
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
	/* They would be worth a minute. */
	assert_in_range(now_usec() - before, 0, 30000000);
	assert_int_equal(rate_hotzone(&r), 8 * KIB);
	rate_destroy(&r);
}

/* In a second after one that was lost. */
static uint64_t bytes_after_a_stall(void)
{
	const struct timespec stall = {.tv_sec = 1};
	struct rate r;
	uint64_t total = 0, bytes;

	assert_int_equal(rate_init(&r, MIB), 0);
	rate_wait(&r, total, never, NULL);
	assert_int_equal(nanosleep(&stall, NULL), 0);
	bytes = bytes_in(&r, &total, 1000000, 0);
	rate_destroy(&r);
	return bytes;
}

/* A hotzone that took 1 s pays for itself and half a second more: not for hours to come. */
static void lost_time_is_made_up_for_only_so_far(void **state)
{
	unsigned tries = 1;

	(void)state;
	/* 1 s of work, and the burst. */
	while (!within(bytes_after_a_stall(), MIB + MIB / 2, 13))
		assert_true(tries++ < TRIES);
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
	assert_in_range(now_usec() - before, 50000, 60000000);
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
