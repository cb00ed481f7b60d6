/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/keyslots.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "luks/fields.h"
#include "luks/reencrypt.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

/* The context owns the text. */
int luks_dump_json(struct crypt_device *cd, json_object **ret)
{
	const char *text;
	int r;

	r = crypt_dump_json(cd, &text, 0);
	if (r < 0)
		return r;
	*ret = json_tokener_parse(text);
	return *ret ? 0 : -EINVAL;
}

static int add_keyslot(struct luks_keyslots *ks, unsigned id, json_object *keyslot)
{
	struct luks_keyslot *slot = &ks->slots[ks->n];
	json_object *area = field_get(keyslot, "area", json_type_object);

	assert(ks->n < ARRAY_SIZE(ks->slots) && id < LUKS_MAX_KEYSLOTS);
	if (!area || field_u64(area, "offset", &slot->area_offset) < 0 ||
	    field_u64(area, "size", &slot->area_size) < 0)
		return -EINVAL;
	slot->id = (int)id;
	slot->digest = -1;
	slot->tokens = 0;
	ks->n++;
	return 0;
}

static int read_keyslots(json_object *root, struct luks_keyslots *ks)
{
	json_object *keyslots = field_get(root, "keyslots", json_type_object);

	if (!keyslots)
		return -EINVAL;
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		json_object *keyslot = field_by_id(keyslots, id);
		int r = keyslot ? add_keyslot(ks, id, keyslot) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static bool references(json_object *object, const char *key, unsigned id)
{
	json_object *ids = field_get(object, key, json_type_array);

	return ids && ids_contain(ids, id);
}

static int read_digests(json_object *root, struct luks_keyslots *ks)
{
	json_object *digests = field_get(root, "digests", json_type_object);

	ks->data_digest = -1;
	if (!digests)
		return -EINVAL;
	json_object_object_foreach (digests, name, digest) {
		unsigned id;

		if (parse_id(name, INT_MAX, &id) < 0)
			return -EINVAL;
		if (references(digest, "segments", 0))
			ks->data_digest = (int)id;
		for (size_t i = 0; i < ks->n; i++)
			if (references(digest, "keyslots", (unsigned)ks->slots[i].id))
				ks->slots[i].digest = (int)id;
	}
	return 0;
}

static int read_tokens(json_object *root, struct luks_keyslots *ks)
{
	json_object *tokens = field_get(root, "tokens", json_type_object);

	if (!tokens)
		return -EINVAL;
	for (unsigned id = 0; id < LUKS_MAX_TOKENS; id++) {
		json_object *token = field_by_id(tokens, id);

		for (size_t i = 0; token && i < ks->n; i++)
			if (references(token, "keyslots", (unsigned)ks->slots[i].id))
				ks->slots[i].tokens |= UINT32_C(1) << id;
	}
	return 0;
}

static int read_data_segment(json_object *root, struct luks_keyslots *ks)
{
	json_object *segments = field_get(root, "segments", json_type_object);
	json_object *segment = segments ? field_by_id(segments, 0) : NULL;
	const char *size = segment ? field_string(segment, "size") : NULL;

	ks->data_size = 0;
	if (!size)
		return -EINVAL;
	return strcmp(size, "dynamic") == 0 ? 0 : field_u64(segment, "size", &ks->data_size);
}

int luks_requirements(struct crypt_device *cd, char *buf, size_t size)
{
	_cleanup_(json_putp) json_object *root = NULL;
	json_object *list;
	int r;

	assert(size > 0);
	r = luks_dump_json(cd, &root);
	if (r < 0)
		return r;
	*buf = '\0';
	if (json_pointer_get(root, "/config/requirements/mandatory", &list) < 0 ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));
		size_t used = strlen(buf);

		(void)text_format(buf + used, size - used, "%s%s", i > 0 ? ", " : "", name ?: "?");
	}
	return 0;
}

static int read_range(struct crypt_device *cd, struct luks_keyslots *ks)
{
	uint64_t header_size, areas_size;
	int r = crypt_get_metadata_size(cd, &header_size, &areas_size);

	if (r < 0)
		return r;
	r = mul_u64(header_size, 2, &ks->areas_start); /* two copies of the header */
	return r < 0 ? r : add_u64(ks->areas_start, areas_size, &ks->areas_end);
}

