/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Digests of the LUKS2 metadata, all PBKDF2: that of a volume key, and the verification digest of a
 * re-encryption (the answer to CVE-2021-4122). The latter takes for its password
 *
 *   'v' version | old key | new key | mode direction area | backup-previous | backup-final
 *
 * so that only somebody with the volume keys can change what these say.
 */
#include "luks/reencrypt-digest.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "luks/derive.h"
#include "luks/fields.h"
#include "luks/segment.h"
#include "luks/status.h"
#include "util/checked.h"
#include "util/error.h"

#define SALT_SIZE 32
/* The password holds whole volume keys: there is nothing to guess, and nothing to slow down. */
#define ITERATIONS 1000
/* Two keys of up to 4 KiB, and the fields of three segments. */
#define MESSAGE_SIZE 16384

/* A password under construction. */
struct message {
	struct secret *text;
	size_t used;
	bool overflow;
};

static void put(struct message *m, const void *data, size_t size)
{
	assert(m->used <= m->text->size);
	if (size > m->text->size - m->used) {
		m->overflow = true;
		return;
	}
	memcpy(m->text->data + m->used, data, size);
	m->used += size;
}

static void put_string(struct message *m, const char *s)
{
	put(m, s, strlen(s));
}

static void put_u32(struct message *m, uint32_t v)
{
	const uint32_t be = htobe32(v);

	put(m, &be, sizeof(be));
}

static void put_u64(struct message *m, uint64_t v)
{
	const uint64_t be = htobe64(v);

	put(m, &be, sizeof(be));
}

static void put_area(struct message *m, const struct luks_reenc *r)
{
	put_string(m, luks_reenc_mode_name(r->mode));
	put_string(m, luks_direction_name(r->direction));
	put_string(m, luks_resilience_name(r->resilience));
	put_u64(m, r->area_offset);
	put_u64(m, r->area_size);
	if (r->hash[0]) {
		put_string(m, r->hash);
		put_u32(m, r->block_size);
	}
	if (r->shift_size)
		put_u64(m, r->shift_size);
}

static void put_segment(struct message *m, const struct segment *s)
{
	put_string(m, s->kind == SEGMENT_CRYPT ? "crypt" : "linear");
	put_u64(m, s->offset);
	if (s->size)
		put_u64(m, s->size);
	else
		put_string(m, "dynamic");
	if (s->kind != SEGMENT_CRYPT)
		return;
	put_u64(m, s->iv_tweak);
	put_string(m, s->cipher);
	put_u32(m, s->sector_size);
}

static int put_backup(struct message *m, json_object *json, unsigned flag)
{
	json_object *segments = field_get(json, "segments", json_type_object);

	json_object_object_foreach (segments, key, value) {
		struct segment s;

		(void)key;
		if (segment_parse(value, &s, NULL) < 0)
			return -EBADMSG;
		if (s.flags & flag) {
			put_segment(m, &s);
			return 0;
		}
	}
	return -EBADMSG;
}

static int put_keys(struct message *m, const struct luks_reenc *r,
		    const struct luks_reenc_keys *keys)
{
	const struct secret *old_key = keys->old_key, *new_key = keys->new_key;

	if (r->keep_key && !old_key)
		old_key = new_key;
	if ((r->old_side.crypt && !old_key) || (r->new_side.crypt && !r->keep_key && !new_key))
		return -ENOKEY;
	if (r->old_side.crypt)
		put(m, old_key->data, old_key->size);
	if (r->new_side.crypt && !r->keep_key)
		put(m, new_key->data, new_key->size);
	return 0;
}

static int put_backups(struct message *m, json_object *json, const struct luks_reenc *r)
{
	int error = put_backup(m, json, SEGMENT_PREVIOUS);

	if (error < 0)
		return error;
	error = put_backup(m, json, SEGMENT_FINAL);
	return error < 0 || !r->moved_segment ? error : put_backup(m, json, SEGMENT_MOVED);
}

static int build_message(json_object *json, const struct luks_reenc *r,
			 const struct luks_reenc_keys *keys, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *text = NULL;
	const char version[] = {'v', (char)('0' + r->version)};
	struct message m;
	int error;

	assert(r->version < 10); /* one digit */
	error = secret_new(MESSAGE_SIZE, &text);
	if (error < 0)
		return error;
	m = (struct message){.text = text};

	put(&m, version, sizeof(version));
	error = put_keys(&m, r, keys);
	if (error < 0)
		return error;
	put_area(&m, r);
	error = put_backups(&m, json, r);
	if (error < 0)
		return error;
	if (m.overflow)
		return -EMSGSIZE;
	secret_truncate(text, m.used);
	*ret = TAKE_PTR(text);
	return 0;
}

