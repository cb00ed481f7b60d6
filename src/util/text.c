/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A noncharacter is well-formed UTF-8, and sd-bus refuses it all the same. */
static bool is_noncharacter(uint32_t c)
{
	return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* Bytes of the character at @text, 0 where there is none; *ret is its code point. */
static size_t character_at(const char *text, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *s = (const uint8_t *)text;
	const size_t n = *s < 0x80             ? 1
			 : (*s & 0xe0) == 0xc0 ? 2
			 : (*s & 0xf0) == 0xe0 ? 3
			 : (*s & 0xf8) == 0xf0 ? 4
					       : 0;
	uint32_t c = *s;

	if (n == 0)
		return 0;
	if (n > 1)
		c &= 0x7fU >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || is_noncharacter(c))
		return 0;
	*ret = c;
	return n;
}

bool text_is_valid(const char *text)
{
	uint32_t c;

	for (size_t n; *text; text += n) {
		n = character_at(text, &c);
		if (n == 0)
			return false;
	}
	return true;
}

void text_make_valid(char *text)
{
	uint32_t c;

	for (size_t n; *text; text += n) {
		n = character_at(text, &c);
		if (n == 0) {
			*text = '?';
			n = 1;
		}
	}
}

/*
 * The first @size bytes of a text that goes on behind them: takes away the beginning of a
 * character that the cut has left at the end. Other bytes that are not valid stay.
 */
static void drop_part_of_character(char *text, size_t size)
{
	size_t start = size;
	uint8_t lead;

	while (start > 0 && size - start < 3 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	lead = (uint8_t)text[--start];
	if ((lead & 0xe0) == 0xc0   ? size - start < 2
	    : (lead & 0xf0) == 0xe0 ? size - start < 3
				    : (lead & 0xf8) == 0xf0 && size - start < 4)
		text[start] = '\0';
}

bool text_copy(char *buf, size_t size, const char *text)
{
	const size_t n = strnlen(text, size);

	assert(size > 0);
	if (n == size) {
		memcpy(buf, text, size - 1);
		buf[size - 1] = '\0';
		drop_part_of_character(buf, size - 1);
	} else {
		memcpy(buf, text, n + 1);
	}
	text_make_valid(buf);
	return n < size;
}

bool text_vformat(char *buf, size_t size, const char *format, va_list ap)
{
	int n;

	assert(size > 0);
	n = vsnprintf(buf, size, format, ap);
	if (n < 0)
		*buf = '\0';
	else if ((size_t)n >= size)
		drop_part_of_character(buf, size - 1);
	text_make_valid(buf);
	return n >= 0 && (size_t)n < size;
}

bool text_format(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	bool whole;

	va_start(ap, format);
	whole = text_vformat(buf, size, format, ap);
	va_end(ap);
	return whole;
}

static bool terminal_obeys(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || /* C0, DEL, C1 */
	       c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || /* bidirectional */
	       c == 0x2028 || c == 0x2029;     /* separators of lines and paragraphs */
}

void text_mask(char *text)
{
	char *out = text;

	while (*text) {
		uint32_t c;
		const size_t n = character_at(text, &c);

		if (n == 0 || terminal_obeys(c)) {
			*out++ = '?';
			text += n > 0 ? n : 1;
			continue;
		}
		memmove(out, text, n);
		out += n;
		text += n;
	}
	*out = '\0';
}

char *text_masked(const char *text)
{
	char *copy = strdup(text);

	if (copy)
		text_mask(copy);
	return copy;
}

char *text_json(const char *json)
{
	char *text = malloc(strlen(json) * 6 + 1), *out = text; /* "\\u009b" for a byte or more */

	if (!text)
		return NULL;
	while (*json) {
		uint32_t c = '?';
		const size_t n = character_at(json, &c);

		/* What is left of C0 there is white space between values. */
		if (c >= 0x20 && terminal_obeys(c)) {
			out += sprintf(out, "\\u%04x", c);
		} else if (n == 0) {
			*out++ = '?';
		} else {
			memcpy(out, json, n);
			out += n;
		}
		json += n > 0 ? n : 1;
	}
	*out = '\0';
	return text;
}
