/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where new keyslots are placed among those that are there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "luks/keyslots.h"

static void the_first_gaps_are_taken_as_cryptsetup_does(void **state)
{
	/* Areas at [4, 8) and [12, 16) MiB of [2, 20): gaps of 2, 4 and 4. */
	struct luks_keyslots ks = {
		.n = 2,
		.slots = {{.id = 1, .area_offset = 12 << 20, .area_size = 4 << 20},
			  {.id = 0, .area_offset = 4 << 20, .area_size = 4 << 20}},
		.areas_start = 2 << 20,
		.areas_end = 20 << 20,
	};

	(void)state;
	assert_int_equal(luks_keyslots_largest_gap(&ks), 4 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 3 << 20), 0);
	assert_int_equal(ks.slots[2].id, 2);
	assert_int_equal(ks.slots[2].area_offset, 8 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 4 << 20), 0);
	assert_int_equal(ks.slots[3].area_offset, 16 << 20);
	assert_int_equal(luks_keyslots_largest_gap(&ks), 2 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 3 << 20), -ENOSPC);
	assert_int_equal(luks_keyslots_place(&ks, 2 << 20), 0);
	assert_int_equal(luks_keyslots_largest_gap(&ks), 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_gaps_are_taken_as_cryptsetup_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
