/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk that stores something else than it is given, and says nothing: with verify that is found
 * while the old data is still protected, written again, and where that does not help, the run ends
 * with a header that is hot.
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

#define HOTZONE UINT64_C(16384)
#define BLOCK   UINT64_C(4096)

static uint64_t seed;

/* The first is six hotzones of four blocks. */
static const struct volume_kind checksum = {"checksum", 512,   4096,  "checksum",
					    NULL,       false, false, "wzwzwwwwzzzzwwwwwzzwwwww"};
static const struct volume_kind journal = {"journal", 512,   512,   "journal",
					   NULL,      false, false, NULL};

static struct volume *new_volume(const struct volume_kind *kind)
{
	struct volume *v = volume_new(kind, seed);

	v->skip = SKIP_ALWAYS;
	v->verify = true;
	v->transfer_size = 2 * BLOCK; /* of a chunk */
	return v;
}

/* Is all right after a run in which the disk stores write @n wrong? */
static bool ends_well(const struct volume *v, uint64_t n, uint64_t *ret_writes)
{
	enum engine_outcome outcome;
	struct run r;
	bool ok;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	medium_corrupt(r.medium, n, n);
	assert_int_equal(run_all(&r, &outcome), 0);
	ok = volume_check_finished(v, medium_content(r.medium), v->plain);
	*ret_writes = medium_requests(r.medium, DISK_WRITE);
	run_close(&r);
	return ok;
}

static void a_wrong_write_is_written_again(void **state)
{
	struct volume *v = new_volume(*state);
	uint64_t writes = 1;

	for (uint64_t n = 0; n < MIN(writes, UINT64_C(12)); n++)
		assert_true(ends_well(v, n, &writes));
	/* Without it nobody would know. */
	v->verify = false;
	assert_false(ends_well(v, 0, &writes));
	assert_false(ends_well(v, 3, &writes));
	volume_free(v);
}

/* Blocks that are wrong in the finished volume. */
static unsigned wrong_blocks(const struct volume *v, const uint8_t *image)
{
	_cleanup_free_ uint8_t *data = volume_decrypt_finished(v, image);
	unsigned wrong = 0;

	assert_non_null(data);
	for (uint64_t block = 0; block < v->data_size; block += BLOCK) {
		bool ok = true;

		for (uint64_t at = block; at < block + BLOCK; at += SECTOR_SIZE)
			ok = ok && volume_accepts_untouched(v, at, data + at);
		wrong += !ok;
	}
	return wrong;
}

/* From write @n on all is stored wrong. Then the disk is copied to a sound one. */
static void a_disk_that_lies_stops_the_run(void **state)
{
	struct volume *v = new_volume(*state);

	for (uint64_t n = 0; n < 8; n++) {
		enum engine_outcome outcome;
		struct run r, again;

		assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
		medium_corrupt(r.medium, n, UINT64_MAX);
		assert_int_equal(run_all(&r, &outcome), -EBADMSG);
		assert_int_equal(engine_position(r.engine).hotzone_size, HOTZONE);

		/* A recovery there writes the journal's data no better, and is not believed. */
		assert_int_equal(run_open(&again, v, medium_content(r.medium), HOTZONE, NULL, seed),
				 0);
		assert_int_equal(again.reenc.state, LUKS_REENC_HOT);
		medium_corrupt(again.medium, 0, UINT64_MAX);
		if (v->kind == &journal)
			assert_int_equal(run_all(&again, &outcome), -EBADMSG);
		run_close(&again);

		assert_int_equal(run_open(&again, v, medium_content(r.medium), HOTZONE, NULL, seed),
				 0);
		assert_int_equal(run_all(&again, &outcome), 0);
		if (v->kind == &journal)
			assert_int_equal(wrong_blocks(v, medium_content(again.medium)), 0);
		else
			assert_in_range(wrong_blocks(v, medium_content(again.medium)), 1,
					HOTZONE / BLOCK);
		run_close(&again);
		run_close(&r);
	}
	volume_free(v);
}

/* Reading back changes nothing of what a crash may leave. */
static void any_crash_is_recovered(void **state)
{
	struct volume *v = new_volume(*state);
	struct exploration x = {
		.volume = v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = USUALLY(2, 1),
		.random_subsets = USUALLY(3, 1),
		.torn = USUALLY(2, 1),
		.again_one_in = 4,
	};
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	v->skip = SKIP_DRAWN;
	explore(&x, &r, 0);
	assert_int_equal(x.lost, 0);
	run_close(&r);
	volume_free(v);
}

int main(void)
{
	void *c = (void *)(uintptr_t)&checksum, *j = (void *)(uintptr_t)&journal;
	const struct CMUnitTest tests[] = {
		{"wrong_write_checksum", a_wrong_write_is_written_again, NULL, NULL, c},
		{"wrong_write_journal", a_wrong_write_is_written_again, NULL, NULL, j},
		{"disk_lies_checksum", a_disk_that_lies_stops_the_run, NULL, NULL, c},
		{"disk_lies_journal", a_disk_that_lies_stops_the_run, NULL, NULL, j},
		{"crash_checksum", any_crash_is_recovered, NULL, NULL, c},
		{"crash_journal", any_crash_is_recovered, NULL, NULL, j},
	};

	seed = program_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
