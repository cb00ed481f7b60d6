/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/caller.h"

#include "model/json-members.h"

const struct caller_id caller_nobody = {};

struct caller_id caller_from_json(struct json_object *o)
{
	json_object *found = json_member(o, "caller", json_type_int);
	const int64_t uid = found ? json_object_get_int64(found) : -1;

	if (uid < 0 || uid >= CALLER_NOBODY)
		return (struct caller_id){};
	return (struct caller_id){.known = true, .uid = (uint32_t)uid};
}

int caller_to_json(const struct caller_id *c, struct json_object *o)
{
	return c->known ? json_put(o, "caller", json_object_new_int64(c->uid)) : 0;
}
