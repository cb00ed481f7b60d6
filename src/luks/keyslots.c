/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/keyslots.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"

/* The context owns the text; the tree is the caller's. */
static int dump_json(struct crypt_device *cd, struct json_object **ret)
{
	const char *text;
	int r;

	r = crypt_dump_json(cd, &text, 0);
	if (r < 0)
		return r;
	*ret = json_tokener_parse(text);
	return *ret ? 0 : -EINVAL;
}

static void put_json(struct json_object **o)
{
	json_object_put(*o);
}

/* A decimal number in a string: how LUKS2 writes offsets, sizes and references. */
static int parse_decimal(const char *text, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int parse_id(const char *text, unsigned limit, int *ret)
{
	uint64_t v;

	if (parse_decimal(text, &v) < 0 || v >= limit)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static const char *get_text(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : NULL;
}

/* Is @id one of the strings in the array @key of @o? */
static bool references(struct json_object *o, const char *key, int id)
{
	struct json_object *list;
	int v;

	if (!json_object_object_get_ex(o, key, &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (parse_id(json_object_get_string(json_object_array_get_idx(list, i)), INT_MAX,
			     &v) == 0 &&
		    v == id)
			return true;
	return false;
}

static int add_keyslot(struct luks_keyslots *ks, const char *id, struct json_object *keyslot)
{
	struct luks_keyslot *slot = &ks->slots[ks->n];
	struct json_object *area;

	if (ks->n == LUKS_KEYSLOTS_MAX || parse_id(id, LUKS_KEYSLOTS_MAX, &slot->id) < 0 ||
	    !json_object_object_get_ex(keyslot, "area", &area) ||
	    parse_decimal(get_text(area, "offset"), &slot->area_offset) < 0 ||
	    parse_decimal(get_text(area, "size"), &slot->area_size) < 0)
		return -EINVAL;
	slot->digest = -1;
	slot->tokens = 0;
	ks->n++;
	return 0;
}

static int read_keyslots(struct json_object *root, struct luks_keyslots *ks)
{
	struct json_object *keyslots;
	int r;

	if (!json_object_object_get_ex(root, "keyslots", &keyslots))
		return -EINVAL;
	json_object_object_foreach (keyslots, id, keyslot) {
		r = add_keyslot(ks, id, keyslot);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_digests(struct json_object *root, struct luks_keyslots *ks)
{
	struct json_object *digests;
	int id;

	ks->data_digest = -1;
	if (!json_object_object_get_ex(root, "digests", &digests))
		return -EINVAL;
	json_object_object_foreach (digests, name, digest) {
		if (parse_id(name, INT_MAX, &id) < 0)
			return -EINVAL;
		if (references(digest, "segments", 0))
			ks->data_digest = id;
		for (size_t i = 0; i < ks->n; i++)
			if (references(digest, "keyslots", ks->slots[i].id))
				ks->slots[i].digest = id;
	}
	return 0;
}

static int read_tokens(struct json_object *root, struct luks_keyslots *ks)
{
	struct json_object *tokens;
	int id;

	if (!json_object_object_get_ex(root, "tokens", &tokens))
		return -EINVAL;
	json_object_object_foreach (tokens, name, token) {
		if (parse_id(name, LUKS_TOKENS_MAX, &id) < 0)
			return -EINVAL;
		for (size_t i = 0; i < ks->n; i++)
			if (references(token, "keyslots", ks->slots[i].id))
				ks->slots[i].tokens |= UINT32_C(1) << id;
	}
	return 0;
}

static int read_data_segment(struct json_object *root, struct luks_keyslots *ks)
{
	struct json_object *segments, *segment;
	const char *size;

	ks->data_size = 0;
	if (!json_object_object_get_ex(root, "segments", &segments) ||
	    !json_object_object_get_ex(segments, "0", &segment))
		return -EINVAL;
	size = get_text(segment, "size");
	if (!size)
		return -EINVAL;
	return strcmp(size, "dynamic") == 0 ? 0 : parse_decimal(size, &ks->data_size);
}

int luks_requirements(struct crypt_device *cd, char *buf, size_t size)
{
	_cleanup_(put_json) struct json_object *root = NULL;
	struct json_object *list;
	int r;

	assert(size > 0);
	r = dump_json(cd, &root);
	if (r < 0)
		return r;
	*buf = '\0';
	if (json_pointer_get(root, "/config/requirements/mandatory", &list) < 0 ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));
		size_t used = strlen(buf);

		(void)snprintf(buf + used, size - used, "%s%s", i > 0 ? ", " : "", name ?: "?");
	}
	return 0;
}

int luks_keyslots_read(struct crypt_device *cd, struct luks_keyslots *ret)
{
	_cleanup_(put_json) struct json_object *root = NULL;
	struct luks_keyslots ks = {0};
	uint64_t header_size, areas_size;
	int r;

	r = dump_json(cd, &root);
	if (r == 0)
		r = read_keyslots(root, &ks);
	if (r == 0)
		r = read_digests(root, &ks);
	if (r == 0)
		r = read_tokens(root, &ks);
	if (r == 0)
		r = read_data_segment(root, &ks);
	if (r == 0)
		r = crypt_get_metadata_size(cd, &header_size, &areas_size);
	if (r == 0)
		r = mul_u64(header_size, 2, &ks.areas_start); /* two copies of the header */
	if (r == 0)
		r = add_u64(ks.areas_start, areas_size, &ks.areas_end);
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

#define DIGEST_BYTES_MAX 1024

/* Base64 of a JSON string into @buf of DIGEST_BYTES_MAX bytes. */
static int get_base64(struct json_object *o, const char *key, uint8_t *buf, size_t *ret_size)
{
	const char *text = get_text(o, key);
	size_t length = text ? strlen(text) : 0;
	int n;

	if (length == 0 || length % 4 || length > DIGEST_BYTES_MAX)
		return -EINVAL;
	n = EVP_DecodeBlock(buf, (const unsigned char *)text, (int)length);
	if (n < 0)
		return -EINVAL;
	/* EVP_DecodeBlock() counts the padding as bytes. */
	n -= (text[length - 1] == '=') + (text[length - 2] == '=');
	*ret_size = (size_t)n;
	return 0;
}

/* LUKS2 spec, section 3.5: PBKDF2 over the volume key, with the digest's own salt and count. */
static int verify_pbkdf2(struct json_object *digest, const struct secret *key)
{
	uint8_t salt[DIGEST_BYTES_MAX], expected[DIGEST_BYTES_MAX], computed[DIGEST_BYTES_MAX];
	size_t salt_size, size;
	struct json_object *iterations;
	const EVP_MD *md = EVP_get_digestbyname(get_text(digest, "hash") ?: "");
	int count;

	if (!md || !json_object_object_get_ex(digest, "iterations", &iterations) ||
	    get_base64(digest, "salt", salt, &salt_size) < 0 ||
	    get_base64(digest, "digest", expected, &size) < 0 || size == 0)
		return -EINVAL;
	count = json_object_get_int(iterations);
	if (count <= 0)
		return -EINVAL;
	if (PKCS5_PBKDF2_HMAC((const char *)key->data, (int)key->size, salt, (int)salt_size, count,
			      md, (int)size, computed) != 1)
		return -ENOMEM;
	return CRYPTO_memcmp(computed, expected, size) == 0 ? 0 : -EPERM;
}

int luks_digest_verify(struct crypt_device *cd, int digest, const struct secret *key)
{
	_cleanup_(put_json) struct json_object *root = NULL;
	struct json_object *digests;
	int r, id;

	r = dump_json(cd, &root);
	if (r < 0)
		return r;
	if (!json_object_object_get_ex(root, "digests", &digests))
		return -EINVAL;
	json_object_object_foreach (digests, name, d)
		if (parse_id(name, INT_MAX, &id) == 0 && id == digest)
			return verify_pbkdf2(d, key);
	return -ENOENT;
}
