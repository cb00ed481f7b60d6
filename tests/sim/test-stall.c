/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stall target on the simulated disk: hotzones grow while they are frozen for less, shrink where
 * the disk is slow, and a crash among hotzones of all those sizes is recovered as ever.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "application.h"
#include "pace/stall.h"
#include "explore.h"
#include "util/checked.h"

#define HOTZONE (4 * STALL_FIRST_SIZE)
#define HOUR    UINT64_C(3600000000)

static uint64_t seed;

static const struct volume_kind kind = {
	.name = "checksum", .old_sector = 512, .new_sector = 4096, .resilience = "checksum"};

/* A disk that takes its time for each byte of data that it reads or writes. */
static const struct disk_ops *fast;
static long nsec_per_byte;

static int submit_slowly(struct disk *d, struct disk_request *rq)
{
	const uint64_t nsec = rq->op == DISK_FLUSH ? 0 : rq->size * (uint64_t)nsec_per_byte;
	const struct timespec wait = {.tv_nsec = (long)nsec};

	(void)nanosleep(&wait, NULL);
	return fast->submit(d, rq);
}

struct scene {
	struct volume *v;
	struct run r;
	struct application app;
	uint64_t sizes[64]; /* of the hotzones so far, bytes */
	unsigned n;
	uint64_t boundary;
};

static void remember_size(void *arg)
{
	struct scene *s = arg;
	const uint64_t now = engine_position(s->r.engine).boundary;

	assert_true(s->n < ARRAY_SIZE(s->sizes));
	s->sizes[s->n++] = now - s->boundary;
	s->boundary = now;
}

static void open_scene(struct scene *s, uint64_t stall_target)
{
	*s = (struct scene){.v = volume_new(&kind, seed)};
	application_init(&s->app, &s->r, seed);
	memcpy(s->app.plain, s->v->plain, s->v->data_size);
	assert_int_equal(run_open(&s->r, s->v, s->v->image, HOTZONE, &s->app.freezer, seed), 0);
	s->r.stall_target = stall_target;
	s->r.on_progress = remember_size;
	s->r.on_progress_arg = s;
}

static void run_scene(struct scene *s)
{
	enum engine_outcome outcome;

	assert_int_equal(run_all(&s->r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_int_equal(s->app.violations, 0);
	assert_true(volume_check_finished(s->v, medium_content(s->r.medium), s->app.plain));
}

static void close_scene(struct scene *s)
{
	run_close(&s->r);
	application_done(&s->app);
	volume_free(s->v);
}

/* In blocks: nothing on this disk takes half an hour, so each has twice the bytes of the last. */
static void hotzones_grow_twofold(void **state)
{
	static const uint64_t blocks[] = {4, 8, 12};
	struct exploration x;
	struct scene s;

	(void)state;
	open_scene(&s, HOUR);
	run_scene(&s);
	assert_int_equal(s.n, ARRAY_SIZE(blocks));
	for (unsigned i = 0; i < s.n; i++)
		assert_int_equal(s.sizes[i], blocks[i] * 4096);
	x = (struct exploration){
		.volume = s.v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = 3,
		.random_subsets = USUALLY(4, 2),
		.torn = USUALLY(4, 1),
		.again_one_in = 8,
		.is_right = application_accepts,
		.is_right_arg = &s.app,
	};
	explore(&x, &s.r, 0);
	assert_int_equal(x.lost, 0);
	close_scene(&s);
}

/*
 * 10 ms a block, read and written: half of 4 blocks is more than twice the target, and so on. Every
 * eighth hotzone has two blocks instead of one.
 */
static void hotzones_shrink_where_the_disk_is_slow(void **state)
{
	struct disk_ops slow;
	struct scene s;
	unsigned one_block = 0;

	(void)state;
	open_scene(&s, 5000);
	fast = medium_disk(s.r.medium)->ops;
	nsec_per_byte = 5000000 / 4096;
	slow = *fast;
	slow.submit = submit_slowly;
	medium_disk(s.r.medium)->ops = &slow;
	run_scene(&s);
	assert_int_equal(s.sizes[0], STALL_FIRST_SIZE);
	for (unsigned i = 1; i < s.n; i++) {
		assert_in_range(s.sizes[i], 4096, 8192);
		one_block += s.sizes[i] == 4096;
	}
	assert_true(one_block >= s.n * 3 / 4);
	medium_disk(s.r.medium)->ops = fast;
	close_scene(&s);
}

static void without_a_target_they_are_as_large_as_wanted(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 0);
	run_scene(&s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.sizes[0], HOTZONE);
	close_scene(&s);
}

int main(void)
{
	const char *text = getenv("SIM_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hotzones_grow_twofold),
		cmocka_unit_test(hotzones_shrink_where_the_disk_is_slow),
		cmocka_unit_test(without_a_target_they_are_as_large_as_wanted),
	};

	seed = text ? strtoull(text, NULL, 0) : UINT64_C(20261122);
	printf("# SIM_SEED=%" PRIu64 "\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
