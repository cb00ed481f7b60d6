/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/record-mac.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks/fields.h"
#include "util/checked.h"

#define LABEL    "recryptd state token 1"
#define MEMBER   "mac"
#define MAC_SIZE 32

/* In hexadecimal, with the NUL. */
typedef char mac_text[2 * MAC_SIZE + 1];

void record_keys_forget(struct record_keys *keys)
{
	assert(keys->n <= ARRAY_SIZE(keys->key));
	for (size_t i = 0; i < keys->n; i++)
		secret_free(keys->key[i].key);
	*keys = (struct record_keys){};
}

/* @bytes of @data in hexadecimal, with a NUL. */
static void to_hex(const uint8_t *data, size_t bytes, char *ret)
{
	for (size_t i = 0; i < bytes; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", data[i]);
}

/* SHA-256 of the @n texts, each with its NUL, cut to a fingerprint. */
static int hash_texts(const char *const *texts, size_t n, char ret[static LUKS_FINGERPRINT_SIZE])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t hash[EVP_MAX_MD_SIZE];
	int ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL);

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(c, texts[i], strlen(texts[i]) + 1);
	ok = ok && EVP_DigestFinal_ex(c, hash, NULL);
	EVP_MD_CTX_free(c);
	if (!ok)
		return -EIO;
	to_hex(hash, (LUKS_FINGERPRINT_SIZE - 1) / 2, ret);
	return 0;
}

static int digest_texts(const struct luks_header *h, int digest, const char *ret[static 2])
{
	json_object *digests = field_get(h->json, "digests", json_type_object);
	json_object *d = digest >= 0 ? field_by_id(digests, (unsigned)digest) : NULL;

	ret[0] = d ? field_string(d, "salt") : NULL;
	ret[1] = d ? field_string(d, "digest") : NULL;
	return ret[0] && ret[1] ? 0 : -EINVAL;
}

int luks_digest_fingerprint(const struct luks_header *h, int digest,
			    char ret[static LUKS_FINGERPRINT_SIZE])
{
	const char *texts[2];
	int r = digest_texts(h, digest, texts);

	return r < 0 ? r : hash_texts(texts, 2, ret);
}

void luks_side_fingerprint(const struct luks_header *h, int digest, const char *cipher,
			   unsigned sector_size, char ret[static LUKS_FINGERPRINT_SIZE])
{
	const char *texts[4];
	char size[16];

	(void)snprintf(size, sizeof(size), "%u", sector_size);
	texts[2] = cipher;
	texts[3] = size;
	if (digest_texts(h, digest, texts) < 0 || hash_texts(texts, 4, ret) < 0)
		*ret = '\0';
}

static int hmac(const struct secret *key, const void *data, size_t size, uint8_t ret[MAC_SIZE])
{
	size_t length;

	return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->data, key->size, data, size, ret,
			 MAC_SIZE, &length)
		       ? 0
		       : -EIO;
}

int record_key_make(const struct luks_header *h, int digest, const struct secret *volume_key,
		    struct record_key *ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	char text[sizeof(LABEL) + sizeof(h->uuid)];
	int r = luks_digest_fingerprint(h, digest, ret->fingerprint);

	if (r < 0)
		return r;
	r = secret_new(MAC_SIZE, &key);
	if (r < 0)
		return r;
	memcpy(text, LABEL, sizeof(LABEL));
	memcpy(text + sizeof(LABEL), h->uuid, sizeof(h->uuid));
	r = hmac(volume_key, text, sizeof(LABEL) + strlen(h->uuid), key->data);
	if (r < 0)
		return r;
	ret->key = TAKE_PTR(key);
	return 0;
}

/* What the MAC with @key covers; the caller frees *ret. */
static int covered_text(const struct luks_header *h, json_object *record,
			const struct record_key *key, char **ret, size_t *ret_size)
{
	_cleanup_(json_putp) json_object *copy = NULL;
	const size_t fingerprint = strlen(key->fingerprint) + 1, uuid = strlen(h->uuid) + 1;
	const char *json;
	size_t size;
	char *text;

	if (json_object_deep_copy(record, &copy, NULL) < 0)
		return -ENOMEM;
	json_object_object_del(copy, MEMBER);
	json = json_object_to_json_string_length(
		copy, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	text = json ? malloc(fingerprint + uuid + size) : NULL;
	if (!text)
		return -ENOMEM;
	memcpy(text, key->fingerprint, fingerprint);
	memcpy(text + fingerprint, h->uuid, uuid);
	memcpy(text + fingerprint + uuid, json, size);
	*ret = text;
	*ret_size = fingerprint + uuid + size;
	return 0;
}

static int make_mac(const struct luks_header *h, json_object *record, const struct record_key *key,
		    mac_text ret)
{
	_cleanup_free_ char *text = NULL;
	uint8_t mac[MAC_SIZE];
	size_t size;
	int r = covered_text(h, record, key, &text, &size);

	if (r < 0)
		return r;
	r = hmac(key->key, text, size, mac);
	if (r < 0)
		return r;
	to_hex(mac, sizeof(mac), ret);
	return 0;
}

static int add_mac(json_object *macs, const struct luks_header *h, json_object *record,
		   const struct record_key *key)
{
	mac_text mac;
	int r = make_mac(h, record, key, mac);

	return r < 0 ? r : field_set(macs, key->fingerprint, json_object_new_string(mac));
}

int record_mac_put(const struct luks_header *h, json_object *record, const struct record_keys *keys)
{
	_cleanup_(json_putp) json_object *macs = NULL;

	assert(keys->n <= ARRAY_SIZE(keys->key));
	json_object_object_del(record, MEMBER);
	if (keys->n == 0)
		return 0;
	macs = json_object_new_object();
	if (!macs)
		return -ENOMEM;
	for (size_t i = 0; i < keys->n; i++) {
		int r = add_mac(macs, h, record, &keys->key[i]);

		if (r < 0)
			return r;
	}
	return field_set(record, MEMBER, TAKE_PTR(macs));
}

static bool is_right(const struct luks_header *h, json_object *record, const struct record_key *key,
		     const char *given)
{
	mac_text mac;

	return strlen(given) == sizeof(mac) - 1 && make_mac(h, record, key, mac) == 0 &&
	       CRYPTO_memcmp(mac, given, sizeof(mac) - 1) == 0;
}

enum record_trust record_mac_check(const struct luks_header *h, json_object *record,
				   const struct record_keys *keys)
{
	json_object *macs = field_get(record, MEMBER, json_type_object);
	bool right = false;

	assert(keys->n <= ARRAY_SIZE(keys->key));
	if (keys->n == 0)
		return RECORD_UNVERIFIED;
	for (size_t i = 0; i < keys->n; i++) {
		const char *given = field_string(macs, keys->key[i].fingerprint);

		if (!given)
			continue; /* the key came after the token was written */
		if (!is_right(h, record, &keys->key[i], given))
			return RECORD_UNTRUSTED;
		right = true;
	}
	return right ? RECORD_VERIFIED : RECORD_UNTRUSTED;
}
