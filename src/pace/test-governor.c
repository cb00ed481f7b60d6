/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The governor beside a simulated application, on a simulated disk that does CAPACITY bytes/s of
 * work alone and makes requests slower the more work there is:
 *
 *     time of a request = ALONE / (1 - share of the disk that the work takes)
 *
 * Seeds of noise are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "pace/governor.h"
#include "util/checked.h"

#define MB       UINT64_C(1000000)
#define CAPACITY (200 * MB)
#define ALONE    500 /* microseconds */
#define STEP     UINT64_C(100000)
#define SECOND   10 /* steps */

struct application {
	double per_second; /* requests; 0: none */
	bool closed;       /* one after the other, as fast as they are answered */
	double noise;      /* of their number, a share of it */
};

struct machine {
	struct governor governor;
	struct governor_config config;
	struct application app;
	uint64_t rate;  /* what the governor said last */
	uint64_t speed; /* what the work does at that */
	double latency; /* microseconds */
	double done;    /* requests of the application, in all */
	double carry;   /* a part of a request */
};

static double random_share(void)
{
	return (double)rand() / RAND_MAX;
}

static void step(struct machine *m)
{
	const double seconds = (double)STEP / 1e6;
	struct governor_sample s = {.usec = STEP};
	double n;

	m->speed = m->rate == 0 ? CAPACITY * 9 / 10 : MIN(m->rate, CAPACITY * 9 / 10);
	m->latency = ALONE / (1 - (double)m->speed / CAPACITY);
	n = m->app.closed ? 1e6 / m->latency : MIN(m->app.per_second, 1e6 / m->latency);
	n *= 1 + m->app.noise * (2 * random_share() - 1);
	m->carry += n * seconds;
	s.requests = (uint64_t)m->carry;
	m->carry -= (double)s.requests;
	m->done += (double)s.requests;
	s.waited_usec = (uint64_t)((double)s.requests * m->latency);
	s.in_flight = m->app.closed;
	s.converted = (uint64_t)((double)m->speed * seconds);
	m->rate = governor_update(&m->governor, &m->config, &s);
}

static void run(struct machine *m, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++)
		step(m);
}

static struct machine machine(enum governor_mode mode, uint64_t min, uint64_t max)
{
	return (struct machine){
		.config = {.mode = mode, .rate_min = min, .rate_max = max, .latency_target = 1000},
		.rate = min,
	};
}

/* The most and the least speed of @steps, and how often it turned by more than 1 % of the most. */
static void watch(struct machine *m, unsigned steps, uint64_t *ret_low, uint64_t *ret_high,
		  unsigned *ret_turns)
{
	uint64_t low = UINT64_MAX, high = 0, extreme = m->speed;
	bool up = true;
	unsigned turns = 0;

	for (unsigned i = 0; i < steps; i++) {
		step(m);
		low = MIN(low, m->speed);
		high = MAX(high, m->speed);
		if (up ? m->speed > extreme : m->speed < extreme) {
			extreme = m->speed;
		} else if ((up ? extreme - m->speed : m->speed - extreme) > CAPACITY / 100) {
			turns++;
			up = !up;
			extreme = m->speed;
		}
	}
	*ret_low = low;
	*ret_high = high;
	*ret_turns = turns;
}

static void without_one_there_is_no_limit(void **state)
{
	struct machine m = machine(GOVERNOR_NONE, MB, 50 * MB);

	(void)state;
	m.app.closed = true;
	run(&m, 5 * SECOND);
	assert_int_equal(m.rate, 0);
}

static void alone_the_work_rises_to_the_most(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 50 * MB);

	(void)state;
	run(&m, SECOND);
	assert_true(m.rate < 30 * MB); /* no jump */
	run(&m, 14 * SECOND);
	assert_in_range(m.rate, 49 * MB, 50 * MB);
}

