/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Unwritten blocks that are left as they are, on the simulated disk: among others in a chunk, in a
 * whole hotzone, across several, at both ends. Each run is crashed everywhere, and what comes
 * after it leaves them or converts them, as it is drawn; written data must be right in any case.
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

/* Six hotzones of four blocks. */
#define INSIDE                                                                                     \
	"wzwz"                                                                                     \
	"zzzz"                                                                                     \
	"zzzz"                                                                                     \
	"zwpw"                                                                                     \
	"wwpz"                                                                                     \
	"zzzw"
#define AROUND                                                                                     \
	"zzzz"                                                                                     \
	"zzww"                                                                                     \
	"wpzz"                                                                                     \
	"zzww"                                                                                     \
	"wwzz"                                                                                     \
	"zzzz"
#define NEVER                                                                                      \
	"zzzz"                                                                                     \
	"zzzz"                                                                                     \
	"zzzz"                                                                                     \
	"zzzz"                                                                                     \
	"zzzz"                                                                                     \
	"zzzz"

static const struct volume_kind kinds[] = {
	{"checksum-512-4096", 512, 4096, "checksum", NULL, false, false, INSIDE},
	{"checksum-4096-512", 4096, 512, "checksum", NULL, false, false, AROUND},
	{"checksum-cbc-detached", 512, 512, "checksum", "aes-cbc-essiv:sha256", false, true,
	 INSIDE},
	{"journal-512", 512, 512, "journal", NULL, false, false, AROUND},
	{"journal-keep-key", 512, 4096, "journal", NULL, true, false, INSIDE},
};

static const struct volume_kind never_written = {"never-written", 512,   4096, "checksum", NULL,
						 false,           false, NEVER};

/* So much in one piece that hotzones grow on it. */
static const struct volume_kind long_hole = {"long-hole", 512,   512,   "checksum",
					     NULL,        false, false, "zzzzzzzzzzzzzzzzzzwwzzzw"};

static struct volume *new_volume(const struct volume_kind *kind, enum medium_holes holes)
{
	struct volume *v = volume_new(kind, seed);

	v->skip = SKIP_ALWAYS;
	v->holes = holes;
	v->transfer_size = 8192; /* two blocks a chunk */
	return v;
}

static void explore_from(struct volume *v, struct run *r)
{
	struct exploration x = {
		.volume = v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = full ? 8 : USUALLY(2, 1),
		.random_subsets = full ? 100 : USUALLY(4, 1),
		.torn = full ? 50 : USUALLY(3, 1),
		.event_one_in = full ? 1 : USUALLY(1, 3),
		.again_one_in = 4,
		.stock_one_in = full ? 7 : USUALLY(80, 500),
	};

	v->skip = SKIP_DRAWN;
	explore(&x, r, 0);
	assert_int_equal(x.lost, 0);
	v->skip = SKIP_ALWAYS;
}

static void any_crash_is_recovered(const struct volume_kind *kind, enum medium_holes holes)
{
	struct volume *v = new_volume(kind, holes);
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_true(volume_is_still_sparse(v, medium_content(r.medium)));
	assert_true(volume_check_finished(v, medium_content(r.medium), v->plain));
	explore_from(v, &r);
	run_close(&r);
	volume_free(v);
}

static void any_crash_among_zeros_is_recovered(void **state)
{
	any_crash_is_recovered(*state, HOLES_HIDDEN);
}

static void any_crash_among_holes_is_recovered(void **state)
{
	const struct volume_kind *kind = *state;
	const bool seen = strcmp(kind->resilience, "journal") != 0;

	if (full || seen)
		any_crash_is_recovered(kind, HOLES_SEEN);
	if (full || !seen)
		any_crash_is_recovered(kind, HOLES_LOOKED_FOR);
}

