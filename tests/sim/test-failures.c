/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Offline re-encryption of a disk that fails: a bad sector ahead, together with writes and flushes
 * that fail once or several times in a row at every place. What a failed flush was to save may be
 * lost for good. Whatever the run says, its data must come back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "explore.h"
#include "random.h"
#include "restart.h"
#include "util/checked.h"

#define MAX_BURST 4U

static uint64_t seed;

static const struct volume_kind kinds[] = {
	{"checksum", 512, 4096, "checksum", NULL, false, false, NULL},
	{"journal", 512, 512, "journal", NULL, false, false, NULL},
	{"checksum-detached", 512, 512, "checksum", NULL, false, true, NULL},
	{"ahead", 512, 512, "ahead", NULL, false, false, NULL},
};

/* The faults are gone: what is on the disk is brought to the end. */
static bool ends_well(const struct volume *v, const uint8_t *image)
{
	enum engine_outcome outcome;
	struct run r;
	bool ok = run_open(&r, v, image, v->hotzone_size, NULL, seed) == 0;

	if (ok && r.engine)
		ok = run_all(&r, &outcome) == 0 && outcome == ENGINE_FINISHED;
	ok = ok && volume_check_finished(v, medium_content(r.medium), v->plain);
	run_close(&r);
	return ok;
}

/* A sector in the fourth hotzone cannot be read, and @burst requests from number @n on fail. */
static bool survives_faults(const struct volume *v, enum disk_op op, unsigned n, unsigned burst,
			    bool *ret_more)
{
	enum engine_outcome outcome;
	struct run r;
	bool ok;

	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	medium_fail_range(r.medium, DISK_READ, v->data_offset + 3 * v->hotzone_size + 8192, 512);
	medium_fail(r.medium, op, n, n + burst - 1);
	assert_true(run_all(&r, &outcome) < 0);
	*ret_more = medium_requests(r.medium, op) > n;
	/* Its memory goes right after the run. */
	ok = medium_is_idle(r.medium) && ends_well(v, medium_content(r.medium));
	if (!ok)
		printf("# %s: lost after %u failures of kind %d from request %u on\n",
		       v->kind->name, burst, op, n);
	run_close(&r);
	return ok;
}

static void failures_beside_a_bad_sector_lose_nothing(void **state)
{
	struct volume *v = volume_new(*state, seed);
	unsigned lost = 0, runs = 0;

	for (enum disk_op op = DISK_WRITE; op <= DISK_FLUSH; op++) {
		for (unsigned burst = 1; burst <= MAX_BURST; burst++) {
			bool more = true;

			for (unsigned n = 0; more; n++) {
				lost += !survives_faults(v, op, n, burst, &more);
				runs++;
			}
		}
	}
	printf("# %s: %u runs\n", v->kind->name, runs);
	assert_true(runs > 50);
	assert_int_equal(lost, 0);
	volume_free(v);
}

/*
 * Each read fails once, with what a network file system says when its server comes back. It is no
 * header that another program has changed: the run goes on, and nothing is converted twice.
 */
static void a_stale_handle_is_no_changed_header(void **state)
{
	struct volume *v = volume_new(*state, seed);
	unsigned lost = 0, runs = 0;
	bool more = true;

	for (unsigned n = 0; more; n++, runs++) {
		enum engine_outcome outcome;
		struct run r;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail_once(r.medium, DISK_READ, n, -ESTALE);
		(void)run_all(&r, &outcome);
		more = medium_requests(r.medium, DISK_READ) > n;
		lost += !ends_well(v, medium_content(r.medium));
		run_close(&r);
	}
	printf("# %s: %u runs\n", v->kind->name, runs);
	assert_true(runs > 5);
	assert_int_equal(lost, 0);
	volume_free(v);
}

/* Each flush fails once; then the run is crashed everywhere behind that. */
static void what_a_failed_flush_lost_is_written_again(void **state)
{
	struct volume *v = volume_new(*state, seed);
	unsigned finished = 0;
	bool more = true;

	for (unsigned n = 0; more; n++) {
		struct exploration x = {
			.volume = v,
			.hotzone_size = v->hotzone_size,
			.seed = seed,
			.all_subsets_up_to = USUALLY(3, 2),
			.random_subsets = USUALLY(2, 1),
			.torn = USUALLY(3, 1),
			.event_one_in = USUALLY(1, 3),
		};
		enum engine_outcome outcome;
		struct run r;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail(r.medium, DISK_FLUSH, n, n);
		finished += run_all(&r, &outcome) == 0;
		more = medium_requests(r.medium, DISK_FLUSH) > n;
		assert_true(medium_is_idle(r.medium));
		explore(&x, &r, medium_first_loss(r.medium));
		assert_int_equal(x.lost, 0);
		run_close(&r);
	}
	printf("# %s: %u runs finished all the same\n", v->kind->name, finished);
	assert_true(finished > 1);
	volume_free(v);
}

/* From some flush on all fail; then the disk is well again, with what it lost still in its cache.
 */
static void what_failed_flushes_lost_is_recovered(void **state)
{
	struct volume *v = volume_new(*state, seed);
	const struct restart how = {PROGRAM_REENCRYPT, .flushes = true, .loads = true};
	unsigned states = 0;
	bool more = true;

	for (unsigned n = 0; more; n += USUALLY(1, 5)) {
		struct exploration x = {
			.volume = v,
			.hotzone_size = v->hotzone_size,
			.seed = seed,
			.all_subsets_up_to = 1,
			.random_subsets = 1,
			.torn = 1,
			.events = 40,
			.event_one_in = USUALLY(2, 5),
			.quiet = true,
		};
		enum engine_outcome outcome;
		struct run r, after;
		unsigned written;

		assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
		medium_fail(r.medium, DISK_FLUSH, n, UINT64_MAX);
		(void)run_all(&r, &outcome);
		more = medium_requests(r.medium, DISK_FLUSH) > n;
		assert_int_equal(restart(&after, &r, medium_events(r.medium), &how, seed, &written),
				 0);
		if (written < medium_events(after.medium))
			explore(&x, &after, written);
		assert_int_equal(x.lost, 0);
		states += x.states;
		run_close(&after);
		run_close(&r);
	}
	printf("# %s: %u crash states after flushes that failed for good\n", v->kind->name, states);
	volume_free(v);
}

int main(void)
{
	struct CMUnitTest tests[4 * ARRAY_SIZE(kinds)];
	size_t n = 0;

	seed = program_seed();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){"failures_beside_a_bad_sector",
						 failures_beside_a_bad_sector_lose_nothing, NULL,
						 NULL, kind};
		tests[n++] = (struct CMUnitTest){"failed_flush",
						 what_a_failed_flush_lost_is_written_again, NULL,
						 NULL, kind};
		tests[n++] = (struct CMUnitTest){
			"failed_flushes", what_failed_flushes_lost_is_recovered, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){
			"stale_handle", a_stale_handle_is_no_changed_header, NULL, NULL, kind};
	}
	return _cmocka_run_group_tests("failures", tests, n, NULL, NULL);
}