/* Without RateMax= all that the disk can do is found, and then there is no limit. */
static void alone_and_without_a_most_the_limit_goes(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 0);

	(void)state;
	run(&m, 60 * SECOND);
	assert_int_equal(m.rate, 0);
}

/* 2 s: what a request of a person takes longer than, before the disk is theirs. */
static void a_busy_application_gets_the_disk_within_2_seconds(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 0);

	(void)state;
	run(&m, 60 * SECOND);
	m.app.closed = true;
	run(&m, 2 * SECOND);
	assert_in_range(m.rate, MB, 2 * MB);
	run(&m, 3 * SECOND);
	assert_in_range(m.rate, MB, MB + MB / 100);
}

/* 90 % of what it would do with the disk for itself; the rest is what RateMin= costs. */
static void it_keeps_its_throughput_and_the_work_advances(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 0);
	double before;

	(void)state;
	m.app.closed = true;
	run(&m, 5 * SECOND);
	before = m.done;
	run(&m, 10 * SECOND);
	assert_true(m.done - before > 0.9 * 10 * 1e6 / ALONE);
	assert_true(m.speed >= MB);
}

static void when_the_application_ends_the_work_recovers(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 100 * MB);

	(void)state;
	m.app.closed = true;
	run(&m, 10 * SECOND);
	m.app.closed = false;
	run(&m, SECOND / 2);
	assert_true(m.rate < 50 * MB); /* it may be back in a moment */
	run(&m, 15 * SECOND);
	assert_true(m.rate > 95 * MB);
}

/* The slope has a point where rate and need agree, and the rate stays there. */
static void a_steady_load_gives_a_steady_rate(void **state)
{
	static const double loads[] = {100, 200, 400, 600, 800, 1000, 1500};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		struct machine m = machine(GOVERNOR_IDLE, MB, 0);
		uint64_t low, high;
		unsigned turns;

		m.app.per_second = loads[i];
		run(&m, 60 * SECOND);
		watch(&m, 60 * SECOND, &low, &high, &turns);
		print_message("%.0f requests/s: %ju to %ju MB/s\n", loads[i], (uintmax_t)(low / MB),
			      (uintmax_t)(high / MB));
		assert_true(high - low <= CAPACITY / 20);
		assert_true(turns <= 1);
	}
}

/* What comes in irregularly moves the rate, but does not throw it from end to end. */
static void noise_is_smoothed(void **state)
{
	const unsigned seed = (unsigned)time(NULL);
	struct machine m = machine(GOVERNOR_IDLE, MB, 100 * MB);
	uint64_t low, high;
	unsigned turns;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	m.app = (struct application){.per_second = 400, .noise = 0.5};
	run(&m, 60 * SECOND);
	watch(&m, 60 * SECOND, &low, &high, &turns);
	print_message("%ju to %ju MB/s\n", (uintmax_t)(low / MB), (uintmax_t)(high / MB));
	assert_true(low > high / 2);
}

/* Who comes for a tenth of a second, twice a second, is not met by the work at its fastest. */
static void bursts_count_for_longer_than_they_last(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 100 * MB);
	uint64_t low, high;
	unsigned turns;

	(void)state;
	for (unsigned i = 0; i < 60 * SECOND / 5; i++) {
		m.app.closed = true;
		watch(&m, 1, &low, &high, &turns);
		assert_true(i < 20 || high < 50 * MB);
		m.app.closed = false;
		run(&m, 4);
	}
}

/* The rate is that at which requests take between half the target and all of it. */
static void latency_is_held_below_the_target(void **state)
{
	static const double loads[] = {50, 500, 900};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		struct machine m = machine(GOVERNOR_LATENCY, MB, 0);
		uint64_t low, high;
		unsigned turns;

		m.app.per_second = loads[i];
		run(&m, 60 * SECOND);
		watch(&m, 60 * SECOND, &low, &high, &turns);
		print_message("%.0f requests/s: %ju to %ju MB/s, %.0f us\n", loads[i],
			      (uintmax_t)(low / MB), (uintmax_t)(high / MB), m.latency);
		assert_true(m.latency > 500 && m.latency < 1000);
		assert_true(high - low <= CAPACITY / 20);
	}
}

