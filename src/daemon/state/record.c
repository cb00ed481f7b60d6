/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/record.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "luks/fields.h"
#include "model/json-members.h"
#include "model/settings-json.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

static void cleanup_json(json_object **o)
{
	(void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

static void get_keys(json_object *o, struct record *r)
{
	json_object *keys = json_member(o, "keys", json_type_array);
	const size_t n = keys ? json_object_array_length(keys) : 0;

	for (size_t i = 0; i < n && r->n_keys < RECORD_KEYS_MAX; i++) {
		json_object *key = json_object_array_get_idx(keys, i);
		struct volume_key *k = &r->keys[r->n_keys];

		if (!json_object_is_type(key, json_type_object))
			continue;
		json_get_text(key, "id", k->id, sizeof(k->id));
		json_get_text(key, "state", k->state, sizeof(k->state));
		k->generation = json_get_number32(key, "generation");
		k->registered_usec = json_get_number(key, "registered");
		k->populated_usec = json_get_number(key, "populated");
		k->activated_usec = json_get_number(key, "activated");
		k->retired_usec = json_get_number(key, "retired");
		if (strlen(k->id) == 36)
			r->n_keys++;
	}
}

static void get_queued(json_object *o, struct record *r)
{
	json_object *q = json_member(o, "queued", json_type_object);
	struct rotate_options *out = &r->queued;

	*out = (struct rotate_options)ROTATE_OPTIONS_NONE;
	r->has_queued = q != NULL;
	if (!q)
		return;
	settings_from_json(q, rotation_settings, out);
	settings_from_json(q, choice_settings, &out->run);
	out->keyslot = MIN(out->keyslot, (int)LUKS_MAX_KEYSLOTS - 1);
}

static void get_last(json_object *o, struct record *r)
{
	json_object *last = json_member(o, "last", json_type_object);

	if (!last)
		return;
	json_get_text(last, "outcome", r->last.outcome, sizeof(r->last.outcome));
	json_get_text(last, "message", r->last.message, sizeof(r->last.message));
	r->last.started_usec = json_get_number(last, "started");
	r->last.converting_usec = json_get_number(last, "converting");
	r->last.ended_usec = json_get_number(last, "ended");
}

int record_parse(const char *json, struct record *ret)
{
	_cleanup_json_ json_object *o = NULL;
	struct record r = {.queued = ROTATE_OPTIONS_NONE};

	if (*json) {
		o = json_tokener_parse(json);
		if (!json_object_is_type(o, json_type_object))
			return -EBADMSG;
		get_keys(o, &r);
		r.suspended = json_member(o, "suspended", json_type_string) != NULL;
		json_get_text(o, "suspended", r.suspend_reason, sizeof(r.suspend_reason));
		r.has_rate = json_member(o, "rate", json_type_int) != NULL;
		r.rate = json_get_number(o, "rate");
		get_queued(o, &r);
		r.cancel = json_get_bool(o, "cancel");
		/* Records that do not tell are older, and were taken for this. */
		r.turned = r.cancel && (!json_member(o, "turned", json_type_boolean) ||
					json_get_bool(o, "turned"));
		json_get_text(o, "group", r.group, sizeof(r.group));
		json_get_text(o, "held", r.held, sizeof(r.held));
		r.deadline_usec = json_get_number(o, "deadline");
		settings_from_json(o, choice_settings, &r.run);
		r.late = json_get_bool(o, "late");
		r.now_until = json_get_number(o, "now_until");
		get_last(o, &r);
		r.serial = json_get_number(o, "serial");
		r.foreign = json_get_bool(o, "foreign");
		json_get_text(o, "side", r.sides.now, sizeof(r.sides.now));
		json_get_text(o, "old_side", r.sides.old, sizeof(r.sides.old));
		json_get_text(o, "new_side", r.sides.new, sizeof(r.sides.new));
	}
	*ret = r;
	return 0;
}

static int put_key(json_object *array, const struct volume_key *k)
{
	_cleanup_json_ json_object *o = json_object_new_object();

	if (!o || json_put_text(o, "id", k->id) < 0 ||
	    json_put(o, "generation", json_object_new_int64(k->generation)) < 0 ||
	    json_put_text(o, "state", k->state) < 0 ||
	    json_put_number(o, "registered", k->registered_usec) < 0 ||
	    json_put_number(o, "populated", k->populated_usec) < 0 ||
	    json_put_number(o, "activated", k->activated_usec) < 0 ||
	    json_put_number(o, "retired", k->retired_usec) < 0 ||
	    json_object_array_add(array, o) < 0)
		return -ENOMEM;
	(void)TAKE_PTR(o);
	return 0;
}

static int put_keys(json_object *o, const struct record *r)
{
	_cleanup_json_ json_object *keys = json_object_new_array();

	assert(r->n_keys <= RECORD_KEYS_MAX);
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_keys; i++)
		if (put_key(keys, &r->keys[i]) < 0)
			return -ENOMEM;
	return json_put(o, "keys", TAKE_PTR(keys));
}

static int put_queued(json_object *o, const struct rotate_options *q)
{
	_cleanup_json_ json_object *j = json_object_new_object();

	if (!j || settings_to_json(j, rotation_settings, q) < 0 ||
	    settings_to_json(j, choice_settings, &q->run) < 0)
		return -ENOMEM;
	return json_put(o, "queued", TAKE_PTR(j));
}

static int put_last(json_object *o, const struct last_rotation *last)
{
	_cleanup_json_ json_object *j = json_object_new_object();

	if (!j || json_put_text(j, "outcome", last->outcome) < 0 ||
	    json_put_text(j, "message", last->message) < 0 ||
	    json_put_number(j, "started", last->started_usec) < 0 ||
	    json_put_number(j, "converting", last->converting_usec) < 0 ||
	    json_put_number(j, "ended", last->ended_usec) < 0)
		return -ENOMEM;
	return json_put(o, "last", TAKE_PTR(j));
}

static json_object *new_rate(uint64_t rate)
{
	return json_object_new_int64((int64_t)MIN(rate, (uint64_t)INT64_MAX));
}

/* Members that may be absent are removed first, so that no old value stays. */
static int put_wishes(json_object *o, const struct record *r)
{
	json_object_object_del(o, "suspended");
	if (r->suspended && json_put(o, "suspended", json_object_new_string(r->suspend_reason)) < 0)
		return -ENOMEM;
	json_object_object_del(o, "rate");
	if (r->has_rate && json_put(o, "rate", new_rate(r->rate)) < 0)
		return -ENOMEM;
	json_object_object_del(o, "queued");
	if ((r->has_queued && put_queued(o, &r->queued) < 0) ||
	    json_put_bool(o, "cancel", r->cancel) < 0)
		return -ENOMEM;
	json_object_object_del(o, "turned");
	if ((r->cancel && json_put(o, "turned", json_object_new_boolean(r->turned)) < 0) ||
	    json_put_text(o, "group", r->group) < 0 || json_put_text(o, "held", r->held) < 0 ||
	    json_put_number(o, "deadline", r->deadline_usec) < 0 ||
	    settings_to_json(o, choice_settings, &r->run) < 0 ||
	    json_put_bool(o, "late", r->late) < 0 ||
	    json_put_number(o, "now_until", r->now_until) < 0)
		return -ENOMEM;
	json_object_object_del(o, "last");
	return *r->last.outcome ? put_last(o, &r->last) : 0;
}

static int put_proofs(json_object *o, const struct record *r)
{
	if (json_put_number(o, "serial", r->serial) < 0 ||
	    json_put_bool(o, "foreign", r->foreign) < 0 ||
	    json_put_text(o, "side", r->sides.now) < 0 ||
	    json_put_text(o, "old_side", r->sides.old) < 0)
		return -ENOMEM;
	return json_put_text(o, "new_side", r->sides.new);
}

int record_format(const struct record *r, const char *json, char **ret)
{
	_cleanup_json_ json_object *o = *json ? json_tokener_parse(json) : NULL;
	char *text;

	if (!json_object_is_type(o, json_type_object)) {
		(void)json_object_put(o);
		o = json_object_new_object();
	}
	if (!o || put_keys(o, r) < 0 || put_wishes(o, r) < 0 || put_proofs(o, r) < 0)
		return -ENOMEM;
	text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
