/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/crypttab.h"
#include "util/log.h"

/* What was found, as text. */
static char found[1024];

static int note(const struct crypttab_entry *e, void *userdata)
{
	const size_t n = strlen(found);

	(void)snprintf(found + n, sizeof(found) - n, "%s|%s|%s\n", e->name, e->device,
		       e->header ? e->header : "");
	return strcmp(e->name, "stop") == 0 ? *(int *)userdata : 0;
}

static int parse_bytes(const char *text, size_t size)
{
	char *copy = malloc(size + 1);
	int stop = -123, r;

	assert_non_null(copy);
	memcpy(copy, text, size);
	copy[size] = '\0';
	found[0] = '\0';
	r = crypttab_parse(copy, size, note, &stop);
	free(copy);
	return r;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void entries_are_found_with_their_headers(void **state)
{
	(void)state;
	assert_int_equal(parse("# comment\n\n"
			       "home  /dev/sda2 none luks,discard\n"
			       "\tdata UUID=1234-ABCD /key luks,header=/boot/h,timeout=3\n"
			       "part PARTLABEL=x\n"
			       "swap /dev/sdb"),
			 0);
	assert_string_equal(found, "home|/dev/sda2|\n"
				   "data|/dev/disk/by-uuid/1234-ABCD|/boot/h\n"
				   "part|/dev/disk/by-partlabel/x|\n"
				   "swap|/dev/sdb|\n");
}

static void what_is_no_path_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(parse("one\ntwo relative\nthree UUID=../../etc/passwd\n"
			       "four SERIAL=1\nfive /dev/x none header=relative\n"),
			 0);
	assert_string_equal(found, "five|/dev/x|\n");
}

static void the_caller_can_end_it(void **state)
{
	(void)state;
	assert_int_equal(parse("stop /dev/a\nmore /dev/b\n"), -123);
	assert_string_equal(found, "stop|/dev/a|\n");
}

static void an_empty_file_has_no_entries(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(found, "");
}

static void a_zero_byte_ends_its_line_only(void **state)
{
	static const char text[] = "one /dev/a\0 none\ntwo /dev/b\n";

	(void)state;
	assert_int_equal(parse_bytes(text, sizeof(text) - 1), 0);
	assert_string_equal(found, "one|/dev/a|\ntwo|/dev/b|\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_with_their_headers),
		cmocka_unit_test(what_is_no_path_is_left_out),
		cmocka_unit_test(the_caller_can_end_it),
		cmocka_unit_test(an_empty_file_has_no_entries),
		cmocka_unit_test(a_zero_byte_ends_its_line_only),
	};

	log_init("test-crypttab", LOG_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
