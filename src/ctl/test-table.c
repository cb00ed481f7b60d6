/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables that fit a terminal, whatever is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/table.h"
#include "util/checked.h"
#include "util/cleanup.h"

static const struct table_column name = {"NAME", .cut = true}, size = {"SIZE", .right = true},
				 limit = {"LIMIT", .right = true, .spare = 2},
				 device = {"DEVICE", .cut = true, .spare = 1};
static const struct table_column *const columns[] = {&name, &size, &limit, &device};

/* Rows of four texts; the caller's to free. */
static char *printed(const char *const (*rows)[4], size_t n, struct table_style style)
{
	struct text_table *t = NULL;
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	assert_int_equal(table_new(columns, ARRAY_SIZE(columns), &t), 0);
	for (size_t r = 0; r < n; r++) {
		assert_int_equal(table_add_row(t, NULL), 0);
		for (size_t c = 0; c < 4; c++)
			assert_int_equal(table_set(t, c, rows[r][c]), 0);
	}
	assert_int_equal(table_print(t, &style, f), 0);
	table_free(t);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_printed(const char *const (*rows)[4], size_t n, struct table_style style,
			   const char *expected)
{
	_cleanup_free_ char *text = printed(rows, n, style);

	assert_string_equal(text, expected);
}

static const char *const two[][4] = {{"a", "1", "10", "/dev/a"}, {"long name", "22", "-", "b"}};

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
	(void)state;
	assert_printed(two, 2, (struct table_style){.legend = true},
		       "NAME       SIZE  LIMIT  DEVICE\n"
		       "a             1     10  /dev/a\n"
		       "long name    22      -  b\n");
	assert_printed(two, 2, (struct table_style){},
		       "a           1  10  /dev/a\n"
		       "long name  22   -  b\n");
}

static void what_can_be_spared_goes_first(void **state)
{
	(void)state;
	assert_printed(two, 2, (struct table_style){.legend = true, .width = 24},
		       "NAME       SIZE  DEVICE\n"
		       "a             1  /dev/a\n"
		       "long name    22  b\n");
	assert_printed(two, 2, (struct table_style){.legend = true, .width = 16},
		       "NAME       SIZE\n"
		       "a             1\n"
		       "long name    22\n");
	assert_printed(two, 2, (struct table_style){.legend = true, .width = 12},
		       "NAME    SIZE\n"
		       "a          1\n"
		       "long..    22\n");
	/* Somebody has chosen them. */
	assert_printed(two, 2, (struct table_style){.width = 18, .keep = true},
		       "a      1  10  /d..\n"
		       "lo..  22   -  b\n");
}

static void wide_and_combining_characters_are_counted_as_they_are_shown(void **state)
{
	/* Two columns each; an "e" with an accent over it. */
	static const char *const rows[][4] = {{"\u6f22\u5b57", "1", "", ""},
					      {"e\u0301t", "2", "", ""},
					      {"\xff\xfe", "3", "", ""}};

	(void)state;
	assert_int_equal(table_text_width("\u6f22\u5b57"), 4);
	assert_int_equal(table_text_width("e\u0301t"), 2);
	assert_int_equal(table_text_width("\u00fc"), 1);
	assert_printed(rows, 3, (struct table_style){},
		       "\u6f22\u5b57  1\n"
		       "e\u0301t    2\n"
		       "\?\?    3\n");
	/* A wide one is not cut in its middle. */
	{
		static const char *const long_one[][4] = {
			{"\u6f22\u5b57\u6f22\u5b57", "1", "", ""}};

		assert_printed(long_one, 1, (struct table_style){.width = 8}, "\u6f22..   1\n");
	}
}

/* 40 columns, with names of every length. */
static void no_line_is_wider_than_the_terminal(void **state)
{
	char long_name[200];
	const char *rows[1][4] = {{long_name, "1000.0 GiB", "1000.0 KiB/s", "/dev/mapper/x"}};

	(void)state;
	for (size_t n = 1; n < sizeof(long_name); n++) {
		_cleanup_free_ char *text = NULL;

		memset(long_name, 'n', n - 1);
		long_name[n - 1] = '\0';
		text = printed(rows, 1, (struct table_style){.width = 40, .legend = true});
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(table_text_width(line) <= 40);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
		cmocka_unit_test(what_can_be_spared_goes_first),
		cmocka_unit_test(wide_and_combining_characters_are_counted_as_they_are_shown),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
