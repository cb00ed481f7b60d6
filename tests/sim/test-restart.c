/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A kill, the start of another program, and then a power cut. What the killed program wrote is in
 * the cache of a disk, where the next one reads it; libcryptsetup, which loads the header first,
 * writes the other copy anew then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "random.h"
#include "restart.h"
#include "util/checked.h"

static uint64_t seed;
static bool full;

static const struct volume_kind kinds[] = {
	{"checksum", 512, 4096, "checksum", NULL, false, false, NULL},
	{"journal", 512, 512, "journal", NULL, false, false, NULL},
	{"checksum-detached", 512, 512, "checksum", NULL, false, true, NULL},
	{"ahead", 512, 512, "ahead", NULL, false, false, NULL},
};

static void run_restarts(const struct volume_kind *kind, const struct restart *how)
{
	struct volume *v = volume_new(kind, seed);
	struct restarts x = {
		.volume = v,
		.hotzone_size = v->hotzone_size,
		.seed = seed,
		.how = *how,
		.one_in = full ? 1 : USUALLY(4, 13),
		.events = full ? 0 : 14,
	};

	restart_everywhere(&x);
	assert_true(x.states > 40);
	assert_int_equal(x.lost, 0);
	volume_free(v);
}

static void a_power_cut_after_a_restart_loses_nothing(void **state)
{
	run_restarts(*state, &(struct restart){.flushes = true, .loads = true});
}

/* Our program has the keys and needs no libcryptsetup, but another one was there before. */
static void a_header_in_flight_is_not_built_upon(void **state)
{
	run_restarts(*state, &(struct restart){.other_loads = true});
}

int main(void)
{
	struct CMUnitTest tests[2 * ARRAY_SIZE(kinds)];
	size_t n = 0;

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){
			"restart", a_power_cut_after_a_restart_loses_nothing, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){"in flight", a_header_in_flight_is_not_built_upon,
						 NULL, NULL, kind};
	}
	return _cmocka_run_group_tests("restart", tests, n, NULL, NULL);
}
