/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/freed.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/requirement.h"
#include "luks/wipe.h"
#include "util/checked.h"

#define TOKEN_TYPE "recryptd-wipe"
/* Bytes of the JSON area that stay free for what a re-encryption adds to a header. */
#define RESERVE 3072

/* The number of the token; LUKS_MAX_TOKENS: there is none. */
static unsigned find_note(json_object *tokens)
{
	unsigned id;

	for (id = 0; id < LUKS_MAX_TOKENS; id++) {
		json_object *token = field_by_id(tokens, id);
		const char *type = token ? field_string(token, "type") : NULL;

		if (type && strcmp(type, TOKEN_TYPE) == 0)
			break;
	}
	return id;
}

static json_object *tokens_of(json_object *json)
{
	return field_get(json, "tokens", json_type_object);
}

/* The @i-th area of @token; false: there is none, or it is none. */
static bool get_area(json_object *token, size_t i, uint64_t *offset, uint64_t *size)
{
	json_object *areas = field_get(token, "areas", json_type_array);
	json_object *area = areas ? json_object_array_get_idx(areas, i) : NULL;

	return area && field_u64(area, "offset", offset) == 0 && field_u64(area, "size", size) == 0;
}

static bool has_area(json_object *token, uint64_t offset, uint64_t size)
{
	uint64_t o, s;

	for (size_t i = 0; get_area(token, i, &o, &s); i++)
		if (o == offset && s == size)
			return true;
	return false;
}

static int add_area(json_object *areas, uint64_t offset, uint64_t size)
{
	_cleanup_(json_putp) json_object *area = json_object_new_object();

	if (!area || field_set(area, "offset", json_u64(offset)) < 0 ||
	    field_set(area, "size", json_u64(size)) < 0 || json_object_array_add(areas, area) < 0)
		return -ENOMEM;
	TAKE_PTR(area);
	return 0;
}

static int add_areas(json_object *list, json_object *before, const struct luks_areas *areas)
{
	uint64_t offset, size;
	int r;

	for (size_t i = 0; get_area(before, i, &offset, &size); i++) {
		r = add_area(list, offset, size);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < areas->count; i++) {
		r = add_area(list, areas->area[i].offset, areas->area[i].size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_token(json_object *before, const struct luks_areas *areas, json_object **ret)
{
	_cleanup_(json_putp) json_object *token = json_object_new_object();
	json_object *list = token ? json_object_new_array() : NULL;
	int r;

	if (!token || field_set(token, "areas", list) < 0 ||
	    field_set(token, "type", json_object_new_string(TOKEN_TYPE)) < 0 ||
	    field_set(token, "keyslots", json_object_new_array()) < 0)
		return -ENOMEM;
	r = add_areas(list, before, areas);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(token);
	return 0;
}

static bool has_room(json_object *json, uint64_t size)
{
	size_t length;

	return json_object_to_json_string_length(
		       json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length) &&
	       length + RESERVE <= size - LUKS_HEADER_BINARY_SIZE;
}

void luks_freed_note(json_object *json, uint64_t size, const struct luks_areas *areas)
{
	json_object *tokens = tokens_of(json), *token = NULL;
	unsigned id = find_note(tokens);

	assert(size > LUKS_HEADER_BINARY_SIZE && areas->count <= ARRAY_SIZE(areas->area));
	if (areas->count == 0 || make_token(field_by_id(tokens, id), areas, &token) < 0)
		return;
	for (unsigned i = 0; i < LUKS_MAX_TOKENS && id == LUKS_MAX_TOKENS; i++)
		if (!field_by_id(tokens, i))
			id = i;
	if (id == LUKS_MAX_TOKENS) {
		json_object_put(token);
		return;
	}
	if (field_set_id(tokens, id, token) == 0 && !has_room(json, size))
		field_delete_id(tokens, id);
}

bool luks_freed_is_due(const struct luks_header *h)
{
	return find_note(tokens_of(h->json)) < LUKS_MAX_TOKENS && !requirement_any(h->json);
}

/* Only what lies between the header copies and the data, whatever the token says. */
static bool is_inside(const struct luks_header *h, uint64_t offset, uint64_t size)
{
	json_object *config = field_get(h->json, "config", json_type_object);
	const uint64_t start = 2 * h->size;
	uint64_t keyslots_size;

	return field_u64(config, "keyslots_size", &keyslots_size) == 0 && offset >= start &&
	       range_inside(offset - start, size, keyslots_size);
}

/* Wipes the parts of an area that no keyslot uses. */
static int wipe_free_parts(const struct luks_header *h, struct meta_io *io, uint64_t offset,
			   uint64_t size)
{
	const uint64_t end = offset + size;

	while (offset < end) {
		uint64_t used, used_end;
		int r = 0;

		if (!luks_next_used(h, offset, &used, &used_end))
			used = used_end = end;
		if (used > offset)
			r = luks_wipe_area(io, offset, MIN(used, end) - offset);
		if (r < 0)
			return r;
		offset = used_end;
	}
	return 0;
}

/* @also, and what is noted in @token besides. */
static int wipe_all(const struct luks_header *h, struct meta_io *io, json_object *token,
		    const struct luks_areas *also)
{
	uint64_t offset, size;
	int r;

	for (unsigned i = 0; i < also->count; i++) {
		if (has_area(token, also->area[i].offset, also->area[i].size))
			continue;
		r = wipe_free_parts(h, io, also->area[i].offset, also->area[i].size);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; get_area(token, i, &offset, &size); i++) {
		if (!is_inside(h, offset, size))
			continue;
		r = wipe_free_parts(h, io, offset, size);
		if (r < 0)
			return r;
	}
	return 0;
}

int luks_freed_wipe(struct luks_header *h, struct meta_io *io, const struct luks_areas *also)
{
	json_object *tokens = tokens_of(h->json);
	const unsigned id = find_note(tokens);
	json_object *token = field_by_id(tokens, id);
	int r;

	assert(also->count <= ARRAY_SIZE(also->area));
	if (luks_header_needs_repair(h))
		return -EUCLEAN;
	if (requirement_any(h->json))
		return -EBUSY;
	/* Nothing may lead to what is wiped, in neither copy, after a power cut. */
	if (h->secondary_pending) {
		r = luks_header_flush(h, io);
		if (r < 0)
			return r;
	}
	r = wipe_all(h, io, token, also);
	if (r < 0 || !token)
		return r;
	field_delete_id(tokens, id);
	r = luks_header_commit(h, io, NULL);
	return r < 0 ? r : luks_header_flush(h, io);
}
