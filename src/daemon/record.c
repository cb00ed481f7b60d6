/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

static void cleanup_json(json_object **o)
{
	(void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

static json_object *member(json_object *o, const char *name, json_type type)
{
	json_object *found;

	return json_object_object_get_ex(o, name, &found) && json_object_is_type(found, type)
		       ? found
		       : NULL;
}

static void get_text(json_object *o, const char *name, char *buf, size_t size)
{
	json_object *found = member(o, name, json_type_string);

	(void)text_copy(buf, size, found ? json_object_get_string(found) : "");
}

static uint64_t get_number(json_object *o, const char *name)
{
	json_object *found = member(o, name, json_type_int);
	const int64_t n = found ? json_object_get_int64(found) : 0;

	return n > 0 ? (uint64_t)n : 0;
}

static uint32_t get_number32(json_object *o, const char *name)
{
	return (uint32_t)MIN(get_number(o, name), (uint64_t)UINT32_MAX);
}

static bool get_bool(json_object *o, const char *name)
{
	json_object *found = member(o, name, json_type_boolean);

	return found && json_object_get_boolean(found);
}

static enum choice get_choice(json_object *o, const char *name)
{
	if (!member(o, name, json_type_boolean))
		return CHOICE_CONFIGURED;
	return get_bool(o, name) ? CHOICE_YES : CHOICE_NO;
}

static struct run_choices get_run(json_object *o)
{
	return (struct run_choices){
		.skip_unwritten = get_choice(o, "skip_unwritten"),
		.verify = get_choice(o, "verify"),
	};
}

static void get_keys(json_object *o, struct record *r)
{
	json_object *keys = member(o, "keys", json_type_array);
	const size_t n = keys ? json_object_array_length(keys) : 0;

	for (size_t i = 0; i < n && r->n_keys < RECORD_KEYS_MAX; i++) {
		json_object *key = json_object_array_get_idx(keys, i);
		struct volume_key *k = &r->keys[r->n_keys];

		if (!json_object_is_type(key, json_type_object))
			continue;
		get_text(key, "id", k->id, sizeof(k->id));
		get_text(key, "state", k->state, sizeof(k->state));
		k->generation = get_number32(key, "generation");
		k->registered_usec = get_number(key, "registered");
		k->populated_usec = get_number(key, "populated");
		k->activated_usec = get_number(key, "activated");
		k->retired_usec = get_number(key, "retired");
		if (strlen(k->id) == 36)
			r->n_keys++;
	}
}

static void get_queued(json_object *o, struct record *r)
{
	json_object *q = member(o, "queued", json_type_object);
	struct rotate_options *out = &r->queued;

	*out = (struct rotate_options)ROTATE_OPTIONS_NONE;
	r->has_queued = q != NULL;
	if (!q)
		return;
	get_text(q, "cipher", out->cipher, sizeof(out->cipher));
	get_text(q, "resilience", out->resilience, sizeof(out->resilience));
	get_text(q, "hash", out->hash, sizeof(out->hash));
	get_text(q, "pbkdf", out->pbkdf, sizeof(out->pbkdf));
	get_text(q, "pbkdf_hash", out->pbkdf_hash, sizeof(out->pbkdf_hash));
	out->key_size = get_number32(q, "key_size");
	out->sector_size = get_number32(q, "sector_size");
	out->keep_key = get_bool(q, "keep_key");
	out->lose_keyslots = get_bool(q, "lose_keyslots");
	out->force_offline = get_bool(q, "force_offline");
	out->queue = get_bool(q, "queue");
	out->may_weaken = get_bool(q, "may_weaken");
	if (member(q, "keyslot", json_type_int))
		out->keyslot = (int)MIN(get_number32(q, "keyslot"), UINT32_C(31));
	out->pbkdf_time_ms = get_number32(q, "pbkdf_time_ms");
	out->pbkdf_iterations = get_number32(q, "pbkdf_iterations");
	out->pbkdf_memory_kib = get_number32(q, "pbkdf_memory_kib");
	out->pbkdf_parallel = get_number32(q, "pbkdf_parallel");
	out->deadline_usec = get_number(q, "deadline");
	out->run = get_run(q);
}

static void get_last(json_object *o, struct record *r)
{
	json_object *last = member(o, "last", json_type_object);

	if (!last)
		return;
	get_text(last, "outcome", r->last.outcome, sizeof(r->last.outcome));
	get_text(last, "message", r->last.message, sizeof(r->last.message));
	r->last.started_usec = get_number(last, "started");
	r->last.converting_usec = get_number(last, "converting");
	r->last.ended_usec = get_number(last, "ended");
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
		r.suspended = member(o, "suspended", json_type_string) != NULL;
		get_text(o, "suspended", r.suspend_reason, sizeof(r.suspend_reason));
		r.has_rate = member(o, "rate", json_type_int) != NULL;
		r.rate = get_number(o, "rate");
		get_queued(o, &r);
		r.cancel = get_bool(o, "cancel");
		/* Records that do not tell are older, and were taken for this. */
		r.turned = r.cancel &&
			   (!member(o, "turned", json_type_boolean) || get_bool(o, "turned"));
		get_text(o, "group", r.group, sizeof(r.group));
		get_text(o, "held", r.held, sizeof(r.held));
		r.deadline_usec = get_number(o, "deadline");
		r.run = get_run(o);
		r.late = get_bool(o, "late");
		r.now_until = get_number(o, "now_until");
		get_last(o, &r);
		r.serial = get_number(o, "serial");
		r.foreign = get_bool(o, "foreign");
		get_text(o, "side", r.side, sizeof(r.side));
		get_text(o, "old_side", r.old_side, sizeof(r.old_side));
		get_text(o, "new_side", r.new_side, sizeof(r.new_side));
	}
	*ret = r;
	return 0;
}

/* Takes @value; a failed allocation shows as NULL. */
static int put(json_object *o, const char *name, json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(o, name, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}

static int put_text(json_object *o, const char *name, const char *text)
{
	if (*text)
		return put(o, name, json_object_new_string(text));
	json_object_object_del(o, name);
	return 0;
}

static int put_number(json_object *o, const char *name, uint64_t n)
{
	if (n > 0)
		return put(o, name, json_object_new_int64((int64_t)MIN(n, (uint64_t)INT64_MAX)));
	json_object_object_del(o, name);
	return 0;
}

static int put_bool(json_object *o, const char *name, bool value)
{
	if (value)
		return put(o, name, json_object_new_boolean(1));
	json_object_object_del(o, name);
	return 0;
}

static int put_choice(json_object *o, const char *name, enum choice choice)
{
	if (choice != CHOICE_CONFIGURED)
		return put(o, name, json_object_new_boolean(choice == CHOICE_YES));
	json_object_object_del(o, name);
	return 0;
}

static int put_run(json_object *o, const struct run_choices *run)
{
	int r = put_choice(o, "skip_unwritten", run->skip_unwritten);

	return r < 0 ? r : put_choice(o, "verify", run->verify);
}

static int put_key(json_object *array, const struct volume_key *k)
{
	json_object *o = json_object_new_object();
	int r = o ? 0 : -ENOMEM;

	if (r == 0)
		r = put_text(o, "id", k->id);
	if (r == 0)
		r = put(o, "generation", json_object_new_int64(k->generation));
	if (r == 0)
		r = put_text(o, "state", k->state);
	if (r == 0)
		r = put_number(o, "registered", k->registered_usec);
	if (r == 0)
		r = put_number(o, "populated", k->populated_usec);
	if (r == 0)
		r = put_number(o, "activated", k->activated_usec);
	if (r == 0)
		r = put_number(o, "retired", k->retired_usec);
	if (r == 0 && json_object_array_add(array, o) == 0)
		return 0;
	(void)json_object_put(o);
	return r < 0 ? r : -ENOMEM;
}

static int put_keys(json_object *o, const struct record *r)
{
	_cleanup_json_ json_object *keys = json_object_new_array();
	int q = keys ? 0 : -ENOMEM;

	for (size_t i = 0; q == 0 && i < r->n_keys; i++)
		q = put_key(keys, &r->keys[i]);
	return q < 0 ? q : put(o, "keys", TAKE_PTR(keys));
}

static int put_queued(json_object *o, const struct rotate_options *q)
{
	_cleanup_json_ json_object *j = json_object_new_object();
	int r = j ? 0 : -ENOMEM;

	if (r == 0)
		r = put_text(j, "cipher", q->cipher);
	if (r == 0)
		r = put_text(j, "resilience", q->resilience);
	if (r == 0)
		r = put_text(j, "hash", q->hash);
	if (r == 0)
		r = put_text(j, "pbkdf", q->pbkdf);
	if (r == 0)
		r = put_text(j, "pbkdf_hash", q->pbkdf_hash);
	if (r == 0)
		r = put_number(j, "key_size", q->key_size);
	if (r == 0)
		r = put_number(j, "sector_size", q->sector_size);
	if (r == 0)
		r = put_bool(j, "keep_key", q->keep_key);
	if (r == 0)
		r = put_bool(j, "lose_keyslots", q->lose_keyslots);
	if (r == 0)
		r = put_bool(j, "force_offline", q->force_offline);
	if (r == 0)
		r = put_bool(j, "queue", q->queue);
	if (r == 0)
		r = put_bool(j, "may_weaken", q->may_weaken);
	if (r == 0 && q->keyslot >= 0)
		r = put(j, "keyslot", json_object_new_int64(q->keyslot));
	if (r == 0)
		r = put_number(j, "pbkdf_time_ms", q->pbkdf_time_ms);
	if (r == 0)
		r = put_number(j, "pbkdf_iterations", q->pbkdf_iterations);
	if (r == 0)
		r = put_number(j, "pbkdf_memory_kib", q->pbkdf_memory_kib);
	if (r == 0)
		r = put_number(j, "pbkdf_parallel", q->pbkdf_parallel);
	if (r == 0)
		r = put_number(j, "deadline", q->deadline_usec);
	if (r == 0)
		r = put_run(j, &q->run);
	return r < 0 ? r : put(o, "queued", TAKE_PTR(j));
}

static int put_last(json_object *o, const struct last_rotation *last)
{
	_cleanup_json_ json_object *j = json_object_new_object();
	int r = j ? 0 : -ENOMEM;

	if (r == 0)
		r = put_text(j, "outcome", last->outcome);
	if (r == 0)
		r = put_text(j, "message", last->message);
	if (r == 0)
		r = put_number(j, "started", last->started_usec);
	if (r == 0)
		r = put_number(j, "converting", last->converting_usec);
	if (r == 0)
		r = put_number(j, "ended", last->ended_usec);
	return r < 0 ? r : put(o, "last", TAKE_PTR(j));
}

static int put_wishes(json_object *o, const struct record *r)
{
	int q = 0;

	json_object_object_del(o, "suspended");
	if (r->suspended)
		q = put(o, "suspended", json_object_new_string(r->suspend_reason));
	json_object_object_del(o, "rate");
	if (q == 0 && r->has_rate)
		q = put(o, "rate",
			json_object_new_int64((int64_t)MIN(r->rate, (uint64_t)INT64_MAX)));
	json_object_object_del(o, "queued");
	if (q == 0 && r->has_queued)
		q = put_queued(o, &r->queued);
	if (q == 0)
		q = put_bool(o, "cancel", r->cancel);
	json_object_object_del(o, "turned");
	if (q == 0 && r->cancel)
		q = put(o, "turned", json_object_new_boolean(r->turned));
	if (q == 0)
		q = put_text(o, "group", r->group);
	if (q == 0)
		q = put_text(o, "held", r->held);
	if (q == 0)
		q = put_number(o, "deadline", r->deadline_usec);
	if (q == 0)
		q = put_run(o, &r->run);
	if (q == 0)
		q = put_bool(o, "late", r->late);
	if (q == 0)
		q = put_number(o, "now_until", r->now_until);
	json_object_object_del(o, "last");
	if (q == 0 && *r->last.outcome)
		q = put_last(o, &r->last);
	return q;
}

static int put_proofs(json_object *o, const struct record *r)
{
	int q = put_number(o, "serial", r->serial);

	if (q == 0)
		q = put_bool(o, "foreign", r->foreign);
	if (q == 0)
		q = put_text(o, "side", r->side);
	if (q == 0)
		q = put_text(o, "old_side", r->old_side);
	return q < 0 ? q : put_text(o, "new_side", r->new_side);
}

int record_format(const struct record *r, const char *json, char **ret)
{
	_cleanup_json_ json_object *o = *json ? json_tokener_parse(json) : NULL;
	char *text;
	int q;

	if (!json_object_is_type(o, json_type_object)) {
		(void)json_object_put(o);
		o = json_object_new_object();
	}
	q = o ? put_keys(o, r) : -ENOMEM;
	if (q == 0)
		q = put_wishes(o, r);
	if (q == 0)
		q = put_proofs(o, r);
	if (q < 0)
		return q;
	text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
