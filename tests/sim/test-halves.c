/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline re-encryption with a journal whose hotzones become hot in two halves: what the header
 * says on the way, and crashes before and after every write and flush, with hotzones of many
 * requests, with pauses, with holes, with what is written read back, and after the second half has
 * failed. SIM_SEED sets the seed, SIM_FULL=1 takes many more states.
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

#include "explore.h"
#include "random.h"
#include "util/checked.h"

/* Four requests, of which two are in the first half. */
#define HOTZONE  UINT64_C(16384)
#define HOTZONES ((unsigned)(DATA_SIZE / HOTZONE))

static uint64_t seed;
static bool full;

static const struct volume_kind plain = {"halves", 512, 512, "halves", NULL, false, false, NULL};
static const struct volume_kind sectors = {"halves-4096", 512,   4096,  "halves",
					   NULL,          false, false, NULL};
static const struct volume_kind unwritten = {
	"halves-unwritten", 512, 512, "halves", NULL, false, false, "wzwzwwwwzzzzwwwwwzzwwwww"};

/* One in @one_in events, where several runs are explored. */
static void explore_from(struct volume *v, struct run *r, unsigned event, unsigned one_in)
{
	struct exploration x = {
		.volume = v,
		.hotzone_size = v->hotzone_size,
		.seed = seed,
		.all_subsets_up_to = full ? 8 : USUALLY(5, 2),
		.random_subsets = full ? 200 : USUALLY(12, 1),
		.torn = full ? 200 : USUALLY(12, 1),
		.event_one_in = full ? 1 : one_in * USUALLY(1, 3),
		.again_one_in = 3,
		.stock_one_in = full ? 7 : USUALLY(60, 500),
	};

	explore(&x, r, event);
	assert_int_equal(x.lost, 0);
}

