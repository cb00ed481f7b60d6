/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stall target that is out of reach: the progress tells at any time, the log once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <cmocka.h>

#include "engine/engine-internal.h"
#include "util/log.h"

#define MS  UINT64_C(1000)
#define MIB (UINT64_C(1) << 20)

static char said[512];
static unsigned lines;

static void take(int level, const char *line)
{
	assert_int_equal(level, LOG_NOTICE);
	(void)snprintf(said, sizeof(said), "%s", line);
	lines++;
}

/* A disk with 110 ms for each freeze and 100 MiB/s, after @n hotzones with a target of 50 ms. */
static void run(struct engine *e, unsigned n, double fixed)
{
	while (n-- > 0) {
		e->sample.size = stall_next_size(&e->stall);
		e->sample.frozen = (uint64_t)(fixed + (double)e->sample.size * 1e4 / MIB);
		if (e->limits.stall_target > 0)
			stall_update(&e->stall, &e->sample, e->limits.stall_target, 4096,
				     e->hotzone_max);
		engine_tell_reach(e);
	}
}

static struct engine slow_disk(void)
{
	static struct disk disk = {.name = "/dev/slow"};
	static struct freezer freezer;

	return (struct engine){
		.config = {.disk = &disk, .freezer = &freezer},
		.limits.stall_target = 50 * MS,
		.hotzone_max = 16 * MIB,
		.stall.size = STALL_FIRST_SIZE,
	};
}

static void is_told_once_and_at_any_time(void **state)
{
	struct engine e = slow_disk();

	(void)state;
	run(&e, 10, 110 * MS);
	assert_int_equal(e.progress.unavoidable_stall, 0);
	run(&e, 40, 110 * MS);
	assert_in_range(e.progress.unavoidable_stall, 109 * MS, 111 * MS);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(said, "/dev/slow: "));
	assert_non_null(strstr(said, " take 110 ms for each range"));
	assert_non_null(strstr(said, " target of 50 ms "));
	run(&e, 100, 10 * MS);
	assert_int_equal(e.progress.unavoidable_stall, 0);
	assert_int_equal(lines, 2);
	assert_non_null(strstr(said, "the stall target of 50 ms is within reach now"));
	run(&e, 100, 110 * MS);
	assert_in_range(e.progress.unavoidable_stall, 109 * MS, 111 * MS);
	run(&e, 100, 10 * MS);
	assert_int_equal(lines, 2);
}

/* Half of 100 MiB/s where the bytes take as long as all else; freezes of 220 ms. */
static void the_speed_is_that_of_grown_hotzones(void **state)
{
	struct engine e = slow_disk();
	double speed, ms;
	const char *at;

	(void)state;
	lines = 0;
	run(&e, 60, 110 * MS);
	assert_int_equal(lines, 1);
	at = strstr(said, "about ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "about %lf ms, and the work does about %lf MiB/s", &ms, &speed),
			 2);
	assert_in_range(ms, 165, 225);
	assert_in_range(speed, 33, 50);
	/* Without a target nothing is out of reach. */
	e.limits.stall_target = 0;
	run(&e, 1, 110 * MS);
	assert_int_equal(e.progress.unavoidable_stall, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_told_once_and_at_any_time),
		cmocka_unit_test(the_speed_is_that_of_grown_hotzones),
	};

	log_init("test", LOG_DEBUG);
	log_forward(take);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
