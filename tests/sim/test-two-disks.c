/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A header on a disk of its own, and applications that write without flushing: after a crash each
 * disk has lost a part of its own. A block may then have any value that was written to it since the
 * last flush, or that flush's, by the key that the recovered header says; nothing else.
 */
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

static const struct volume_kind kinds[] = {
	{"checksum-detached", 512, 4096, "checksum", NULL, false, true, NULL},
	{"journal-detached", 512, 512, "journal", NULL, false, true, NULL},
};

struct scene {
	struct run r;
	struct application app;
};

static void open_scene(struct scene *s, struct volume *v, bool online, uint64_t app_seed)
{
	application_init(&s->app, &s->r, app_seed);
	s->app.flush_one_in = app_seed % 2 == 0 ? 0 : 6;
	memcpy(s->app.plain, v->plain, v->data_size);
	assert_int_equal(
		run_open(&s->r, v, v->image, HOTZONE, online ? &s->app.freezer : NULL, seed), 0);
}

static void explore_scene(struct scene *s, struct volume *v)
{
	struct exploration x = {
		.volume = v,
		.hotzone_size = HOTZONE,
		.seed = seed,
		.all_subsets_up_to = full ? 6 : 2,
		.random_subsets = full ? 100 : USUALLY(12, 2),
		.torn = full ? 50 : USUALLY(3, 1),
		.again_one_in = 6,
		.is_right = application_accepts,
		.is_right_arg = &s->app,
	};
	enum engine_outcome outcome;

	assert_int_equal(run_all(&s->r, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	assert_int_equal(s->app.violations, 0);
	assert_true(volume_check_finished(v, medium_content(s->r.medium), s->app.plain));
	explore(&x, &s->r, 0);
	assert_int_equal(x.lost, 0);
	run_close(&s->r);
	application_done(&s->app);
}

static void unflushed_writes_online_are_one_value_or_another(void **state)
{
	struct volume *v = volume_new(*state, seed);

	for (uint64_t i = 0; i < (full ? 20 : USUALLY(2, 1)); i++) {
		struct scene s;

		open_scene(&s, v, true, seed + i);
		explore_scene(&s, v);
	}
	volume_free(v);
}

/* Somebody wrote to the volume and closed it, and nobody flushed the disk. */
static void unflushed_writes_from_before_are_one_value_or_another(void **state)
{
	struct volume *v = volume_new(*state, seed);

	for (uint64_t i = 0; i < (full ? 20 : USUALLY(2, 1)); i++) {
		struct scene s;

		open_scene(&s, v, false, seed + i);
		for (unsigned n = 0; n < 8; n++)
			application_work(&s.app);
		explore_scene(&s, v);
	}
	volume_free(v);
}

int main(void)
{
	struct CMUnitTest tests[2 * ARRAY_SIZE(kinds)];
	size_t n = 0;

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){"online",
						 unflushed_writes_online_are_one_value_or_another,
						 NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){
			"from before", unflushed_writes_from_before_are_one_value_or_another, NULL,
			NULL, kind};
	}
	return _cmocka_run_group_tests("two disks", tests, n, NULL, NULL);
}
