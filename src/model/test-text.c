/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/test-text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SIZE_MOST (1U << 20)

char *test_text_read(const char *path)
{
	char whole[4096], *text = calloc(1, SIZE_MOST + 1);
	size_t size;
	FILE *f;

	(void)snprintf(whole, sizeof(whole), "%s/%s", getenv("srcdir") ?: ".", path);
	f = fopen(whole, "re");
	if (!f || !text) {
		fail_msg("%s: cannot be read", whole);
		return NULL;
	}
	size = fread(text, 1, SIZE_MOST, f);
	assert_in_range(size, 1, SIZE_MOST - 1);
	assert_int_equal(fclose(f), 0);
	return text;
}

char *test_text_part(char *text, const char *from, const char *to)
{
	char *start = strstr(text, from), *end = start ? strstr(start, to) : NULL;

	if (!end) {
		fail_msg("no part from %s to %s", from, to);
		return text;
	}
	*end = '\0';
	return start;
}
