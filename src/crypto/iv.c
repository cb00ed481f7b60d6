/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the sector number s stands in the 16 bytes of the IV, as dm-crypt has it
 * (Documentation/admin-guide/device-mapper/dm-crypt.rst and the head of drivers/md/dm-crypt.c):
 *
 *   plain         low 32 bits of s, little endian | zeros
 *   plain64       s, little endian                | zeros
 *   plain64be     zeros                           | s, big endian
 *   essiv:HASH    plain64, encrypted as one block of the data's cipher under HASH(key)
 */
#include "crypto/iv.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#include "crypto/algorithm.h"
#include "crypto/hash.h"
#include "util/checked.h"

enum iv_kind {
	IV_PLAIN,
	IV_PLAIN64,
	IV_PLAIN64BE,
	IV_ESSIV,
};

static const struct {
	const char *name;
	enum iv_kind kind;
} kinds[] = {
	{"plain", IV_PLAIN},
	{"plain64", IV_PLAIN64},
	{"plain64be", IV_PLAIN64BE},
};

#define ESSIV_PREFIX "essiv:"

struct iv {
	enum iv_kind kind;
	unsigned lanes;
	EVP_CIPHER_CTX *essiv[]; /* one a lane, with IV_ESSIV only */
};

static int essiv_context(const EVP_CIPHER *evp, const uint8_t *salt, EVP_CIPHER_CTX **ret)
{
	_cleanup_(evp_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex2(ctx, evp, salt, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return -EIO;
	*ret = TAKE_PTR(ctx);
	return 0;
}

/* The digest must be a key for @cipher. */
static int set_salt(struct iv *iv, const char *cipher, const uint8_t *salt, unsigned size)
{
	_cleanup_(evp_cipher_freep) EVP_CIPHER *evp = NULL;

	if (algorithm_fetch(cipher, "ecb", size, &evp) < 0)
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < iv->lanes; i++) {
		const int r = essiv_context(evp, salt, &iv->essiv[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The whole key is hashed, both halves of an xts key too. */
static int essiv_init(struct iv *iv, const char *hash, const char *cipher, const struct secret *key)
{
	_cleanup_(evp_md_freep) EVP_MD *md = NULL;
	uint8_t salt[EVP_MAX_MD_SIZE];
	unsigned size;
	int r = hash_fetch(hash, &md);

	if (r < 0)
		return r;
	if (EVP_Digest(key->data, key->size, salt, &size, md, NULL) != 1)
		return -EIO;
	r = set_salt(iv, cipher, salt, size);
	OPENSSL_cleanse(salt, sizeof(salt));
	return r;
}

int iv_new(const char *spec, const char *cipher, const struct secret *key, unsigned lanes,
	   struct iv **ret)
{
	_cleanup_(iv_freep) struct iv *iv = NULL;
	int r;

	assert(lanes > 0);
	iv = calloc(1, sizeof(*iv) + lanes * sizeof(iv->essiv[0]));
	if (!iv)
		return -ENOMEM;
	iv->lanes = lanes;
	if (strncmp(spec, ESSIV_PREFIX, strlen(ESSIV_PREFIX)) == 0) {
		iv->kind = IV_ESSIV;
		r = essiv_init(iv, spec + strlen(ESSIV_PREFIX), cipher, key);
		if (r < 0)
			return r;
		*ret = TAKE_PTR(iv);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(spec, kinds[i].name) != 0)
			continue;
		iv->kind = kinds[i].kind;
		*ret = TAKE_PTR(iv);
		return 0;
	}
	return -EOPNOTSUPP;
}

struct iv *iv_free(struct iv *iv)
{
	if (!iv)
		return NULL;
	for (unsigned i = 0; i < iv->lanes; i++)
		EVP_CIPHER_CTX_free(iv->essiv[i]); /* wipes the key */
	free(iv);
	return NULL;
}

int iv_generate(struct iv *iv, unsigned lane, uint64_t sector, uint8_t *ret)
{
	const uint64_t le = htole64(iv->kind == IV_PLAIN ? (uint32_t)sector : sector);
	const uint64_t be = htobe64(sector);
	int n;

	assert(lane < iv->lanes);
	memset(ret, 0, CIPHER_BLOCK);
	switch (iv->kind) {
	case IV_PLAIN:
	case IV_PLAIN64:
		memcpy(ret, &le, sizeof(le));
		return 0;
	case IV_PLAIN64BE:
		memcpy(ret + CIPHER_BLOCK - sizeof(be), &be, sizeof(be));
		return 0;
	case IV_ESSIV:
		memcpy(ret, &le, sizeof(le));
		return EVP_EncryptUpdate(iv->essiv[lane], ret, &n, ret, CIPHER_BLOCK) == 1 ? 0
											   : -EIO;
	}
	return -EINVAL;
}
