/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/uuid.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int uuid_canonical(const char *text, char ret[static UUID_TEXT_SIZE])
{
	const bool dashes = strchr(text, '-');
	char out[UUID_TEXT_SIZE];

	for (size_t i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash && !dashes) {
			out[i] = '-';
			continue;
		}
		if (dash ? *text != '-' : !isxdigit((unsigned char)*text))
			return -EINVAL;
		out[i] = (char)tolower((unsigned char)*text++);
	}
	if (*text)
		return -EINVAL;
	out[UUID_TEXT_SIZE - 1] = '\0';
	memcpy(ret, out, sizeof(out));
	return 0;
}

bool uuid_equal(const char *a, const char *b)
{
	char x[UUID_TEXT_SIZE], y[UUID_TEXT_SIZE];

	return uuid_canonical(a, x) == 0 && uuid_canonical(b, y) == 0 && strcmp(x, y) == 0;
}
