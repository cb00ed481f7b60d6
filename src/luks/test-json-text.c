/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our text of a JSON value is that of json-c, byte by byte. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks/json-text.h"
#include "util/checked.h"

static void it_is_the_text_of_json_c(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"a\":[],\"b\":{},\"c\":[1,{\"d\":null}]}",
		"[true,false,null,0,-1,9223372036854775807,-9223372036854775808]",
		"[18446744073709551615,1.5,-2.25e10,0.1,1e300,3.0]",
		"[NaN,Infinity,-Infinity]",
		"[\"\",\"/a/b\",\"\\\"\\\\\"]",
		"[\"\\b\\n\\r\\t\\f\\u0001\\u001f\\u007f\",\"\\u0000x\"]",
		"{\"Gr\\u00fc\\u00dfe \\ud83d\\udd11\":\"\\u20ac\",\"\":0}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_object *value = json_tokener_parse(texts[i]);
		const char *expected;
		char text[256];
		size_t size;

		assert_non_null(value);
		expected = json_object_to_json_string_ext(
			value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		assert_int_equal(json_text_write(value, text, sizeof(text) - 1, &size), 0);
		text[size] = '\0';
		assert_string_equal(text, expected);
		assert_int_equal(json_text_write(value, text, size, &size), 0);
		assert_int_equal(json_text_write(value, text, size - 1, &size), -ENOSPC);
		json_object_put(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_text_of_json_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
