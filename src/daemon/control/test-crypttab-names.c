/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What crypttab's names lead to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/control/crypttab-names.h"

#define ONE "6a0a6c3e-0e6f-4ea5-9a25-000000000001"
#define TWO "6a0a6c3e-0e6f-4ea5-9a25-000000000002"

static void add(struct crypttab_names *n, const char *name, const char *device)
{
	const struct crypttab_entry e = {.name = name, .device = device};

	assert_int_equal(crypttab_names_add(n, &e), 0);
}

static void a_name_leads_to_what_was_found_at_its_path(void **state)
{
	struct crypttab_names n = {};

	(void)state;
	assert_string_equal(crypttab_names_uuid(&n, "home"), "");
	add(&n, "home", "/dev/sdb2");
	assert_string_equal(crypttab_names_uuid(&n, "home"), "");
	crypttab_names_found(&n, "/dev/sdc", TWO);
	assert_string_equal(crypttab_names_uuid(&n, "home"), "");
	crypttab_names_found(&n, "/dev/sdb2", ONE);
	assert_string_equal(crypttab_names_uuid(&n, "home"), ONE);
	assert_string_equal(crypttab_names_uuid(&n, "hom"), "");
	crypttab_names_found(&n, "/dev/sdb2", TWO); /* another disk is there now */
	assert_string_equal(crypttab_names_uuid(&n, "home"), TWO);
	crypttab_names_clear(&n);
	assert_string_equal(crypttab_names_uuid(&n, "home"), "");
}

static void of_two_lines_with_a_name_the_first_counts(void **state)
{
	struct crypttab_names n = {};

	(void)state;
	add(&n, "home", "/dev/a");
	add(&n, "home", "/dev/b");
	crypttab_names_found(&n, "/dev/b", TWO);
	assert_string_equal(crypttab_names_uuid(&n, "home"), "");
	crypttab_names_found(&n, "/dev/a", ONE);
	assert_string_equal(crypttab_names_uuid(&n, "home"), ONE);
	crypttab_names_clear(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_leads_to_what_was_found_at_its_path),
		cmocka_unit_test(of_two_lines_with_a_name_the_first_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
