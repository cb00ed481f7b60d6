/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Re-encryption under an application on the simulated disk: what the application flushed is there
 * after any crash, nothing is let go before it is durable, and an I/O error costs at most one
 * hotzone until it is recovered.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "application.h"
#include "explore.h"
#include "random.h"
#include "util/checked.h"

#define HOTZONE UINT64_C(16384)

static uint64_t seed;
static bool full;

static const struct volume_kind checksum = {
	.name = "checksum", .old_sector = 512, .new_sector = 4096, .resilience = "checksum"};
static const struct volume_kind journal = {
	.name = "journal", .old_sector = 512, .new_sector = 512, .resilience = "journal"};

struct scene {
	struct volume *v;
	struct run r;
	struct application app;
};

static void open_scene(struct scene *s, struct volume *v)
{
	s->v = v;
	application_init(&s->app, &s->r, seed);
	memcpy(s->app.plain, v->plain, v->data_size);
	assert_int_equal(run_open(&s->r, v, v->image, HOTZONE, &s->app.freezer, seed), 0);
}

static void close_scene(struct scene *s)
{
	run_close(&s->r);
	application_done(&s->app);
}

static void any_crash_under_load_is_recovered(void **state)
{
	struct volume *v = volume_new(*state, seed);
	enum engine_outcome outcome;
	struct scene s;
	struct exploration x;

	open_scene(&s, v);
	x = (struct exploration){
		.volume = v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = full ? 9 : USUALLY(4, 3),
		.random_subsets = full ? 100 : USUALLY(6, 2),
		.torn = full ? 50 : USUALLY(4, 1),
		.event_one_in = full ? 0 : USUALLY(0, 3),
		.again_one_in = 4,
		.is_right = application_accepts,
		.is_right_arg = &s.app,
	};
	assert_int_equal(run_all(&s.r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_int_equal(s.app.freezes, DATA_SIZE / HOTZONE);
	assert_int_equal(s.app.violations, 0);
	assert_true(volume_check_finished(v, medium_content(s.r.medium), s.app.plain));
	explore(&x, &s.r, 0);
	assert_int_equal(x.lost, 0);
	close_scene(&s);
	volume_free(v);
}

/* Is the header of @image hot? The next worker was told that the hotzone was let go. */
static bool go_on_after_death(struct scene *s, const uint8_t *image, unsigned event)
{
	enum engine_outcome outcome;
	struct run after;
	bool hot;

	assert_int_equal(run_open(&after, s->v, image, HOTZONE, NULL, seed), 0);
	hot = after.reenc.state == LUKS_REENC_HOT;
	after.thawed = true;
	if (after.engine) {
		assert_int_equal(run_all(&after, &outcome), 0);
		assert_int_equal(outcome, ENGINE_FINISHED);
	}
	assert_true(application_accepts(&s->app, medium_content(after.medium), event));
	run_close(&after);
	return hot;
}

/* A worker dies right after each thaw, when the application has written there already. */
static void what_was_let_go_is_done(void **state)
{
	struct volume *v = volume_new(*state, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	enum engine_outcome outcome;
	unsigned hot = 0;
	struct scene s;

	assert_non_null(image);
	open_scene(&s, v);
	assert_int_equal(run_all(&s.r, &outcome), 0);
	for (unsigned i = 0; i < s.app.thaws; i++) {
		medium_crash(s.r.medium, s.app.thawed[i], CRASH_SUBSET, UINT64_MAX, v->data_offset,
			     4096, image);
		hot += go_on_after_death(&s, image, s.app.thawed[i]);
	}
	/* All but the last one; and a journal would put the old data back. */
	assert_int_equal(hot, v->kind == &checksum ? DATA_SIZE / HOTZONE - 1 : 0);
	close_scene(&s);
	volume_free(v);
}

/* The fault is gone, the range that was given up is recovered, the rest converted. */
static void finish_and_check(struct scene *s)
{
	enum engine_outcome outcome;
	struct run after;

	assert_int_equal(run_open(&after, s->v, medium_content(s->r.medium), HOTZONE, NULL, seed),
			 0);
	if (after.engine) {
		assert_int_equal(run_all(&after, &outcome), 0);
		assert_int_equal(outcome, ENGINE_FINISHED);
	}
	assert_true(volume_check_finished(s->v, medium_content(after.medium), s->app.plain));
	run_close(&after);
}

static void read_error_stops_before_the_bad_block(void **state)
{
	struct volume *v = volume_new(*state, seed);
	const uint64_t bad = 3 * HOTZONE + 2 * 4096 + 512;
	enum engine_outcome outcome;
	struct scene s;

	open_scene(&s, v);
	medium_fail_range(s.r.medium, DISK_READ, v->data_offset + bad, 512);
	assert_int_equal(run_all(&s.r, &outcome), -EIO);
	/* Converted up to the block of the bad sector, clean, and nothing frozen. */
	assert_int_equal(engine_position(s.r.engine).boundary, bad / 4096 * 4096);
	assert_int_equal(engine_position(s.r.engine).hotzone_size, 0);
	assert_false(s.app.frozen);
	assert_false(s.app.failed);
	assert_int_equal(s.app.violations, 0);
	finish_and_check(&s);
	close_scene(&s);
	volume_free(v);
}

static void write_error_leaves_a_hot_range_that_answers_eio(void **state)
{
	struct volume *v = volume_new(*state, seed);
	const uint64_t bad = 2 * HOTZONE + 4096;
	enum engine_outcome outcome;
	struct scene s;

	open_scene(&s, v);
	medium_fail_range(s.r.medium, DISK_WRITE, v->data_offset + bad, 4096);
	assert_int_equal(run_all(&s.r, &outcome), -EIO);
	assert_int_equal(engine_position(s.r.engine).boundary, 2 * HOTZONE);
	assert_int_equal(engine_position(s.r.engine).hotzone_size, HOTZONE);
	assert_true(s.app.failed);
	assert_false(s.app.frozen);
	/* Everything else goes on. */
	application_work(&s.app);
	assert_int_equal(s.app.violations, 0);
	finish_and_check(&s);
	close_scene(&s);
	volume_free(v);
}

/* What is hot answers with errors, or was let go: people are told which. */
static void expect_true_position(const struct scene *s, int result)
{
	if (result < 0 && engine_position(s->r.engine).hotzone_size > 0)
		assert_int_equal(engine_is_thawed(s->r.engine), !s->app.failed);
	else
		assert_false(engine_is_thawed(s->r.engine));
}

static uint64_t no_limit(struct run *r)
{
	(void)r;
	return 0;
}

/* From the third hotzone on there is a pause after each. */
static void pause_later(void *arg)
{
	struct run *r = arg;

	r->on_pause = r->hotzones >= 3 ? no_limit : NULL;
}

/* Fails requests from @first to @last of a run. Is there a request @first? */
static bool survives(struct volume *v, enum disk_op op, uint64_t first, uint64_t last,
		     unsigned *stopped)
{
	enum engine_outcome outcome;
	struct scene s;
	bool hit;
	int r;

	open_scene(&s, v);
	s.r.on_progress = pause_later;
	s.r.on_progress_arg = &s.r;
	medium_fail(s.r.medium, op, first, last);
	r = run_all(&s.r, &outcome);
	*stopped += r < 0;
	assert_int_equal(s.app.violations, 0);
	assert_false(s.app.frozen);
	expect_true_position(&s, r);
	hit = medium_requests(s.r.medium, op) > first;
	finish_and_check(&s);
	close_scene(&s);
	return hit;
}

/* Each request of each kind fails once, or with the next one, or from then on for good. */
static void any_io_error_is_survived(void **state)
{
	static const char *const names[] = {"read", "write", "flush"};
	static const struct {
		const char *name;
		uint64_t more;
	} lengths[] = {{"once", 0}, {"twice", 1}, {"for good", UINT32_MAX}};
	struct volume *v = volume_new(*state, seed);

	for (enum disk_op op = DISK_READ; op <= DISK_FLUSH; op++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			const bool for_good = lengths[i].more == UINT32_MAX;
			unsigned n = 0, stopped = 0;

			while (survives(v, op, n, n + lengths[i].more, &stopped))
				n++;
			printf("# %s: %s %s fails at each of %u requests, %u runs stopped\n",
			       v->kind->name, names[op], lengths[i].name, n, stopped);
			assert_true(n > 10);
			assert_true(for_good ? stopped == n : stopped < n);
		}
	}
	volume_free(v);
}

int main(void)
{
	void *c = (void *)(uintptr_t)&checksum, *j = (void *)(uintptr_t)&journal;
	const struct CMUnitTest tests[] = {
		{"crash_under_load_checksum", any_crash_under_load_is_recovered, NULL, NULL, c},
		{"crash_under_load_journal", any_crash_under_load_is_recovered, NULL, NULL, j},
		{"what_was_let_go_is_done_checksum", what_was_let_go_is_done, NULL, NULL, c},
		{"what_was_let_go_is_done_journal", what_was_let_go_is_done, NULL, NULL, j},
		{"read_error", read_error_stops_before_the_bad_block, NULL, NULL, c},
		{"write_error_checksum", write_error_leaves_a_hot_range_that_answers_eio, NULL,
		 NULL, c},
		{"write_error_journal", write_error_leaves_a_hot_range_that_answers_eio, NULL, NULL,
		 j},
		{"any_io_error_checksum", any_io_error_is_survived, NULL, NULL, c},
		{"any_io_error_journal", any_io_error_is_survived, NULL, NULL, j},
	};

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
