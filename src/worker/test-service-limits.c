/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The limits of a service, on the real clock. A machine that is busy with something else steals
 * time that no limiter can give back, so each figure may be missed twice before it counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"
#include "worker/test-service-support.h"

#define KIB   UINT64_C(1024)
#define MIB   (1024 * KIB)
#define TRIES 3

static uint64_t bytes_done(struct worker *w)
{
	sd_bus_message *m = get_status(w);
	const uint64_t bytes = get_number(m, "BytesDone");

	sd_bus_message_unref(m);
	return bytes;
}

/* Are @usec worth @rate, within @percent? Prints what was measured. */
static bool measure(struct worker *w, uint64_t rate, uint64_t usec, uint64_t percent)
{
	const uint64_t begin = now_usec(), first = bytes_done(w);
	uint64_t bytes, took, want;

	(void)usleep((useconds_t)usec);
	bytes = bytes_done(w) - first;
	took = now_usec() - begin;
	want = rate * took / SECONDS;
	print_message("%ju bytes in %ju us at %ju bytes/s: %.2f %%\n", (uintmax_t)bytes,
		      (uintmax_t)took, (uintmax_t)rate, 100.0 * (double)bytes / (double)want - 100);
	return bytes * 100 >= want * (100 - percent) && bytes * 100 <= want * (100 + percent);
}

static void start(struct worker *w, unsigned mib, uint64_t rate)
{
	make_volume(mib, "");
	worker_start(w, NULL);
	unlock(w, "a");
	call(w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(w, "prepare", ""));
	call(w, "SetLimits", "ttt", rate, UINT64_C(0), UINT64_C(0));
	call(w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_signal(w, "Progress"));
}

static void stop(struct worker *w)
{
	call(w, "Stop", "");
	sd_bus_message_unref(wait_done(w, "convert", ""));
	worker_quit(w);
}

/* Hotzones of 1/8 s make 1.25 % of 10 s; 64 KiB/s is the least that is promised. */
static void ten_seconds_are_exact_to_2_percent(void **state)
{
	struct worker w;
	unsigned tries = 1;

	(void)state;
	start(&w, 4, 64 * KIB);
	while (!measure(&w, 64 * KIB, 10 * SECONDS, 2))
		assert_true(tries++ < TRIES);
	stop(&w);
}

/* From the second after the change on; 3 s have 24 hotzones, one of which is 4.2 %. */
static void a_change_is_at_work_within_a_second(void **state)
{
	static const uint64_t rates[] = {2 * MIB, 128 * KIB, MIB};
	struct worker w;

	(void)state;
	start(&w, 128, 64 * KIB);
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		unsigned tries = 1;

		do {
			assert_true(tries++ <= TRIES);
			call(&w, "SetLimits", "ttt", UINT64_C(64) * KIB, UINT64_C(0), UINT64_C(0));
			(void)usleep(SECONDS / 4);
			call(&w, "SetLimits", "ttt", rates[i], UINT64_C(0), UINT64_C(0));
			(void)usleep(SECONDS);
		} while (!measure(&w, rates[i], 3 * SECONDS, 6));
	}
	stop(&w);
}

/* At 1 byte/s a block of 4096 bytes is worth an hour; a stop and a new limit do not wait for it. */
static void a_wait_for_the_rate_is_interrupted(void **state)
{
	struct worker w;
	uint64_t begin;

	(void)state;
	start(&w, 8, 1);
	begin = now_usec();
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	assert_in_range(now_usec() - begin, 0, LIMIT);
	worker_quit(&w);
	assert_plaintext("a");
	start(&w, 8, 1);
	begin = now_usec();
	stop(&w);
	assert_in_range(now_usec() - begin, 0, LIMIT);
}

/*
 * Not timing: a hotzone that is cut to 64 KiB moves the position by so much at most. Seen where it
 * is slow enough to be seen, 4 hotzones/s.
 */
static void hotzones_are_cut_to_the_limit(void **state)
{
	struct worker w;
	uint64_t last, steps = 0;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	call(&w, "SetLimits", "ttt", 256 * KIB, 8 * KIB, UINT64_C(0));
	call(&w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_signal(&w, "Progress"));
	last = bytes_done(&w);
	while (steps < 20) {
		const uint64_t now = bytes_done(&w);

		assert_int_equal(now % (8 * KIB), 0);
		steps += now != last;
		last = now;
		(void)usleep(1000);
	}
	stop(&w);
}

/* Nobody is in the way offline: 64 MiB would take hours at the least rate of the governor. */
static void offline_there_is_nothing_to_govern(void **state)
{
	struct worker w;
	sd_bus_message *m;

	(void)state;
	start(&w, 64, 64 * KIB);
	call_fails(&w, "InvalidArgument", "SetGovernor", "sttt", "polite", UINT64_C(0), UINT64_C(0),
		   UINT64_C(0));
	call(&w, "SetGovernor", "sttt", "idle", UINT64_C(1), UINT64_C(1), UINT64_C(0));
	m = get_status(&w);
	assert_int_equal(get_number(m, "GovernorRate"), 0);
	assert_string_equal(get_text(m, "GovernorReason"), "");
	sd_bus_message_unref(m);
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	worker_quit(&w);
	assert_plaintext("a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hotzones_are_cut_to_the_limit),
		cmocka_unit_test(offline_there_is_nothing_to_govern),
		cmocka_unit_test(a_wait_for_the_rate_is_interrupted),
		cmocka_unit_test(a_change_is_at_work_within_a_second),
		cmocka_unit_test(ten_seconds_are_exact_to_2_percent),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
