/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/json-text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
	char *to;
	size_t size, used;
	int error;
};

static void put_bytes(struct writer *w, const char *text, size_t size)
{
	assert(w->used <= w->size);
	if (w->error == 0 && size > w->size - w->used)
		w->error = -ENOSPC;
	if (w->error < 0)
		return;
	memcpy(w->to + w->used, text, size);
	w->used += size;
}

static void put_text(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_escaped(struct writer *w, char c)
{
	static const char letters[] = "\b\n\r\t\f\"\\", names[] = "bnrtf\"\\";
	const char *found = c ? strchr(letters, c) : NULL;
	char text[8];

	if (found)
		(void)snprintf(text, sizeof(text), "\\%c", names[found - letters]);
	else
		(void)snprintf(text, sizeof(text), "\\u%04x", (unsigned char)c);
	put_text(w, text);
}

static void put_string(struct writer *w, const char *s, size_t size)
{
	put_bytes(w, "\"", 1);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == '"' || s[i] == '\\')
			put_escaped(w, s[i]);
		else
			put_bytes(w, &s[i], 1);
	put_bytes(w, "\"", 1);
}

static void put_integer(struct writer *w, json_object *value)
{
	const int64_t n = json_object_get_int64(value);
	char text[24];

	if (n < 0)
		(void)snprintf(text, sizeof(text), "%" PRId64, n);
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, json_object_get_uint64(value));
	put_text(w, text);
}

/* Does @text say @value? json-c takes NaN, too, which is not equal to itself. */
static bool says_double(const char *text, double value)
{
	char *end;
	const double said = strtod(text, &end);

	return !*end && (said == value || (isnan(said) && isnan(value)));
}

/* Only in tokens of other programs. json-c knows how the number was written, and needs memory. */
static void put_double(struct writer *w, json_object *value)
{
	const char *text = json_object_to_json_string_ext(
		value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text && says_double(text, json_object_get_double(value)))
		put_text(w, text);
	else if (w->error == 0)
		w->error = -ENOMEM;
}

static void put_value(struct writer *w, json_object *value);

static void put_object(struct writer *w, json_object *object)
{
	const char *separator = "{";

	json_object_object_foreach (object, key, value) {
		put_text(w, separator);
		put_string(w, key, strlen(key));
		put_bytes(w, ":", 1);
		put_value(w, value);
		separator = ",";
	}
	put_text(w, *separator == '{' ? "{}" : "}");
}

static void put_array(struct writer *w, json_object *array)
{
	const size_t n = json_object_array_length(array);

	put_bytes(w, "[", 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			put_bytes(w, ",", 1);
		put_value(w, json_object_array_get_idx(array, i));
	}
	put_bytes(w, "]", 1);
}

static void put_value(struct writer *w, json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		put_text(w, "null");
		break;
	case json_type_boolean:
		put_text(w, json_object_get_boolean(value) ? "true" : "false");
		break;
	case json_type_double:
		put_double(w, value);
		break;
	case json_type_int:
		put_integer(w, value);
		break;
	case json_type_object:
		put_object(w, value);
		break;
	case json_type_array:
		put_array(w, value);
		break;
	case json_type_string:
		put_string(w, json_object_get_string(value),
			   (size_t)json_object_get_string_len(value));
		break;
	}
}

int json_text_write(json_object *value, char *to, size_t size, size_t *ret)
{
	struct writer w = {.to = to, .size = size};

	put_value(&w, value);
	if (w.error < 0)
		return w.error;
	*ret = w.used;
	return 0;
}
