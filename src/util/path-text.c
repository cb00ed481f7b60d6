/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/path-text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

static const char scheme[] = "file://";

static bool is_plain(const char *path)
{
	const size_t n = strlen(path);

	if (n == 0)
		return true;
	if (isspace((unsigned char)path[0]) || isspace((unsigned char)path[n - 1]))
		return false;
	for (const char *p = path; *p; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	return text_is_valid(path);
}

char *path_to_text(const char *path)
{
	static const char kept[] = "/-._~";
	char *text, *out;

	if (is_plain(path))
		return strdup(path);
	text = malloc(sizeof(scheme) + strlen(path) * 3);
	if (!text)
		return NULL;
	out = stpcpy(text, scheme);
	for (const char *p = path; *p; p++) {
		const unsigned char c = (unsigned char)*p;

		if (c < 0x80 && (isalnum(c) || strchr(kept, c)))
			*out++ = (char)c;
		else
			out += sprintf(out, "%%%02X", c);
	}
	*out = '\0';
	return text;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. */
static int decode(char *text)
{
	char *out = text;

	for (; *text; text++) {
		int high, low;

		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		high = digit(text[1]);
		low = high < 0 ? -1 : digit(text[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*out++ = (char)(high << 4 | low);
		text += 2;
	}
	*out = '\0';
	return 0;
}

int path_from_text(const char *text, char **ret)
{
	const size_t n = strlen(scheme);
	const bool uri = strncmp(text, scheme, n) == 0;
	_cleanup_free_ char *path = strdup(uri ? text + n : text);

	if (!path)
		return -ENOMEM;
	if (uri && decode(path) < 0)
		return -EINVAL;
	if (*path != '/' || strlen(path) >= PATH_MAX)
		return -EINVAL;
	*ret = TAKE_PTR(path);
	return 0;
}
