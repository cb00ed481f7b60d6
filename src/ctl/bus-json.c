/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/bus-json.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* D-Bus allows 64 levels; ours have fewer than this. */
#define DEPTH_MAX 16

static int read_value(sd_bus_message *m, unsigned depth, json_object **ret);

static int read_basic(sd_bus_message *m, char type, json_object **ret)
{
	union {
		uint8_t y;
		int b;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		double d;
		const char *s;
	} v;

	assert(type != 'v' && type != 'a' && type != 'r');
	if (type == 'h' || sd_bus_message_read_basic(m, type, &v) <= 0)
		return -EBADMSG;
	switch (type) {
	case 'y':
		*ret = json_object_new_int(v.y);
		break;
	case 'b':
		*ret = json_object_new_boolean(v.b);
		break;
	case 'n':
		*ret = json_object_new_int(v.n);
		break;
	case 'q':
		*ret = json_object_new_int(v.q);
		break;
	case 'i':
		*ret = json_object_new_int(v.i);
		break;
	case 'u':
		*ret = json_object_new_uint64(v.u);
		break;
	case 'x':
		*ret = json_object_new_int64(v.x);
		break;
	case 't':
		*ret = json_object_new_uint64(v.t);
		break;
	case 'd':
		*ret = json_object_new_double(v.d);
		break;
	default:
		*ret = json_object_new_string(v.s);
		break;
	}
	return *ret ? 0 : -ENOMEM;
}

/* 1: added, 0: the end. */
static int read_entry(sd_bus_message *m, const char *contents, unsigned depth, json_object *o)
{
	json_object *value;
	const char *key;
	int r;

	r = sd_bus_message_enter_container(m, 'e', contents);
	if (r <= 0)
		return r < 0 ? -EBADMSG : 0;
	if (*contents != 's' && *contents != 'o')
		return -EBADMSG;
	if (sd_bus_message_read_basic(m, *contents, &key) <= 0)
		return -EBADMSG;
	r = read_value(m, depth, &value);
	if (r < 0)
		return r;
	if (json_object_object_add(o, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return sd_bus_message_exit_container(m) < 0 ? -EBADMSG : 1;
}

/* 1: added, 0: the end. */
static int read_element(sd_bus_message *m, unsigned depth, json_object *o)
{
	json_object *value;
	int r = sd_bus_message_at_end(m, 0);

	if (r != 0)
		return r < 0 ? -EBADMSG : 0;
	r = read_value(m, depth, &value);
	if (r < 0)
		return r;
	if (json_object_array_add(o, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 1;
}

static int read_entries(sd_bus_message *m, const char *contents, unsigned depth, json_object *o)
{
	char entry[64];
	int r;

	/* What is between the braces: {sv}, {sa{sv}}. */
	(void)snprintf(entry, sizeof(entry), "%.*s", (int)strlen(contents) - 2, contents + 1);
	do
		r = read_entry(m, entry, depth, o);
	while (r > 0);
	return r;
}

static int read_elements(sd_bus_message *m, unsigned depth, json_object *o)
{
	int r;

	do
		r = read_element(m, depth, o);
	while (r > 0);
	return r;
}

static int read_contents(sd_bus_message *m, char type, const char *contents, unsigned depth,
			 json_object *o)
{
	int r = sd_bus_message_enter_container(m, type, contents);

	if (r < 0)
		return r;
	r = json_object_is_type(o, json_type_object) ? read_entries(m, contents, depth, o)
						     : read_elements(m, depth, o);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_container(sd_bus_message *m, char type, const char *contents, unsigned depth,
			  json_object **ret)
{
	bool dictionary = type == 'a' && *contents == '{';
	json_object *o = dictionary ? json_object_new_object() : json_object_new_array();
	int r;

	assert(depth <= DEPTH_MAX);
	if (!o)
		return -ENOMEM;
	r = read_contents(m, type, contents, depth, o);
	if (r < 0) {
		json_object_put(o);
		return r;
	}
	*ret = o;
	return 0;
}

static int read_variant(sd_bus_message *m, const char *contents, unsigned depth, json_object **ret)
{
	json_object *o;
	int r;

	if (sd_bus_message_enter_container(m, 'v', contents) <= 0)
		return -EBADMSG;
	r = read_value(m, depth, &o);
	if (r < 0)
		return r;
	if (sd_bus_message_exit_container(m) < 0) {
		json_object_put(o);
		return -EBADMSG;
	}
	*ret = o;
	return 0;
}

static int read_value(sd_bus_message *m, unsigned depth, json_object **ret)
{
	const char *contents;
	char type;

	if (depth >= DEPTH_MAX || sd_bus_message_peek_type(m, &type, &contents) <= 0)
		return -EBADMSG;
	if (type == 'v')
		return read_variant(m, contents, depth + 1, ret);
	if (type == 'a' || type == 'r')
		return read_container(m, type, contents, depth + 1, ret);
	return read_basic(m, type, ret);
}

int json_from_message(sd_bus_message *m, json_object **ret)
{
	return read_value(m, 0, ret);
}
