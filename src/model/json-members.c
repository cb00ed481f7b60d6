/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/json-members.h"

#include <errno.h>

#include "util/checked.h"
#include "util/text.h"

json_object *json_member(json_object *o, const char *name, json_type type)
{
	json_object *found;

	return json_object_object_get_ex(o, name, &found) && json_object_is_type(found, type)
		       ? found
		       : NULL;
}

void json_get_text(json_object *o, const char *name, char *buf, size_t size)
{
	json_object *found = json_member(o, name, json_type_string);

	(void)text_copy(buf, size, found ? json_object_get_string(found) : "");
}

uint64_t json_get_number(json_object *o, const char *name)
{
	json_object *found = json_member(o, name, json_type_int);
	const int64_t n = found ? json_object_get_int64(found) : 0;

	return n > 0 ? (uint64_t)n : 0;
}

uint32_t json_get_number32(json_object *o, const char *name)
{
	return (uint32_t)MIN(json_get_number(o, name), (uint64_t)UINT32_MAX);
}

bool json_get_bool(json_object *o, const char *name)
{
	json_object *found = json_member(o, name, json_type_boolean);

	return found && json_object_get_boolean(found);
}

int json_put(json_object *o, const char *name, json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(o, name, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}

int json_put_text(json_object *o, const char *name, const char *text)
{
	if (*text)
		return json_put(o, name, json_object_new_string(text));
	json_object_object_del(o, name);
	return 0;
}

int json_put_number(json_object *o, const char *name, uint64_t n)
{
	if (n > 0)
		return json_put(o, name,
				json_object_new_int64((int64_t)MIN(n, (uint64_t)INT64_MAX)));
	json_object_object_del(o, name);
	return 0;
}

int json_put_bool(json_object *o, const char *name, bool value)
{
	if (value)
		return json_put(o, name, json_object_new_boolean(1));
	json_object_object_del(o, name);
	return 0;
}
