/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/record.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/reencrypt-layout.h"
#include "util/checked.h"

/*
 * Bytes of the JSON area that stay free: the segments, digest and keyslots that a re-encryption
 * adds to a header, which must never be what a record leaves no room for.
 */
#define RESERVE 3072

/* The tokens of @json, and the number of the record's; LUKS_MAX_TOKENS: there is none. */
static unsigned find_record(json_object *json, json_object **ret_tokens)
{
	json_object *tokens = field_get(json, "tokens", json_type_object);
	unsigned id;

	for (id = 0; id < LUKS_MAX_TOKENS; id++) {
		json_object *token = field_by_id(tokens, id);
		const char *type = token ? field_string(token, "type") : NULL;

		if (type && strcmp(type, RECORD_TOKEN_TYPE) == 0)
			break;
	}
	*ret_tokens = tokens;
	return id;
}

int luks_record_get(const struct luks_header *h, char text[static RECORD_SIZE_MAX])
{
	json_object *tokens;
	const unsigned id = find_record(h->json, &tokens);
	const char *json;
	size_t length;

	text[0] = '\0';
	if (id == LUKS_MAX_TOKENS)
		return 0;
	json = json_object_to_json_string_length(
		field_by_id(tokens, id), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
		&length);
	if (!json)
		return -ENOMEM;
	if (length >= RECORD_SIZE_MAX)
		return -EFBIG;
	memcpy(text, json, length + 1);
	return 0;
}

static int parse_record(const char *text, json_object **ret, struct luks_reason *why)
{
	enum json_tokener_error error;
	json_object *o;

	if (strlen(text) >= RECORD_SIZE_MAX)
		return luks_refuse(why, -EFBIG, "the record is longer than %d bytes",
				   RECORD_SIZE_MAX - 1);
	o = json_tokener_parse_verbose(text, &error);
	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return luks_refuse(why, -EINVAL, "the record is no JSON object");
	}
	*ret = o;
	return 0;
}

/* The members that make @record a token. */
static int complete_record(const struct luks_header *h, json_object *record,
			   const struct record_keys *keys)
{
	if (field_set(record, "type", json_object_new_string(RECORD_TOKEN_TYPE)) < 0 ||
	    field_set(record, "keyslots", json_object_new_array()) < 0)
		return -ENOMEM;
	return record_mac_put(h, record, keys);
}

/* Where the record is, or else the first free number. */
static int choose_number(json_object *json, json_object **ret_tokens, unsigned *ret)
{
	unsigned id = find_record(json, ret_tokens);

	for (unsigned i = 0; i < LUKS_MAX_TOKENS && id == LUKS_MAX_TOKENS; i++)
		if (!field_by_id(*ret_tokens, i))
			id = i;
	if (id == LUKS_MAX_TOKENS)
		return -ENOSPC;
	*ret = id;
	return 0;
}

static int insert_record(const struct luks_header *h, json_object *json, const char *text,
			 const struct record_keys *keys, struct luks_reason *why)
{
	_cleanup_(json_putp) json_object *record = NULL;
	json_object *tokens;
	unsigned id;
	int r = parse_record(text, &record, why);

	if (r < 0)
		return r;
	r = complete_record(h, record, keys);
	if (r < 0)
		return r;
	r = choose_number(json, &tokens, &id);
	if (r < 0)
		return r;
	return field_set_id(tokens, id, TAKE_PTR(record));
}

static int check_room(const struct luks_header *h, json_object *json)
{
	size_t length;

	assert(h->size > LUKS_HEADER_BINARY_SIZE);
	if (!json_object_to_json_string_length(
		    json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length))
		return -ENOMEM;
	return length + RESERVE > h->size - LUKS_HEADER_BINARY_SIZE ? -ENOSPC : 0;
}

static void remove_record(json_object *json)
{
	json_object *tokens;
	const unsigned id = find_record(json, &tokens);

	if (id < LUKS_MAX_TOKENS)
		field_delete_id(tokens, id);
}

static int put_record(const struct luks_header *h, json_object *json, const char *text,
		      const struct record_keys *keys, struct luks_reason *why)
{
	int r = insert_record(h, json, text, keys, why);

	return r < 0 ? r : check_room(h, json);
}

static int edit_record(const struct luks_header *h, json_object *json, const char *text,
		       const struct record_keys *keys, struct luks_reason *why)
{
	int r;

	if (!*text) {
		remove_record(json);
		return 0;
	}
	r = put_record(h, json, text, keys, why);
	return r == -ENOSPC ? luks_refuse(why, r, "the header has no room for the record") : r;
}

enum record_trust luks_record_check(const struct luks_header *h, const struct record_keys *keys)
{
	json_object *tokens;
	const unsigned id = find_record(h->json, &tokens);

	return id == LUKS_MAX_TOKENS ? RECORD_NONE
				     : record_mac_check(h, field_by_id(tokens, id), keys);
}

int luks_record_set(struct luks_header *h, const char *text, const struct record_keys *keys,
		    struct luks_reason *why)
{
	json_object *json = header_copy_json(h);
	int r;

	if (!json)
		return -ENOMEM;
	r = edit_record(h, json, text, keys, why);
	if (r < 0) {
		json_object_put(json);
		return r;
	}
	header_replace_json(h, json);
	return 0;
}
