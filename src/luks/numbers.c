/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/numbers.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "luks/header.h"
#include "util/cleanup.h"

#define TOKEN_TYPE "recryptd-numbers"
/* Bytes of the JSON area that stay free for what a re-encryption adds to a header. */
#define RESERVE 3072

static json_object *member(json_object *json, const char *name)
{
	return field_get(json, name, json_type_object);
}

static json_object *keyslots_of(json_object *of)
{
	return field_get(of, "keyslots", json_type_array);
}

/* The number of the token; LUKS_MAX_TOKENS: there is none. */
static unsigned find_note(json_object *tokens)
{
	for (unsigned id = 0; id < LUKS_MAX_TOKENS; id++) {
		json_object *token = field_by_id(tokens, id);
		const char *type = token ? field_string(token, "type") : NULL;

		if (type && strcmp(type, TOKEN_TYPE) == 0)
			return id;
	}
	return LUKS_MAX_TOKENS;
}

static unsigned find_free(json_object *tokens)
{
	unsigned id = 0;

	while (id < LUKS_MAX_TOKENS && field_by_id(tokens, id))
		id++;
	return id;
}

static int put_numbers(json_object *list, const struct luks_numbers *numbers)
{
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		int r;

		if (numbers->original[id] < 0)
			continue;
		r = field_set_id(list, id, json_u64((uint64_t)numbers->original[id]));
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is made of the key tells it from others that get the same number later. */
static int make_token(const char *key, const struct luks_numbers *numbers, json_object **ret)
{
	_cleanup_(json_putp) json_object *token = json_object_new_object();
	json_object *list = token ? json_object_new_object() : NULL;
	int r;

	if (!token || field_set(token, "type", json_object_new_string(TOKEN_TYPE)) < 0 ||
	    field_set(token, "keyslots", json_object_new_array()) < 0 ||
	    field_set(token, "digest", json_object_new_string(key)) < 0 ||
	    field_set(token, "numbers", list) < 0)
		return -ENOMEM;
	r = put_numbers(list, numbers);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(token);
	return 0;
}

/* Of the new key, which all copies are of: what was made of it, or NULL without a copy. */
static const char *key_of(json_object *json, const struct luks_numbers *numbers)
{
	json_object *digests = member(json, "digests");

	for (unsigned slot = 0; slot < LUKS_MAX_KEYSLOTS; slot++) {
		if (numbers->original[slot] < 0)
			continue;
		for (unsigned id = 0; id < LUKS_MAX_DIGESTS; id++) {
			json_object *digest = field_by_id(digests, id);

			if (digest && ids_contain(keyslots_of(digest), slot))
				return field_string(digest, "digest");
		}
	}
	return NULL;
}

static bool has_room(json_object *json, uint64_t size)
{
	size_t length;

	return json_object_to_json_string_length(
		       json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length) &&
	       length + RESERVE <= size - LUKS_HEADER_BINARY_SIZE;
}

static void drop_note(json_object *tokens)
{
	unsigned id;

	while ((id = find_note(tokens)) < LUKS_MAX_TOKENS)
		field_delete_id(tokens, id);
}

int luks_numbers_note(json_object *json, uint64_t size, const struct luks_numbers *numbers)
{
	json_object *tokens = member(json, "tokens"), *token;
	const char *key = key_of(json, numbers);
	unsigned id;
	int r;

	assert(tokens && size > LUKS_HEADER_BINARY_SIZE);
	drop_note(tokens);
	if (!key)
		return 0;
	id = find_free(tokens);
	if (id == LUKS_MAX_TOKENS)
		return -ENOSPC;
	r = make_token(key, numbers, &token);
	if (r < 0)
		return r;
	r = field_set_id(tokens, id, token);
	if (r < 0 || has_room(json, size))
		return r;
	field_delete_id(tokens, id);
	return -ENOSPC;
}

/* In the lists of all that have @from. */
static int rename_in_lists(json_object *owners, unsigned from, unsigned to)
{
	json_object_object_foreach (owners, key, owner) {
		json_object *ids = keyslots_of(owner);
		int r;

		(void)key;
		if (!ids || !ids_contain(ids, from))
			continue;
		ids_remove(ids, from);
		r = ids_add(ids, to);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rename_keyslot(json_object *json, unsigned from, unsigned to)
{
	json_object *keyslots = member(json, "keyslots");
	int r = field_set_id(keyslots, to, json_object_get(field_by_id(keyslots, from)));

	if (r < 0)
		return r;
	field_delete_id(keyslots, from);
	r = rename_in_lists(member(json, "digests"), from, to);
	return r < 0 ? r : rename_in_lists(member(json, "tokens"), from, to);
}

static int rename_all(json_object *json, json_object *digest, json_object *list)
{
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		char name[12];
		const char *text;
		unsigned to;
		int r;

		(void)snprintf(name, sizeof(name), "%u", id);
		text = field_string(list, name);
		if (!text || parse_id(text, LUKS_MAX_KEYSLOTS, &to) < 0 ||
		    !ids_contain(keyslots_of(digest), id) ||
		    field_by_id(member(json, "keyslots"), to))
			continue;
		r = rename_keyslot(json, id, to);
		if (r < 0)
			return r;
	}
	return 0;
}

int luks_numbers_restore(json_object *json, unsigned digest)
{
	json_object *tokens = member(json, "tokens");
	json_object *of = field_by_id(member(json, "digests"), digest);
	const char *key = of ? field_string(of, "digest") : NULL, *noted;
	unsigned id = find_note(tokens);
	int r;

	if (id == LUKS_MAX_TOKENS)
		return 0;
	noted = field_string(field_by_id(tokens, id), "digest");
	if (key && noted && strcmp(key, noted) == 0) {
		r = rename_all(json, of, member(field_by_id(tokens, id), "numbers"));
		if (r < 0)
			return r;
	}
	drop_note(tokens);
	return 0;
}
