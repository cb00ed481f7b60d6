/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline re-encryption on a simulated disk with a volatile write cache, crashed before and after
 * every write and flush. SIM_SEED sets the seed, SIM_FULL=1 takes many more states.
 */
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

static uint64_t seed;
static bool full;

static const struct volume_kind kinds[] = {
	{"checksum-512", 512, 512, "checksum", NULL, false, false, NULL},
	{"checksum-512-4096", 512, 4096, "checksum", NULL, false, false, NULL},
	{"checksum-4096-cbc", 4096, 4096, "checksum", "aes-cbc-essiv:sha256", false, false, NULL},
	{"checksum-keep-key", 512, 4096, "checksum", NULL, true, false, NULL},
	{"journal-512", 512, 512, "journal", NULL, false, false, NULL},
	{"journal-4096", 4096, 4096, "journal", NULL, false, false, NULL},
	{"checksum-detached", 512, 4096, "checksum", NULL, false, true, NULL},
	{"journal-detached", 512, 512, "journal", NULL, false, true, NULL},
	{"ahead", 512, 512, "ahead", "aes-cbc-essiv:sha256", false, false, NULL},
	{"ahead-detached", 512, 512, "ahead", NULL, false, true, NULL},
};

static struct exploration exploration_of(const struct volume *v)
{
	return (struct exploration){
		.volume = v,
		.hotzone_size = v->hotzone_size,
		.seed = seed,
		.all_subsets_up_to = full ? 10 : USUALLY(5, 2),
		.random_subsets = full ? 300 : USUALLY(12, 1),
		.torn = full ? 150 : USUALLY(8, 1),
		.event_one_in = full ? 1 : USUALLY(1, 3),
		.again_one_in = 3,
		.stock_one_in = full ? 7 : USUALLY(80, 500),
	};
}

static void try_any_crash(struct volume *v)
{
	struct exploration x = exploration_of(v);
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	explore(&x, &r, 0);
	assert_int_equal(x.lost, 0);
	run_close(&r);
	volume_free(v);
}

/* From the begin to the end, with one crash. */
static void any_crash_is_recovered(void **state)
{
	try_any_crash(volume_new(*state, seed));
}

/* The same on a disk where the next hotzone is not read early. */
static void any_crash_is_recovered_by_turns(void **state)
{
	struct volume *v = volume_new(*state, seed);

	v->never_ahead = true;
	try_any_crash(v);
}

/* Cancel after two hotzones: the turn itself and the whole way back are crashed. */
static void any_crash_of_a_cancel_is_recovered(void **state)
{
	struct volume *v = volume_new(*state, seed);
	struct exploration x = exploration_of(v);
	struct position back;
	enum engine_outcome outcome;
	struct run r, turned;

	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	r.stop_after = 3;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_STOPPED);
	/* The engine knows the old direction: load again, as the worker does. */
	assert_int_equal(
		run_open(&turned, v, medium_content(r.medium), v->hotzone_size, NULL, seed), 0);
	assert_int_equal(run_reverse(&turned, v->hotzone_size), 0);
	explore(&x, &turned, 0);
	assert_int_equal(x.lost, 0);
	run_close(&r);

	assert_int_equal(
		run_open(&r, v, medium_content(turned.medium), v->hotzone_size, NULL, seed), 0);
	assert_int_equal(r.reenc.direction, LUKS_BACKWARD);
	back = (struct position){r.reenc.boundary, 0};
	assert_int_equal(engine_run(r.engine, &back, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	explore(&x, &r, 0);
	assert_int_equal(x.lost, 0);
	run_close(&r);
	run_close(&turned);
	volume_free(v);
}

/* Cancel cuts the area for one size of hotzones, and the way back is gone with smaller ones. */
static void way_back_is_safe_for_cryptsetup(void **state)
{
	struct volume *v = volume_new(*state, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	enum engine_outcome outcome;
	struct run r, turned, seen;
	unsigned hot = 0;

	assert_non_null(image);
	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	r.stop_after = 4;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(
		run_open(&turned, v, medium_content(r.medium), v->hotzone_size, NULL, seed), 0);
	assert_int_equal(run_reverse(&turned, v->hotzone_size), 0);
	run_close(&r);
	assert_int_equal(
		run_open(&r, v, medium_content(turned.medium), v->hotzone_size / 4, NULL, seed), 0);
	run_close(&turned);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_true(volume_check_finished(v, medium_content(r.medium), v->plain));
	for (unsigned event = 0; event < medium_events(r.medium); event++) {
		medium_crash(r.medium, event, CRASH_SUBSET, UINT64_MAX, v->data_offset, 4096,
			     image);
		assert_int_equal(run_open(&seen, v, image, v->hotzone_size, NULL, seed), 0);
		if (seen.reenc.state == LUKS_REENC_HOT) {
			assert_true(luks_reenc_stock_safe(&seen.reenc, seen.reenc.boundary,
							  seen.reenc.hot_size));
			hot++;
		}
		run_close(&seen);
	}
	assert_true(hot > 0);
	run_close(&r);
	volume_free(v);
}

/* Tests of the test: a run that is broken by @spoil must lose data. */
static void expect_loss(const struct volume_kind *kind, void (*spoil)(struct run *r))
{
	struct volume *v = volume_new(kind, seed);
	struct exploration x = exploration_of(v);
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	spoil(&r);
	assert_int_equal(run_all(&r, &outcome), 0);
	x.stop_at = x.event_one_in = 1;
	x.torn = x.random_subsets = 100;
	explore(&x, &r, 0);
	assert_true(x.lost > 0);
	run_close(&r);
	volume_free(v);
}

static void drop_flushes_of_data(struct run *r)
{
	medium_drop_flushes(r->medium, true, false);
}

static void drop_flushes_of_header(struct run *r)
{
	medium_drop_flushes(r->medium, false, true);
}

static void dropped_flushes_are_noticed(void **state)
{
	expect_loss(*state, drop_flushes_of_data);
	expect_loss(*state, drop_flushes_of_header);
}

static void take_disks_for_one(struct run *r)
{
	r->store.store.on_data_disk = true;
}

/* With a detached header a flush of the data disk does not save the header. */
static void flush_of_the_wrong_disk_is_noticed(void **state)
{
	expect_loss(*state, take_disks_for_one);
}

int main(void)
{
	struct CMUnitTest tests[3 * ARRAY_SIZE(kinds) + 3];
	size_t n = 0;

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	tests[n++] = (struct CMUnitTest){"way_back_is_safe_for_cryptsetup",
					 way_back_is_safe_for_cryptsetup, NULL, NULL,
					 (void *)(uintptr_t)&kinds[0]};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i += USUALLY(1, 4)) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){kinds[i].name, any_crash_is_recovered, NULL, NULL,
						 kind};
		if (i % 4 == 0)
			tests[n++] = (struct CMUnitTest){
				"by turns", any_crash_is_recovered_by_turns, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){"cancel", any_crash_of_a_cancel_is_recovered, NULL,
						 NULL, kind};
	}
	tests[n++] = (struct CMUnitTest){"dropped_flushes_are_noticed", dropped_flushes_are_noticed,
					 NULL, NULL, (void *)(uintptr_t)&kinds[0]};
	tests[n++] = (struct CMUnitTest){"flush_of_the_wrong_disk_is_noticed",
					 flush_of_the_wrong_disk_is_noticed, NULL, NULL,
					 (void *)(uintptr_t)&kinds[7]};
	return _cmocka_run_group_tests("crash", tests, n, NULL, NULL);
}