static void open_and_finish(struct volume *v, struct run *r, uint64_t (*on_pause)(struct run *r))
{
	enum engine_outcome outcome;

	assert_int_equal(run_open(r, v, v->image, v->hotzone_size, NULL, seed), 0);
	r->on_pause = on_pause;
	assert_int_equal(run_all(r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
}

static unsigned flushes(const struct run *r)
{
	unsigned n = 0;

	for (unsigned event = 0; event < medium_events(r->medium); event++)
		n += medium_event(r->medium, event) == EVENT_COMPLETE_FLUSH;
	return n;
}

/*
 * Six for each hotzone: two for each half to become hot, one for the data, one for the clean
 * header. The first of all is for the header as it was found, the last for the secondary.
 */
static void a_hotzone_takes_six_flushes(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	struct run r;

	(void)state;
	open_and_finish(v, &r, NULL);
	assert_int_equal(flushes(&r), 1 + 6 * HOTZONES + 1);
	run_close(&r);
	volume_free(v);
}

/* Clean, the first half hot, all of it hot, and clean again. */
static void the_header_becomes_hot_in_two_halves(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	unsigned half = 0, whole = 0;
	uint64_t boundary = UINT64_MAX, size = 0;
	struct run r, now;

	(void)state;
	assert_non_null(image);
	open_and_finish(v, &r, NULL);
	for (unsigned event = 0; event < medium_events(r.medium); event++) {
		medium_crash(r.medium, event, CRASH_SUBSET, UINT64_MAX, v->data_offset, 512, image);
		assert_int_equal(run_open(&now, v, image, v->hotzone_size, NULL, seed), 0);
		if (now.reenc.state == LUKS_REENC_HOT &&
		    (now.reenc.boundary != boundary || now.reenc.hot_size != size)) {
			boundary = now.reenc.boundary;
			size = now.reenc.hot_size;
			assert_int_equal(boundary % HOTZONE, 0);
			half += size == HOTZONE / 2;
			whole += size == HOTZONE;
		}
		run_close(&now);
	}
	assert_int_equal(half, HOTZONES);
	assert_int_equal(whole, HOTZONES);
	run_close(&r);
	volume_free(v);
}

/* Eight requests in each half, of which two are under way beside the header. */
static void hotzones_of_many_requests_are_recovered(void **state)
{
	struct volume *v = volume_new(*state, seed);
	struct run r;

	v->hotzone_size = 4 * HOTZONE;
	open_and_finish(v, &r, NULL);
	explore_from(v, &r, 0, 1);
	run_close(&r);
	volume_free(v);
}

static uint64_t now_other_sizes(struct run *r)
{
	static const uint64_t sizes[] = {0, 5000, 12288, 1, 8192, 0};

	return sizes[r->pauses % ARRAY_SIZE(sizes)];
}

static void hotzones_of_any_size_are_recovered(void **state)
{
	struct volume *v = volume_new(&sectors, seed);
	struct run r;

	(void)state;
	open_and_finish(v, &r, now_other_sizes);
	explore_from(v, &r, 0, 1);
	run_close(&r);
	volume_free(v);
}

static void hotzones_apart_are_recovered(void **state)
{
	struct volume *v = volume_new(&unwritten, seed);
	struct run r;

	(void)state;
	v->skip = SKIP_ALWAYS;
	v->holes = HOLES_SEEN;
	open_and_finish(v, &r, NULL);
	explore_from(v, &r, 0, 1);
	assert_true(volume_is_still_sparse(v, medium_content(r.medium)));
	run_close(&r);
	volume_free(v);
}

/* All of the hotzone is written, flushed and read back again. */
static void what_was_stored_wrong_is_recovered(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	enum engine_outcome outcome;
	struct run r;

	(void)state;
	v->verify = true;
	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	/* Four are the journal's. */
	medium_corrupt(r.medium, 5, 5);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_int_equal(flushes(&r), 1 + 6 * HOTZONES + 1 + 1);
	assert_true(volume_check_finished(v, medium_content(r.medium), v->plain));
	explore_from(v, &r, 0, 1);
	run_close(&r);
	volume_free(v);
}

static void stops_after(struct volume *v, unsigned hotzones)
{
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	r.stop_after = hotzones;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_STOPPED);
	assert_int_equal(r.reenc.state, LUKS_REENC_CLEAN);
	assert_int_equal(r.reenc.boundary % HOTZONE, 0);
	explore_from(v, &r, 0, 4);
	run_close(&r);
}

/* A stop is wanted while a hotzone is hot for one half, or for both: it ends with both. */
static void a_stop_comes_after_both_halves(void **state)
{
	struct volume *v = volume_new(&plain, seed);

	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		stops_after(v, n);
	volume_free(v);
}

/* The first half is converted, and the header clean behind it. */
static void expect_first_half(struct volume *v, struct run *r, uint64_t boundary)
{
	struct run after;
	enum engine_outcome outcome;

	assert_int_equal(r->reenc.state, LUKS_REENC_CLEAN);
	assert_int_equal(r->reenc.boundary, boundary + HOTZONE / 2);
	assert_true(medium_is_idle(r->medium));
	assert_int_equal(
		run_open(&after, v, medium_content(r->medium), v->hotzone_size, NULL, seed), 0);
	assert_int_equal(run_all(&after, &outcome), 0);
	assert_true(volume_check_finished(v, medium_content(after.medium), v->plain));
	run_close(&after);
}

/* Where the journal of the second half belongs, the area cannot be written. */
static void without_its_journal_the_second_half_is_left_out(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	enum engine_outcome outcome;
	struct run r;

	(void)state;
	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	medium_fail_range(r.medium, DISK_WRITE, r.reenc.area_offset + HOTZONE / 2 + 4096, 4096);
	assert_int_equal(run_all(&r, &outcome), -EIO);
	expect_first_half(v, &r, 0);
	explore_from(v, &r, 0, 1);
	run_close(&r);
	volume_free(v);
}

/* The data of the first half cannot be written: the header stays hot, whatever the second is at. */
static void data_that_cannot_be_written_leaves_it_hot(void **state)
{
	struct volume *v = volume_new(&plain, seed);

	(void)state;
	for (uint64_t at = 0; at < HOTZONE; at += 4096) {
		enum engine_outcome outcome;
		struct run r;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail_range(r.medium, DISK_WRITE, v->data_offset + HOTZONE + at, 4096);
		assert_int_equal(run_all(&r, &outcome), -EIO);
		assert_int_equal(r.reenc.state, LUKS_REENC_HOT);
		assert_int_equal(r.reenc.boundary, HOTZONE);
		assert_int_equal(engine_position(r.engine).hotzone_size, r.reenc.hot_size);
		assert_true(medium_is_idle(r.medium));
		explore_from(v, &r, 0, 4);
		run_close(&r);
	}
	volume_free(v);
}

/* Also where the header has them, or may have: of six flushes two are for the second half. */
static void a_failed_flush_leaves_the_second_half_out(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	unsigned halves = 0;
	bool more = true;

	(void)state;
	for (unsigned n = 0; more; n++) {
		enum engine_outcome outcome;
		struct run r;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail(r.medium, DISK_FLUSH, n, n);
		(void)run_all(&r, &outcome);
		more = medium_requests(r.medium, DISK_FLUSH) > n;
		if (r.reenc.boundary % HOTZONE != 0 && r.reenc.state == LUKS_REENC_CLEAN) {
			expect_first_half(v, &r, r.reenc.boundary / HOTZONE * HOTZONE);
			halves++;
			explore_from(v, &r, medium_first_loss(r.medium), 4);
		}
		run_close(&r);
	}
	assert_int_equal(halves, 2 * HOTZONES);
	volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hotzone_takes_six_flushes),
		cmocka_unit_test(the_header_becomes_hot_in_two_halves),
		cmocka_unit_test_prestate(hotzones_of_many_requests_are_recovered,
					  (void *)(uintptr_t)&plain),
		cmocka_unit_test_prestate(hotzones_of_many_requests_are_recovered,
					  (void *)(uintptr_t)&sectors),
		cmocka_unit_test(hotzones_of_any_size_are_recovered),
		cmocka_unit_test(hotzones_apart_are_recovered),
		cmocka_unit_test(what_was_stored_wrong_is_recovered),
		cmocka_unit_test(a_stop_comes_after_both_halves),
		cmocka_unit_test(without_its_journal_the_second_half_is_left_out),
		cmocka_unit_test(data_that_cannot_be_written_leaves_it_hot),
		cmocka_unit_test(a_failed_flush_leaves_the_second_half_out),
	};

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
