/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/settings-json.h"

#include <assert.h>
#include <errno.h>

#include "model/json-members.h"
#include "util/checked.h"

static enum choice get_choice(json_object *o, const char *name)
{
	if (!json_member(o, name, json_type_boolean))
		return CHOICE_CONFIGURED;
	return json_get_bool(o, name) ? CHOICE_YES : CHOICE_NO;
}

static int32_t get_int(json_object *o, const char *name)
{
	if (!json_member(o, name, json_type_int))
		return -1;
	return (int32_t)MIN(json_get_number(o, name), (uint64_t)INT32_MAX);
}

static void get_setting(json_object *o, const struct setting *s, void *where)
{
	switch (s->kind) {
	case SETTING_BUFFER:
		json_get_text(o, s->json, where, s->size);
		return;
	case SETTING_U32:
		*(uint32_t *)where = json_get_number32(o, s->json);
		return;
	case SETTING_U64:
		*(uint64_t *)where = json_get_number(o, s->json);
		return;
	case SETTING_INT:
		*(int32_t *)where = get_int(o, s->json);
		return;
	case SETTING_BOOL:
		*(bool *)where = json_get_bool(o, s->json);
		return;
	case SETTING_CHOICE:
		*(enum choice *)where = get_choice(o, s->json);
		return;
	case SETTING_TEXT:
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
	case SETTING_NAME:
	case SETTING_BITS:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
	assert(false);
}

void settings_from_json(json_object *o, const struct setting *rows, void *values)
{
	for (const struct setting *s = rows; s->name; s++)
		if (s->json)
			get_setting(o, s, (char *)values + s->where);
}

static int put_choice(json_object *o, const char *name, enum choice choice)
{
	if (choice != CHOICE_CONFIGURED)
		return json_put(o, name, json_object_new_boolean(choice == CHOICE_YES));
	json_object_object_del(o, name);
	return 0;
}

static int put_int(json_object *o, const char *name, int32_t n)
{
	if (n >= 0)
		return json_put(o, name, json_object_new_int64(n));
	json_object_object_del(o, name);
	return 0;
}

static int put_setting(json_object *o, const struct setting *s, const void *where)
{
	switch (s->kind) {
	case SETTING_BUFFER:
		return json_put_text(o, s->json, where);
	case SETTING_U32:
		return json_put_number(o, s->json, *(const uint32_t *)where);
	case SETTING_U64:
		return json_put_number(o, s->json, *(const uint64_t *)where);
	case SETTING_INT:
		return put_int(o, s->json, *(const int32_t *)where);
	case SETTING_BOOL:
		return json_put_bool(o, s->json, *(const bool *)where);
	case SETTING_CHOICE:
		return put_choice(o, s->json, *(const enum choice *)where);
	case SETTING_TEXT:
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
	case SETTING_NAME:
	case SETTING_BITS:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
	assert(false);
	return -EINVAL;
}

int settings_to_json(json_object *o, const struct setting *rows, const void *values)
{
	for (const struct setting *s = rows; s->name; s++) {
		const int r = s->json ? put_setting(o, s, (const char *)values + s->where) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}
