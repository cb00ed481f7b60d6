/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A context for each lane and direction is keyed once; a sector then costs setting its IV and one
 * update. Key schedules live in OpenSSL's contexts, in memory that the process locks as a whole,
 * and are wiped when the contexts are freed.
 */
#include "crypto/cipher.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/algorithm.h"
#include "crypto/iv.h"
#include "util/checked.h"

/* "aes-xts-plain64" in its parts; the IV is empty where the mode takes none. */
struct cipher_spec {
	char cipher[32];
	char mode[32];
	char iv[64];
};

struct cipher_lane {
	EVP_CIPHER_CTX *encrypt, *decrypt;
};

struct cipher {
	bool identity; /* cipher_null: data stays as it is */
	uint32_t sector_size;
	unsigned lanes;
	struct iv *iv; /* NULL: the mode takes none */
	struct cipher_lane lane[];
};

/* dm-crypt's other notation, in the names of the kernel's crypto API: "capi:xts(aes)-plain64". */
#define CAPI_PREFIX "capi:"

/* Moves *text behind the part that ends at a dash or with the text. */
static int take_part(const char **text, char *part, size_t size)
{
	const size_t n = strcspn(*text, "-");

	if (n == 0 || n >= size)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)(*text)[i]) && (*text)[i] != '_')
			return -EINVAL;
	memcpy(part, *text, n);
	part[n] = '\0';
	*text += n;
	return 0;
}

/* CIPHER-MODE or CIPHER-MODE-IV[:OPTION]; the option may hold dashes (essiv:sha3-256). */
static int parse_spec(const char *text, struct cipher_spec *ret)
{
	struct cipher_spec s = {0};
	int r;

	if (strncmp(text, CAPI_PREFIX, strlen(CAPI_PREFIX)) == 0)
		return -EOPNOTSUPP;
	r = take_part(&text, s.cipher, sizeof(s.cipher));
	if (r < 0)
		return r;
	if (*text++ != '-')
		return -EINVAL;
	r = take_part(&text, s.mode, sizeof(s.mode));
	if (r < 0)
		return r;
	if (*text == '-') {
		const size_t n = strlen(++text);

		if (n == 0 || n >= sizeof(s.iv))
			return -EINVAL;
		memcpy(s.iv, text, n);
	} else if (strcmp(s.mode, "ecb") != 0) {
		return -EINVAL;
	}
	*ret = s;
	return 0;
}

static int keyed_context(const EVP_CIPHER *evp, const struct secret *key, int encrypt,
			 EVP_CIPHER_CTX **ret)
{
	_cleanup_(evp_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return -ENOMEM;
	/* All that can be wrong with the key is left to find here: xts refuses two equal halves. */
	if (EVP_CipherInit_ex2(ctx, evp, key->data, NULL, encrypt, NULL) != 1)
		return -EINVAL;
	/* xts never pads; asked not to, OpenSSL 3.0 spends 11 ns more on each IV. */
	if (EVP_CIPHER_get_mode(evp) != EVP_CIPH_XTS_MODE &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return -EIO;
	*ret = TAKE_PTR(ctx);
	return 0;
}

static int set_key(struct cipher *c, const struct cipher_spec *spec, const struct secret *key)
{
	_cleanup_(evp_cipher_freep) EVP_CIPHER *evp = NULL;
	int r = algorithm_fetch(spec->cipher, spec->mode, key->size, &evp);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < c->lanes; i++) {
		r = keyed_context(evp, key, 1, &c->lane[i].encrypt);
		if (r < 0)
			return r;
		r = keyed_context(evp, key, 0, &c->lane[i].decrypt);
		if (r < 0)
			return r;
	}
	return spec->iv[0] ? iv_new(spec->iv, spec->cipher, key, c->lanes, &c->iv) : 0;
}

int cipher_new(const char *spec, const struct secret *key, uint32_t sector_size, unsigned lanes,
	       struct cipher **ret)
{
	_cleanup_(cipher_freep) struct cipher *c = NULL;
	struct cipher_spec s;
	int r;

	if (lanes == 0 || !is_power_of_2(sector_size) || sector_size < SECTOR_SIZE ||
	    sector_size > 4096)
		return -EINVAL;
	r = parse_spec(spec, &s);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c) + lanes * sizeof(c->lane[0]));
	if (!c)
		return -ENOMEM;
	c->sector_size = sector_size;
	c->lanes = lanes;
	c->identity = strcmp(s.cipher, "cipher_null") == 0;
	if (!c->identity) {
		r = set_key(c, &s, key);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

bool cipher_tells_unwritten(const char *spec)
{
	struct cipher_spec s;

	return parse_spec(spec, &s) == 0 && strcmp(s.cipher, "cipher_null") != 0 &&
	       (strcmp(s.mode, "xts") == 0 || strcmp(s.mode, "cbc") == 0) &&
	       (strncmp(s.iv, "plain", strlen("plain")) == 0 ||
		strncmp(s.iv, "essiv:", strlen("essiv:")) == 0);
}

struct cipher *cipher_free(struct cipher *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->lanes; i++) {
		EVP_CIPHER_CTX_free(c->lane[i].encrypt);
		EVP_CIPHER_CTX_free(c->lane[i].decrypt);
	}
	(void)iv_free(c->iv);
	free(c);
	return NULL;
}

static int crypt_sector(struct cipher *c, unsigned lane, EVP_CIPHER_CTX *ctx, uint64_t iv_sector,
			uint8_t *data)
{
	uint8_t iv[CIPHER_BLOCK];
	int n, r;

	if (c->iv) {
		r = iv_generate(c->iv, lane, iv_sector, iv);
		if (r < 0)
			return r;
		if (EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) != 1)
			return -EIO;
	}
	if (EVP_CipherUpdate(ctx, data, &n, data, (int)c->sector_size) != 1 ||
	    n != (int)c->sector_size)
		return -EIO;
	return 0;
}

static int crypt_sectors(struct cipher *c, unsigned lane, EVP_CIPHER_CTX *ctx, uint64_t iv_sector,
			 uint8_t *data, size_t size)
{
	if (!is_aligned(size, c->sector_size))
		return -EINVAL;
	if (c->identity)
		return 0;
	for (size_t done = 0; done < size; done += c->sector_size) {
		int r = crypt_sector(c, lane, ctx, iv_sector + (done >> SECTOR_SHIFT), data + done);

		if (r < 0)
			return r;
	}
	return 0;
}

int cipher_encrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size)
{
	assert(lane < c->lanes);
	return crypt_sectors(c, lane, c->lane[lane].encrypt, iv_sector, data, size);
}

int cipher_decrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size)
{
	assert(lane < c->lanes);
	return crypt_sectors(c, lane, c->lane[lane].decrypt, iv_sector, data, size);
}
