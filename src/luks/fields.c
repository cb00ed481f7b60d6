/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_SIZE 21 /* UINT64_MAX and the NUL */

json_object *field_get(json_object *object, const char *key, enum json_type type)
{
	json_object *member;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &member) || !json_object_is_type(member, type))
		return NULL;
	return member;
}

static const char *string_value(json_object *s)
{
	const char *text;

	if (!json_object_is_type(s, json_type_string))
		return NULL;
	text = json_object_get_string(s);
	if (!text[0] || strlen(text) != (size_t)json_object_get_string_len(s))
		return NULL;
	return text;
}

const char *field_string(json_object *object, const char *key)
{
	return string_value(field_get(object, key, json_type_string));
}

static int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

int field_u64(json_object *object, const char *key, uint64_t *ret)
{
	const char *text = field_string(object, key);

	return text ? parse_u64(text, ret) : -EINVAL;
}

int field_u32(json_object *object, const char *key, uint32_t *ret)
{
	json_object *number = field_get(object, key, json_type_int);
	int64_t v;

	if (!number)
		return -EINVAL;
	v = json_object_get_int64(number); /* clamped where it is larger */
	if (v < 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

int parse_id(const char *text, unsigned limit, unsigned *ret)
{
	uint64_t v;
	int r;

	r = parse_u64(text, &v);
	if (r < 0 || v >= limit || (text[0] == '0' && text[1]))
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

static const char *id_text(unsigned id, char buf[static DECIMAL_SIZE])
{
	(void)snprintf(buf, DECIMAL_SIZE, "%u", id);
	return buf;
}

json_object *field_by_id(json_object *object, unsigned id)
{
	char buf[DECIMAL_SIZE];

	return field_get(object, id_text(id, buf), json_type_object);
}

int field_set(json_object *object, const char *key, json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int field_set_id(json_object *object, unsigned id, json_object *value)
{
	char buf[DECIMAL_SIZE];

	return field_set(object, id_text(id, buf), value);
}

void field_delete_id(json_object *object, unsigned id)
{
	char buf[DECIMAL_SIZE];

	json_object_object_del(object, id_text(id, buf));
}

/* Index of @id in @array, or its length. */
static size_t ids_find(json_object *array, unsigned id)
{
	const size_t n = json_object_array_length(array);
	char buf[DECIMAL_SIZE];
	size_t i;

	(void)id_text(id, buf);
	for (i = 0; i < n; i++) {
		const char *text = string_value(json_object_array_get_idx(array, i));

		if (text && strcmp(text, buf) == 0)
			break;
	}
	return i;
}

bool ids_contain(json_object *array, unsigned id)
{
	return ids_find(array, id) < json_object_array_length(array);
}

int ids_add(json_object *array, unsigned id)
{
	char buf[DECIMAL_SIZE];
	json_object *text;

	if (ids_contain(array, id))
		return 0;
	text = json_object_new_string(id_text(id, buf));
	if (text && json_object_array_add(array, text) == 0)
		return 0;
	json_object_put(text);
	return -ENOMEM;
}

void ids_remove(json_object *array, unsigned id)
{
	size_t i;

	while ((i = ids_find(array, id)) < json_object_array_length(array))
		(void)json_object_array_del_idx(array, i, 1);
}

json_object *json_u64(uint64_t v)
{
	char buf[DECIMAL_SIZE];

	(void)snprintf(buf, sizeof(buf), "%" PRIu64, v);
	return json_object_new_string(buf);
}
