/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/path-text.h"
#include "util/text.h"

static void assert_text(const char *path, const char *text)
{
	_cleanup_free_ char *is = path_to_text(path), *back = NULL;

	assert_string_equal(is, text);
	assert_true(text_is_valid(is));
	assert_int_equal(path_from_text(is, &back), 0);
	assert_string_equal(back, path);
}

static void a_plain_path_is_itself(void **state)
{
	(void)state;
	assert_text("/dev/sda", "/dev/sda");
	assert_text("/srv/B\xc3\xbcro/Ger\xc3\xa4t.img", "/srv/B\xc3\xbcro/Ger\xc3\xa4t.img");
	assert_text("/srv/50% \\x41 a b", "/srv/50% \\x41 a b");
}

static void other_bytes_are_kept(void **state)
{
	char path[300] = "/";

	(void)state;
	assert_text("/B\xfcro/a b%", "file:///B%FCro/a%20b%25");
	assert_text("/a\nb", "file:///a%0Ab");
	assert_text("/a ", "file:///a%20");
	assert_text("/cut\xc3", "file:///cut%C3");
	for (int c = 1; c < 256; c++)
		path[c] = (char)c;
	{
		_cleanup_free_ char *text = path_to_text(path), *back = NULL;

		assert_true(text_is_valid(text));
		assert_int_equal(path_from_text(text, &back), 0);
		assert_string_equal(back, path);
	}
}

static void what_is_no_path_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",          "sda",         "file://",     "file://host/a",
		"file:///%", "file:///%0",  "file:///%00", "file:///%0g",
		"file:/a",   "http:///srv", " /a"};
	char *path = NULL, text[PATH_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(path_from_text(wrong[i], &path), -EINVAL);
	memset(text, '/', PATH_MAX);
	text[PATH_MAX] = '\0';
	assert_int_equal(path_from_text(text, &path), -EINVAL);
	text[PATH_MAX - 1] = '\0';
	assert_int_equal(path_from_text(text, &path), 0);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_path_is_itself),
		cmocka_unit_test(other_bytes_are_kept),
		cmocka_unit_test(what_is_no_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