/* A target below what the disk does alone cannot be held; the work goes on all the same. */
static void a_target_out_of_reach_leaves_the_least(void **state)
{
	struct machine m = machine(GOVERNOR_LATENCY, MB, 0);

	(void)state;
	m.config.latency_target = 100;
	m.app.per_second = 500;
	run(&m, 20 * SECOND);
	assert_in_range(m.rate, MB, MB + MB / 100);
}

/* A request that does not come back has no latency yet, but it is there. */
static void a_stuck_request_counts(void **state)
{
	static const enum governor_mode modes[] = {GOVERNOR_IDLE, GOVERNOR_LATENCY};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct machine m = machine(modes[i], MB, 100 * MB);
		const struct governor_sample stuck = {
			.usec = STEP, .in_flight = 1, .converted = MB};

		run(&m, 60 * SECOND);
		assert_true(m.rate > 90 * MB);
		for (unsigned n = 0; n < 3 * SECOND; n++)
			m.rate = governor_update(&m.governor, &m.config, &stuck);
		assert_in_range(m.rate, MB, 2 * MB);
	}
}

static void waiting_tasks_count_as_a_busy_application(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, MB, 100 * MB);
	const struct governor_sample waiting = {
		.usec = STEP, .pressure_usec = STEP, .converted = MB};
	char reason[128];

	(void)state;
	for (unsigned n = 0; n < 5 * SECOND; n++)
		m.rate = governor_update(&m.governor, &m.config, &waiting);
	assert_in_range(m.rate, MB, 2 * MB);
	governor_reason(&m.governor, &m.config, reason, sizeof(reason));
	assert_non_null(strstr(reason, "wait for I/O"));
}

/* A deadline raises rate_min, also above rate_max; what the rate is never falls below it. */
static void the_least_holds_whatever_the_load(void **state)
{
	struct machine m = machine(GOVERNOR_IDLE, 60 * MB, 40 * MB);

	(void)state;
	m.app.closed = true;
	run(&m, 10 * SECOND);
	assert_int_equal(m.rate, 60 * MB);
	m.config.rate_min = 10 * MB;
	run(&m, 3 * SECOND);
	assert_in_range(m.rate, 10 * MB, 11 * MB);
}

static void names_are_those_of_the_configuration(void **state)
{
	enum governor_mode mode;

	(void)state;
	for (unsigned i = GOVERNOR_NONE; i <= GOVERNOR_LATENCY; i++) {
		assert_int_equal(
			governor_mode_parse(governor_mode_name((enum governor_mode)i), &mode), 0);
		assert_int_equal(mode, i);
	}
	assert_int_equal(governor_mode_parse("Idle", &mode), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_one_there_is_no_limit),
		cmocka_unit_test(alone_the_work_rises_to_the_most),
		cmocka_unit_test(alone_and_without_a_most_the_limit_goes),
		cmocka_unit_test(a_busy_application_gets_the_disk_within_2_seconds),
		cmocka_unit_test(it_keeps_its_throughput_and_the_work_advances),
		cmocka_unit_test(when_the_application_ends_the_work_recovers),
		cmocka_unit_test(a_steady_load_gives_a_steady_rate),
		cmocka_unit_test(noise_is_smoothed),
		cmocka_unit_test(bursts_count_for_longer_than_they_last),
		cmocka_unit_test(latency_is_held_below_the_target),
		cmocka_unit_test(a_target_out_of_reach_leaves_the_least),
		cmocka_unit_test(a_stuck_request_counts),
		cmocka_unit_test(waiting_tasks_count_as_a_busy_application),
		cmocka_unit_test(the_least_holds_whatever_the_load),
		cmocka_unit_test(names_are_those_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