int luks_keyslots_read(struct crypt_device *cd, struct luks_keyslots *ret)
{
	static int (*const readers[])(json_object *, struct luks_keyslots *) = {
		read_keyslots, read_digests, read_tokens, read_data_segment};
	_cleanup_(json_putp) json_object *root = NULL;
	struct luks_keyslots ks = {0};
	int r;

	r = luks_dump_json(cd, &root);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		r = readers[i](root, &ks);
		if (r < 0)
			return r;
	}
	r = read_range(cd, &ks);
	if (r < 0)
		return r;
	*ret = ks;
	return 0;
}

/* Where the first area at or behind @offset starts, and where it ends. */
static const struct luks_keyslot *next_area(const struct luks_keyslots *ks, uint64_t offset)
{
	const struct luks_keyslot *next = NULL;

	for (size_t i = 0; i < ks->n; i++)
		if (ks->slots[i].area_offset >= offset &&
		    (!next || ks->slots[i].area_offset < next->area_offset))
			next = &ks->slots[i];
	return next;
}

/* The gap that starts at *offset: its size; *offset moves behind the area that ends it. */
static uint64_t next_gap(const struct luks_keyslots *ks, uint64_t *offset)
{
	const struct luks_keyslot *area = next_area(ks, *offset);
	uint64_t end = area ? MIN(area->area_offset, ks->areas_end) : ks->areas_end;
	uint64_t size = end > *offset ? end - *offset : 0;

	if (!area || add_u64(area->area_offset, MAX(area->area_size, UINT64_C(1)), offset) < 0)
		*offset = ks->areas_end;
	return size;
}

static int free_number(const struct luks_keyslots *ks)
{
	uint32_t used = 0;

	for (size_t i = 0; i < ks->n; i++)
		used |= UINT32_C(1) << ks->slots[i].id;
	return used == UINT32_MAX ? -ENOSPC : __builtin_ctz(~used);
}

int luks_keyslots_place(struct luks_keyslots *ks, uint64_t size)
{
	uint64_t offset = ks->areas_start;
	int id = free_number(ks);

	if (id < 0)
		return id;
	assert(ks->n < ARRAY_SIZE(ks->slots)); /* as a number is free */
	while (offset < ks->areas_end) {
		uint64_t start = offset;

		if (next_gap(ks, &offset) < size)
			continue;
		ks->slots[ks->n++] = (struct luks_keyslot){
			.id = id, .digest = -1, .area_offset = start, .area_size = size};
		return 0;
	}
	return -ENOSPC;
}

uint64_t luks_keyslots_largest_gap(const struct luks_keyslots *ks)
{
	uint64_t offset = ks->areas_start, largest = 0;

	while (offset < ks->areas_end) {
		uint64_t size = next_gap(ks, &offset);

		largest = MAX(largest, size);
	}
	return largest;
}

int luks_digest_verify(struct crypt_device *cd, int digest, const struct secret *key)
{
	_cleanup_(json_putp) json_object *root = NULL;
	struct luks_header header = {0};
	int r;

	r = luks_dump_json(cd, &root);
	if (r < 0)
		return r;
	header.json = root;
	r = luks_volume_key_verify(&header, digest, key);
	return r == -ERROR_OTHER_KEY ? -ERROR_KEY_REJECTED : r;
}

static bool is_short(json_object *digest)
{
	const char *hash = field_string(digest, "hash");
	const int size = hash ? hash_size(hash) : -EINVAL;

	return size > 0 && size < LUKS_DIGEST_MIN;
}

int luks_keyslot_check_key(struct crypt_device *cd, int keyslot, const struct secret *key)
{
	_cleanup_(json_putp) json_object *root = NULL;
	json_object *digests;
	int r = luks_dump_json(cd, &root);

	if (r < 0)
		return r;
	digests = field_get(root, "digests", json_type_object);
	if (!digests)
		return -EINVAL;
	for (unsigned id = 0; id < LUKS_MAX_DIGESTS; id++) {
		json_object *digest = field_by_id(digests, id);

		if (!digest || !references(digest, "keyslots", (unsigned)keyslot) ||
		    !is_short(digest))
			continue;
		r = luks_digest_verify(cd, (int)id, key);
		if (r < 0)
			return r;
	}
	return 0;
}
