/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text from outside: headers, paths, messages, errors that quote them. There are two dangers.
 *
 * A D-Bus string that is not valid UTF-8, or is cut within a character, costs the connection. So
 * text in fixed buffers is written with text_copy() or text_format().
 *
 * A terminal obeys control characters, and bidirectional marks change what it shows. So text is
 * masked with text_mask() where it is printed or logged.
 *
 * Each byte or character that cannot stay becomes one '?'. Names of files are bytes: what is
 * changed here is for show, and never becomes a path again.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Valid as sd-bus judges it: UTF-8 of RFC 3629 without noncharacters (U+FDD0 to U+FDEF, and the
 * last two of each plane).
 */
bool text_is_valid(const char *text);

/* Replaces each byte that belongs to no valid character; the length stays. */
void text_make_valid(char *text);

/*
 * Writes valid text into @size bytes (at least 1), cut after a whole character. False: it was cut.
 * @text must not overlap @buf.
 */
bool text_copy(char *buf, size_t size, const char *text);
/* NULL for "", where a struct has a text in it and a function takes a pointer. */
static inline const char *text_or_null(const char *text)
{
	return *text ? text : NULL;
}
bool text_format(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool text_vformat(char *buf, size_t size, const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

/*
 * Makes @text valid and replaces what a terminal obeys: C0 (tabs and newlines, too), DEL, C1,
 * line and paragraph separators, and the controls of bidirectional text. Never longer than before.
 */
void text_mask(char *text);

/* A masked copy, the caller's to free; NULL: out of memory. */
char *text_masked(const char *text);

/*
 * JSON, whose strings may hold anything, as valid JSON that a terminal does not obey either: the
 * same characters, escaped where need be. The caller's to free; NULL: out of memory.
 */
char *text_json(const char *json);