/* Half the way, and back over what was left on the way. */
static void any_crash_on_the_way_back_is_recovered(void **state)
{
	struct volume *v = new_volume(*state, seed % 2 == 0 ? HOLES_SEEN : HOLES_HIDDEN);
	enum engine_outcome outcome;
	struct position back;
	struct run r, turned;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	r.stop_after = v->holes == HOLES_SEEN ? 1 : 3; /* there are fewer hotzones around holes */
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_STOPPED);
	assert_int_equal(run_open(&turned, v, medium_content(r.medium), HOTZONE, NULL, seed), 0);
	assert_int_equal(run_reverse(&turned, HOTZONE), 0);
	run_close(&r);
	assert_int_equal(run_open(&r, v, medium_content(turned.medium), HOTZONE, NULL, seed), 0);
	run_close(&turned);
	assert_int_equal(r.reenc.direction, LUKS_BACKWARD);
	back = (struct position){r.reenc.boundary, 0};
	assert_int_equal(engine_run(r.engine, &back, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_true(volume_is_still_sparse(v, medium_content(r.medium)));
	explore_from(v, &r);
	run_close(&r);
	volume_free(v);
}

static void holes_are_not_even_read(void **state)
{
	struct volume *v = new_volume(*state, HOLES_SEEN);
	enum engine_outcome outcome;
	struct run r;

	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	/* None but the last hotzone, and the commit of that says all of it. */
	assert_int_equal(medium_requests(r.medium, DISK_READ), HOTZONE / v->transfer_size);
	assert_int_equal(r.hotzones, 1);
	assert_true(volume_is_still_sparse(v, medium_content(r.medium)));
	run_close(&r);
	volume_free(v);
}

/* Not asked to, it converts the zeros like all else. */
static void zeros_are_data_by_default(void **state)
{
	struct volume *v = new_volume(*state, HOLES_SEEN);
	_cleanup_free_ uint8_t *data = NULL;
	enum engine_outcome outcome;
	struct run r;

	v->skip = SKIP_NEVER;
	assert_int_equal(run_open(&r, v, v->image, HOTZONE, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	data = volume_decrypt_finished(v, medium_content(r.medium));
	assert_non_null(data);
	assert_memory_equal(data, v->plain, v->data_size);
	run_close(&r);
	volume_free(v);
}

/* --- online: an application writes into the holes --- */

struct scene {
	struct volume *v;
	struct run r;
	struct application app;
};

static void open_scene(struct scene *s, struct volume *v, uint64_t app_seed)
{
	s->v = v;
	application_init(&s->app, &s->r, app_seed);
	memcpy(s->app.plain, v->plain, v->data_size);
	assert_int_equal(run_open(&s->r, v, v->image, 4 * HOTZONE, &s->app.freezer, seed), 0);
	/* With a target the engine looks ahead, and takes longer hotzones where it sees zeros. */
	s->r.stall_target = 1000000;
}

static void close_scene(struct scene *s)
{
	run_close(&s->r);
	application_done(&s->app);
}

/* The disk is looked at before the run, and before and after the only freeze that is for a hole. */
static void holes_are_not_read_online_either(void **state)
{
	struct volume *v = new_volume(*state, HOLES_LOOKED_FOR);
	enum engine_outcome outcome;
	struct scene s;

	open_scene(&s, v, seed);
	s.r.stall_target = 0;
	s.app.late = true;
	assert_int_equal(run_all(&s.r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_int_equal(s.app.violations, 0);
	assert_int_equal(medium_looks(s.r.medium), 3);
	assert_int_equal(medium_requests(s.r.medium, DISK_READ), 4 * HOTZONE / v->transfer_size);
	assert_int_equal(s.app.freezes, 2);
	assert_true(volume_is_still_sparse(v, medium_content(s.r.medium)));
	close_scene(&s);
	volume_free(v);
}

/* Whichever look fails: what it was for is read. */
static void a_look_that_fails_is_survived(void **state)
{
	struct volume *v = new_volume(*state, HOLES_LOOKED_FOR);
	bool failed = true;
	unsigned i;

	for (i = 0; failed; i++) {
		enum engine_outcome outcome;
		struct scene s;

		open_scene(&s, v, seed + i);
		s.app.late = true;
		medium_fail_look(s.r.medium, i);
		assert_int_equal(run_all(&s.r, &outcome), 0);
		assert_int_equal(outcome, ENGINE_FINISHED);
		assert_int_equal(s.app.violations, 0);
		assert_true(volume_check_finished(v, medium_content(s.r.medium), s.app.plain));
		failed = medium_looks(s.r.medium) > i;
		close_scene(&s);
	}
	assert_true(i > 3);
	volume_free(v);
}

/* Between the look ahead, which is a hint, and the freeze a hole gets data. */
static void a_hole_that_is_written_before_the_freeze_is_converted(void **state)
{
	struct volume *v = new_volume(*state, HOLES_HIDDEN);

	for (uint64_t i = 0; i < 24; i++) {
		enum engine_outcome outcome;
		struct scene s;

		v->holes = i % 2 == 0 ? HOLES_LOOKED_FOR : HOLES_HIDDEN;
		open_scene(&s, v, seed + i);
		s.app.late = true;
		assert_int_equal(run_all(&s.r, &outcome), 0);
		assert_int_equal(s.app.violations, 0);
		assert_true(volume_check_finished(v, medium_content(s.r.medium), s.app.plain));
		close_scene(&s);
	}
	volume_free(v);
}

static void any_crash_under_load_is_recovered(void **state)
{
	struct volume *v = new_volume(*state, HOLES_LOOKED_FOR);

	for (uint64_t i = 0; i < (full ? 20 : USUALLY(2, 1)); i++) {
		enum engine_outcome outcome;
		struct scene s;
		struct exploration x = {
			.volume = v,
			.hotzone_size = HOTZONE,
			.seed = seed + i,
			.all_subsets_up_to = full ? 3 : USUALLY(2, 1),
			.random_subsets = full ? 50 : USUALLY(3, 1),
			.torn = full ? 20 : USUALLY(2, 1),
			.event_one_in = full ? 1 : USUALLY(1, 3),
			.again_one_in = 8,
			.is_right = application_accepts,
			.is_right_arg = &s.app,
		};

		open_scene(&s, v, seed + i);
		assert_int_equal(run_all(&s.r, &outcome), 0);
		assert_int_equal(outcome, ENGINE_FINISHED);
		assert_int_equal(s.app.violations, 0);
		assert_true(volume_check_finished(v, medium_content(s.r.medium), s.app.plain));
		v->skip = SKIP_DRAWN;
		explore(&x, &s.r, 0);
		assert_int_equal(x.lost, 0);
		v->skip = SKIP_ALWAYS;
		close_scene(&s);
	}
	volume_free(v);
}

/* Writes and flushes fail, once or for good, online or offline; each of them in the long form. */
static void any_io_error_is_survived(void **state)
{
	struct volume *v = new_volume(*state, HOLES_LOOKED_FOR);

	const unsigned step = full ? 1 : USUALLY(5, 13);

	for (unsigned n = 0, way = 0; way < 8; n += step) {
		const enum disk_op op = way & 1 ? DISK_FLUSH : DISK_WRITE;
		const bool for_good = way & 2, online = way & 4;
		enum engine_outcome outcome;
		struct scene s;
		struct run after;
		bool hit;

		open_scene(&s, v, seed);
		if (!online) {
			run_close(&s.r);
			assert_int_equal(run_open(&s.r, v, v->image, HOTZONE, NULL, seed), 0);
		}
		medium_fail(s.r.medium, op, n, for_good ? UINT64_MAX : n);
		(void)run_all(&s.r, &outcome);
		assert_int_equal(s.app.violations, 0);
		assert_false(s.app.frozen);
		hit = medium_requests(s.r.medium, op) > n;
		assert_int_equal(run_open(&after, v, medium_content(s.r.medium), HOTZONE, NULL, n),
				 0);
		if (after.engine)
			assert_int_equal(run_all(&after, &outcome), 0);
		assert_true(volume_check_finished(v, medium_content(after.medium), s.app.plain));
		run_close(&after);
		close_scene(&s);
		if (!hit) {
			assert_true(n > 10);
			n = 0 - step; /* 0 is next */
			way++;
		}
	}
	volume_free(v);
}

int main(void)
{
	struct CMUnitTest tests[3 * ARRAY_SIZE(kinds) + 8];
	size_t n = 0;

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i += USUALLY(1, 4)) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){kinds[i].name, any_crash_among_zeros_is_recovered,
						 NULL, NULL, kind};
		if (full || i % 3 == 0)
			tests[n++] = (struct CMUnitTest){
				"holes", any_crash_among_holes_is_recovered, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){"back", any_crash_on_the_way_back_is_recovered,
						 NULL, NULL, kind};
	}
	tests[n++] = (struct CMUnitTest){"holes_are_not_even_read", holes_are_not_even_read, NULL,
					 NULL, (void *)(uintptr_t)&never_written};
	tests[n++] = (struct CMUnitTest){"holes_online", holes_are_not_read_online_either, NULL,
					 NULL, (void *)(uintptr_t)&never_written};
	tests[n++] = (struct CMUnitTest){"look_fails", a_look_that_fails_is_survived, NULL, NULL,
					 (void *)(uintptr_t)&long_hole};
	tests[n++] = (struct CMUnitTest){"zeros_are_data_by_default", zeros_are_data_by_default,
					 NULL, NULL, (void *)(uintptr_t)&kinds[0]};
	tests[n++] = (struct CMUnitTest){"load_checksum", any_crash_under_load_is_recovered, NULL,
					 NULL, (void *)(uintptr_t)&kinds[0]};
	tests[n++] = (struct CMUnitTest){"late_write",
					 a_hole_that_is_written_before_the_freeze_is_converted,
					 NULL, NULL, (void *)(uintptr_t)&long_hole};
	tests[n++] = (struct CMUnitTest){"load_long_hole", any_crash_under_load_is_recovered, NULL,
					 NULL, (void *)(uintptr_t)&long_hole};
	tests[n++] = (struct CMUnitTest){"load_journal", any_crash_under_load_is_recovered, NULL,
					 NULL, (void *)(uintptr_t)&kinds[3]};
	tests[n++] = (struct CMUnitTest){"io_error_checksum", any_io_error_is_survived, NULL, NULL,
					 (void *)(uintptr_t)&kinds[1]};
	tests[n++] = (struct CMUnitTest){"io_error_journal", any_io_error_is_survived, NULL, NULL,
					 (void *)(uintptr_t)&kinds[4]};
	return _cmocka_run_group_tests("skip", tests, n, NULL, NULL);
}
