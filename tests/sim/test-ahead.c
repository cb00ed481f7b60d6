/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline re-encryption where the checksums of the next hotzone are durable with the data of this
 * one: how many flushes that takes, and crashes before and after every write and flush with pauses,
 * with holes between hotzones, and with what is written read back. SIM_SEED sets the seed,
 * SIM_FULL=1 takes many more states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ahead.h"
#include "explore.h"
#include "random.h"
#include "util/checked.h"

#define HOTZONES ((unsigned)(AHEAD_DATA_SIZE / AHEAD_HOTZONE))

static uint64_t seed;
static bool full;

/* Four letters are half a hotzone. Behind the first hotzone comes a hole, and so the next one
 * apart. */
#define HOLES "wwwwzwwwzzzzwwwwwwzwwwwwwwwwzzzzzzzzwwwwzwwwwwww"

static const struct volume_kind plain = {"ahead", 512, 512, "ahead", NULL, false, false, NULL};
static const struct volume_kind unwritten = {
	"ahead-unwritten", 512, 512, "ahead", NULL, false, false, HOLES};

static void explore_all(struct volume *v, struct run *r)
{
	struct exploration x = {
		.volume = v,
		.hotzone_size = v->hotzone_size,
		.seed = seed,
		.all_subsets_up_to = full ? 8 : USUALLY(4, 2),
		.random_subsets = full ? 200 : USUALLY(12, 1),
		.torn = full ? 200 : USUALLY(16, 1),
		.event_one_in = full ? 1 : USUALLY(1, 3),
		.again_one_in = 3,
		.stock_one_in = full ? 7 : USUALLY(60, 500),
	};

	explore(&x, r, 0);
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
 * Two for each hotzone: of its data, and of the header that comes then. Before the first there are
 * three: of the header as it was found, of the area, and of the header. The last one of all is for
 * the secondary.
 */
static void a_hotzone_takes_two_flushes(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	struct run r;

	(void)state;
	open_and_finish(v, &r, NULL);
	assert_int_equal(flushes(&r), 3 + 2 * HOTZONES + 1);
	run_close(&r);
	volume_free(v);
}

/* Every other hot range has the one before in it, with the checksums of that in front. */
static void both_parts_of_the_area_are_used(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	unsigned of_two = 0, of_one = 0;
	uint64_t end = 0;
	struct run r, now;

	(void)state;
	assert_non_null(image);
	open_and_finish(v, &r, NULL);
	for (unsigned event = 0; event < medium_events(r.medium); event++) {
		medium_crash(r.medium, event, CRASH_SUBSET, UINT64_MAX, v->data_offset, 512, image);
		assert_int_equal(run_open(&now, v, image, v->hotzone_size, NULL, seed), 0);
		if (now.reenc.state == LUKS_REENC_HOT &&
		    now.reenc.boundary + now.reenc.hot_size > end) {
			end = now.reenc.boundary + now.reenc.hot_size;
			of_two += now.reenc.hot_size == 2 * AHEAD_HOTZONE;
			of_one += now.reenc.hot_size == AHEAD_HOTZONE;
		}
		run_close(&now);
	}
	assert_int_equal(of_two, HOTZONES / 2);
	assert_int_equal(of_one, HOTZONES / 2);
	run_close(&r);
	volume_free(v);
}

/* The next hotzone is another one than that whose checksums were written. */
static uint64_t now_shorter(struct run *r)
{
	return r->pauses % 2 == 0 ? 0 : AHEAD_HOTZONE / 2;
}

/* A clean header comes instead of the hot one for which checksums were written. */
static void what_is_not_used_is_forgotten(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	struct run r;

	(void)state;
	open_and_finish(v, &r, now_shorter);
	explore_all(v, &r);
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
	explore_all(v, &r);
	assert_true(volume_is_still_sparse(v, medium_content(r.medium)));
	run_close(&r);
	volume_free(v);
}

/* What is stored wrong is written, flushed and read back again, with the checksums once more. */
static void what_was_stored_wrong_is_recovered(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	enum engine_outcome outcome;
	struct run r;

	(void)state;
	v->verify = true;
	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	medium_corrupt(r.medium, 3, 3);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_true(flushes(&r) > 3 + 2 * HOTZONES + 1);
	assert_true(volume_check_finished(v, medium_content(r.medium), v->plain));
	run_close(&r);
	volume_free(v);
}

/* The hot header comes only once its checksums are there. */
static void a_write_that_failed_is_made_up_for(void **state)
{
	struct volume *v = volume_new(&plain, seed);
	unsigned finished = 0, states = 0;
	bool more = true;

	(void)state;
	for (unsigned n = 0; more; n++) {
		struct exploration x = {
			.volume = v,
			.hotzone_size = v->hotzone_size,
			.seed = seed,
			.all_subsets_up_to = 1,
			.random_subsets = USUALLY(4, 1),
			.torn = USUALLY(4, 1),
			.event_one_in = USUALLY(2, 5),
			.quiet = true,
		};
		enum engine_outcome outcome;
		struct run r;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail(r.medium, DISK_WRITE, n, n);
		finished += run_all(&r, &outcome) == 0;
		more = medium_requests(r.medium, DISK_WRITE) > n;
		explore(&x, &r, 0);
		assert_int_equal(x.lost, 0);
		states += x.states;
		run_close(&r);
	}
	printf("# %u runs finished all the same, %u crash states\n", finished, states);
	assert_true(finished > HOTZONES);
	volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hotzone_takes_two_flushes),
		cmocka_unit_test(both_parts_of_the_area_are_used),
		cmocka_unit_test(what_is_not_used_is_forgotten),
		cmocka_unit_test(hotzones_apart_are_recovered),
		cmocka_unit_test(what_was_stored_wrong_is_recovered),
		cmocka_unit_test(a_write_that_failed_is_made_up_for),
	};

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