/* Bytes that @text encodes, or -EBADMSG. */
static int decode_base64(const char *text, uint8_t *out, size_t out_size)
{
	const size_t length = text ? strlen(text) : 0;
	uint8_t buf[3 * 64];
	int n;

	if (length == 0 || length % 4 || length / 4 * 3 > sizeof(buf))
		return -EBADMSG;
	n = EVP_DecodeBlock(buf, (const uint8_t *)text, (int)length);
	if (n < 0)
		return -EBADMSG;
	/* OpenSSL counts the padding. */
	n -= text[length - 1] == '=';
	n -= text[length - 2] == '=';
	if ((size_t)n > out_size)
		return -EBADMSG;
	memcpy(out, buf, (size_t)n);
	return n;
}

/* A later version of LUKS2 may have more. */
static int refuse_type(const char *what, const char *type)
{
	struct luks_reason why;

	(void)luks_refuse(&why, 0, "%s: digests of type \"%.32s\" are unknown here", what, type);
	return luks_derive_note(-ERROR_UNKNOWN_HASH, &why);
}

static int verify(json_object *digest, int id, const struct secret *password)
{
	const char *type = field_string(digest, "type"), *hash = field_string(digest, "hash");
	uint8_t salt[SALT_SIZE], want[EVP_MAX_MD_SIZE], have[EVP_MAX_MD_SIZE];
	uint32_t iterations;
	char what[24];
	int size, r;

	if (!type || !hash)
		return -EBADMSG;
	(void)snprintf(what, sizeof(what), "digest %d", id);
	if (strcmp(type, "pbkdf2") != 0)
		return refuse_type(what, type);
	size = hash_size(hash);
	if (size < 0)
		return luks_derive_no_hash(what, hash);
	if (field_u32(digest, "iterations", &iterations) < 0 || iterations == 0)
		return -EBADMSG;
	if (decode_base64(field_string(digest, "salt"), salt, sizeof(salt)) != SALT_SIZE ||
	    decode_base64(field_string(digest, "digest"), want, sizeof(want)) != size)
		return -EBADMSG;

	r = luks_derive_pbkdf2(&(struct luks_pbkdf2){what, hash, salt, sizeof(salt), iterations},
			       password, have, (size_t)size);
	if (r == 0 && CRYPTO_memcmp(have, want, (size_t)size) != 0)
		r = -ERROR_OTHER_KEY;
	OPENSSL_cleanse(have, sizeof(have));
	return r;
}

static json_object *find_digest(json_object *json, int id)
{
	json_object *digests = field_get(json, "digests", json_type_object);

	return id < 0 ? NULL : field_by_id(digests, (unsigned)id);
}

int luks_reenc_digest_verify(const struct luks_header *h, const struct luks_reenc *r,
			     const struct luks_reenc_keys *keys)
{
	_cleanup_(secret_freep) struct secret *message = NULL;
	int error;

	error = build_message(h->json, r, keys, &message);
	return error < 0 ? error : verify(find_digest(h->json, r->digest), r->digest, message);
}

static json_object *json_base64(const uint8_t *data, int size)
{
	char text[4 * EVP_MAX_MD_SIZE / 3 + 8];

	(void)EVP_EncodeBlock((uint8_t *)text, data, size);
	return json_object_new_string(text);
}

static int store_digest(json_object *digest, const uint8_t *salt, int salt_size,
			const uint8_t *value, int value_size)
{
	if (field_set(digest, "hash", json_object_new_string("sha256")) < 0 ||
	    field_set(digest, "iterations", json_object_new_int64(ITERATIONS)) < 0 ||
	    field_set(digest, "salt", json_base64(salt, salt_size)) < 0 ||
	    field_set(digest, "digest", json_base64(value, value_size)) < 0)
		return -ENOMEM;
	return 0;
}

int digest_replace(json_object *json, const struct luks_reenc *r,
		   const struct luks_reenc_keys *keys)
{
	_cleanup_(secret_freep) struct secret *message = NULL;
	json_object *digest = find_digest(json, r->digest);
	uint8_t salt[SALT_SIZE], value[32];
	int error;

	error = build_message(json, r, keys, &message);
	if (error < 0)
		return error;
	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return -EIO;
	error = luks_derive_pbkdf2(
		&(struct luks_pbkdf2){"the new digest", "sha256", salt, sizeof(salt), ITERATIONS},
		message, value, sizeof(value));
	return error < 0 ? error : store_digest(digest, salt, sizeof(salt), value, sizeof(value));
}

int luks_reenc_digest_make(struct luks_header *h, const struct luks_reenc *r,
			   const struct luks_reenc_keys *keys)
{
	return digest_replace(h->json, r, keys);
}

int luks_volume_key_verify(const struct luks_header *h, int digest, const struct secret *key)
{
	json_object *json = find_digest(h->json, digest);

	return json ? verify(json, digest, key) : -ENOENT;
}
