/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/history.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/state-dir.h"
#include "model/json-members.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/uuid.h"

#define FILE_MAX ((size_t)2 << 20) /* bytes */

static void cleanup_json(json_object **o)
{
	(void)json_object_put(*o);
}

static struct state_dir_file file_of(const struct history *h)
{
	return (struct state_dir_file){.dir = h->dir,
				       .name = "history",
				       .what = "rotations of before are not in recryptctl history",
				       .max = FILE_MAX};
}

/* --- reading --- */

static int parse_entry(json_object *o, struct history_entry *e)
{
	char uuid[64];

	*e = (struct history_entry){};
	json_get_text(o, "uuid", uuid, sizeof(uuid));
	json_get_text(o, "name", e->name, sizeof(e->name));
	json_get_text(o, "device", e->device, sizeof(e->device));
	json_get_text(o, "outcome", e->outcome, sizeof(e->outcome));
	json_get_text(o, "message", e->message, sizeof(e->message));
	json_get_text(o, "key", e->key_id, sizeof(e->key_id));
	e->generation = json_get_number32(o, "generation");
	e->started_usec = json_get_number(o, "started");
	e->ended_usec = json_get_number(o, "ended");
	e->usec = json_get_number(o, "duration");
	e->bytes = json_get_number(o, "bytes");
	e->stall_usec = json_get_number(o, "stall");
	e->caller = caller_from_json(o);
	return uuid_canonical(uuid, e->uuid) < 0 || !*e->outcome ? -EBADMSG : 0;
}

static struct history_entry *new_entry(struct history *h)
{
	if (!h->entries)
		h->entries = calloc(HISTORY_MAX, sizeof(*h->entries));
	if (!h->entries)
		return NULL;
	if (h->n == HISTORY_MAX) {
		h->n--;
		memmove(h->entries, h->entries + 1, h->n * sizeof(*h->entries));
	}
	return &h->entries[h->n++];
}

static void parse_entries(struct history *h, json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct history_entry e, *kept;

		if (parse_entry(json_object_array_get_idx(array, i), &e) < 0)
			continue;
		kept = new_entry(h);
		if (!kept)
			return;
		*kept = e;
	}
}

void history_load(struct history *h, const char *dir)
{
	_cleanup_(cleanup_json) json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	struct state_dir_file file;
	json_object *array;

	*h = (struct history){.dir = dir};
	file = file_of(h);
	text = state_dir_read(&file);
	if (!text)
		return;
	o = json_tokener_parse(text);
	array = json_member(o, "rotations", json_type_array);
	if (array)
		parse_entries(h, array);
	else
		state_dir_put_aside(&file);
}

/* --- writing --- */

static int format_entry(const struct history_entry *e, json_object *o)
{
	if (json_put_text(o, "uuid", e->uuid) < 0 || json_put_text(o, "name", e->name) < 0 ||
	    json_put_text(o, "device", e->device) < 0 ||
	    json_put_text(o, "outcome", e->outcome) < 0 ||
	    json_put_text(o, "message", e->message) < 0 || json_put_text(o, "key", e->key_id) < 0 ||
	    json_put_number(o, "generation", e->generation) < 0 ||
	    json_put_number(o, "started", e->started_usec) < 0 ||
	    json_put_number(o, "ended", e->ended_usec) < 0 ||
	    json_put_number(o, "duration", e->usec) < 0 ||
	    json_put_number(o, "bytes", e->bytes) < 0 ||
	    json_put_number(o, "stall", e->stall_usec) < 0)
		return -ENOMEM;
	return caller_to_json(&e->caller, o);
}

static int format_entries(const struct history *h, json_object *array)
{
	for (size_t i = 0; i < h->n; i++) {
		json_object *o = json_object_new_object();

		if (!o || json_object_array_add(array, o) < 0) {
			(void)json_object_put(o);
			return -ENOMEM;
		}
		if (format_entry(&h->entries[i], o) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int save(const struct history *h)
{
	const struct state_dir_file file = file_of(h);
	_cleanup_(cleanup_json) json_object *o = json_object_new_object();
	json_object *array = json_object_new_array();
	const char *text;

	if (!o || json_put(o, "rotations", array) < 0) {
		if (!o)
			(void)json_object_put(array);
		return -ENOMEM;
	}
	if (format_entries(h, array) < 0)
		return -ENOMEM;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	if (!text)
		return -ENOMEM;
	state_dir_write(&file, text);
	return 0;
}

void history_add(struct history *h, const struct history_entry *e)
{
	struct history_entry *kept = new_entry(h);

	assert(*e->outcome);
	if (kept)
		*kept = *e;
	if (!kept || save(h) < 0)
		log_error("%s: out of memory: its rotation is not in recryptctl history", e->uuid);
}

void history_free(struct history *h)
{
	free(h->entries);
	*h = (struct history){};
}

uint64_t history_rate(const struct history_entry *e)
{
	return e->usec > 0 ? (uint64_t)((double)e->bytes * 1e6 / (double)e->usec) : 0;
}
