/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A run that is paused after every hotzone: each time with other hotzones to come, and with a
 * record that somebody puts into the header meanwhile. It is crashed everywhere, as in
 * test-crash.c.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "explore.h"
#include "luks/record.h"
#include "util/cleanup.h"

#define HOTZONE UINT64_C(16384)

static uint64_t seed;

static const struct volume_kind kinds[] = {
	{"checksum", 512, 512, "checksum", NULL, false, false, NULL},
	{"journal", 512, 4096, "journal", NULL, false, false, NULL},
	{"checksum, detached", 512, 4096, "checksum", NULL, false, true, NULL},
};

/* 0 is no limit; 5000 is no multiple of a block, and 1 is less than one. */
static uint64_t cut_and_record(struct run *r)
{
	static const uint64_t sizes[] = {5000, 0, 12288, 1};
	struct luks_reason why = {};
	char text[32];

	(void)snprintf(text, sizeof(text), "{\"pause\":%u}", r->pauses);
	assert_int_equal(luks_store_set_record(&r->store, text, &(struct record_keys){}, &why), 0);
	return sizes[r->pauses % 4];
}

static uint64_t cut(struct run *r)
{
	return r->pauses % 2 == 0 ? 4096 : 5000;
}

static void any_crash_is_recovered(void **state)
{
	struct volume *v = volume_new(*state, seed);
	struct exploration x = {
		.volume = v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = 3,
		.random_subsets = USUALLY(8, 2),
		.torn = USUALLY(6, 2),
		.event_one_in = USUALLY(0, 3),
		.again_one_in = 4,
		.stock_one_in = USUALLY(150, 800),
	};
	enum engine_outcome outcome;
	char record[RECORD_SIZE_MAX];
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	r.on_pause = cut_and_record;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_true(r.pauses > DATA_SIZE / HOTZONE);
	assert_int_equal(luks_record_get(r.header, record), 0);
	assert_true(*record);
	explore(&x, &r, 0);
	assert_int_equal(x.lost, 0);
	run_close(&r);
	volume_free(v);
}

/* Small hotzones on the way back, but never a last one that cryptsetup takes for another. */
static void way_back_is_safe_for_cryptsetup(void **state)
{
	struct volume *v = volume_new(*state, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	enum engine_outcome outcome;
	struct run r, turned, seen;
	unsigned hot = 0, small = 0;

	assert_non_null(image);
	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	r.stop_after = 4;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(run_open(&turned, v, medium_content(r.medium), HOTZONE, NULL, seed), 0);
	assert_int_equal(run_reverse(&turned, HOTZONE), 0);
	run_close(&r);
	assert_int_equal(run_open(&r, v, medium_content(turned.medium), HOTZONE, NULL, seed), 0);
	run_close(&turned);
	r.on_pause = cut;
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_true(volume_check_finished(v, medium_content(r.medium), v->plain));
	for (unsigned event = 0; event < medium_events(r.medium); event++) {
		medium_crash(r.medium, event, CRASH_SUBSET, UINT64_MAX, v->data_offset, 4096,
			     image);
		assert_int_equal(run_open(&seen, v, image, HOTZONE, NULL, seed), 0);
		if (seen.reenc.state == LUKS_REENC_HOT) {
			assert_true(luks_reenc_stock_safe(&seen.reenc, seen.reenc.boundary,
							  seen.reenc.hot_size));
			hot++;
			small += seen.reenc.hot_size <= 5000;
		}
		run_close(&seen);
	}
	assert_true(small > 0);
	assert_true(hot > small);
	run_close(&r);
	volume_free(v);
}

int main(void)
{
	const char *s = getenv("SIM_SEED");
	struct CMUnitTest tests[4];
	size_t n = 0;

	seed = s ? strtoull(s, NULL, 0) : UINT64_C(20261122);
	printf("# SIM_SEED=%" PRIu64 "\n", seed);
	tests[n++] = (struct CMUnitTest){"way_back_is_safe_for_cryptsetup",
					 way_back_is_safe_for_cryptsetup, NULL, NULL,
					 (void *)(uintptr_t)&kinds[0]};
	for (size_t i = 0; i < 3; i++)
		tests[n++] = (struct CMUnitTest){kinds[i].name, any_crash_is_recovered, NULL, NULL,
						 (void *)(uintptr_t)&kinds[i]};
	return _cmocka_run_group_tests("pause", tests, n, NULL, NULL);
}
