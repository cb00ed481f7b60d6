/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A context for each lane and direction is keyed once; a sector then costs setting its IV and one
 * update. Key schedules live in the libraries' contexts, in memory that the process locks as a
 * whole, and are wiped when the contexts are freed.
 */
#include "crypto/cipher.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/algorithm.h"
#include "crypto/cipher-spec.h"
#include "crypto/gcrypt-xts.h"
#include "crypto/iv.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

/* What the libraries are compared on: bytes, and how often. */
#define SAMPLE_SIZE   ((size_t)128 * 1024)
#define SAMPLE_ROUNDS 3

struct cipher_lane {
	EVP_CIPHER_CTX *encrypt, *decrypt;
	struct gcrypt_xts *gcrypt; /* of all lanes, or NULL */
};

struct cipher {
	bool identity; /* cipher_null: data stays as it is */
	uint32_t sector_size;
	unsigned lanes;
	enum cipher_library library;
	struct iv *iv; /* NULL: the mode takes none */
	struct cipher_lane lane[];
};

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

static bool gcrypt_has(const struct cipher_spec *spec)
{
	return strcmp(spec->cipher, "aes") == 0 && strcmp(spec->mode, "xts") == 0;
}

static void drop_gcrypt(struct cipher *c)
{
	for (unsigned i = 0; i < c->lanes; i++)
		c->lane[i].gcrypt = gcrypt_xts_free(c->lane[i].gcrypt);
}

/* Keyed now, when there is a key, whether or not it will be used. */
static int set_gcrypt_key(struct cipher *c, const struct secret *key)
{
	for (unsigned i = 0; i < c->lanes; i++) {
		const int r = gcrypt_xts_new(key, &c->lane[i].gcrypt);

		if (r < 0) {
			drop_gcrypt(c);
			return r == -EOPNOTSUPP ? 0 : r;
		}
	}
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
	if (gcrypt_has(spec)) {
		r = set_gcrypt_key(c, key);
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
	r = cipher_spec_parse(spec, &s);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c) + lanes * sizeof(c->lane[0]));
	if (!c)
		return -ENOMEM;
	c->sector_size = sector_size;
	c->lanes = lanes;
	/* No other mode has a cipher of blocks of a single byte: the kernel does not have them
	 * either. */
	if (cipher_is_null(spec) && strcmp(s.mode, "ecb") != 0)
		return -EOPNOTSUPP;
	c->identity = cipher_is_null(spec);
	if (!c->identity) {
		r = set_key(c, &s, key);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

struct cipher *cipher_free(struct cipher *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->lanes; i++) {
		EVP_CIPHER_CTX_free(c->lane[i].encrypt);
		EVP_CIPHER_CTX_free(c->lane[i].decrypt);
	}
	drop_gcrypt(c);
	(void)iv_free(c->iv);
	free(c);
	return NULL;
}

static int crypt_by_openssl(EVP_CIPHER_CTX *ctx, const uint8_t *iv, uint8_t *data, uint32_t size)
{
	int n;

	if (iv && EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) != 1)
		return -EIO;
	if (EVP_CipherUpdate(ctx, data, &n, data, (int)size) != 1 || n != (int)size)
		return -EIO;
	return 0;
}

static int crypt_sector(struct cipher *c, unsigned lane, bool encrypt, uint64_t iv_sector,
			uint8_t *data)
{
	const struct cipher_lane *l = &c->lane[lane];
	uint8_t iv[CIPHER_BLOCK];
	int r = c->iv ? iv_generate(c->iv, lane, iv_sector, iv) : 0;

	if (r < 0)
		return r;
	if (c->library == CIPHER_GCRYPT)
		return encrypt ? gcrypt_xts_encrypt(l->gcrypt, iv, data, c->sector_size)
			       : gcrypt_xts_decrypt(l->gcrypt, iv, data, c->sector_size);
	return crypt_by_openssl(encrypt ? l->encrypt : l->decrypt, c->iv ? iv : NULL, data,
				c->sector_size);
}

static int crypt_sectors(struct cipher *c, unsigned lane, bool encrypt, uint64_t iv_sector,
			 uint8_t *data, size_t size)
{
	assert(lane < c->lanes);
	assert(c->library == CIPHER_OPENSSL || (c->lane[lane].gcrypt && c->iv));
	if (!is_aligned(size, c->sector_size))
		return -EINVAL;
	if (c->identity)
		return 0;
	for (size_t done = 0; done < size; done += c->sector_size) {
		int r = crypt_sector(c, lane, encrypt, iv_sector + (done >> SECTOR_SHIFT),
				     data + done);

		if (r < 0)
			return r;
	}
	return 0;
}

int cipher_encrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size)
{
	return crypt_sectors(c, lane, true, iv_sector, data, size);
}

int cipher_decrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size)
{
	return crypt_sectors(c, lane, false, iv_sector, data, size);
}

/* A sample, which @sealed gets as the library in use makes it, and back. */
static int crypt_sample(struct cipher *c, uint8_t *data, uint8_t *sealed)
{
	int r = cipher_encrypt(c, 0, SAMPLE_SIZE, data, SAMPLE_SIZE);

	memcpy(sealed, data, SAMPLE_SIZE);
	return r < 0 ? r : cipher_decrypt(c, 0, SAMPLE_SIZE, data, SAMPLE_SIZE);
}

/* A sample as one library makes it, and back; @ret is how many microseconds that takes. */
static int try_library(struct cipher *c, enum cipher_library library, uint8_t *data,
		       uint8_t *sealed, uint64_t *ret)
{
	const enum cipher_library before = c->library;
	const uint64_t begin = now_usec();
	int r;

	c->library = library;
	for (size_t i = 0; i < SAMPLE_SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	r = crypt_sample(c, data, sealed);
	c->library = before;
	*ret = now_usec() - begin;
	return r;
}

/*
 * A library that is wrong would destroy the volume: with these very keys, both make the same of a
 * sample, and the same back. @faster: is it the faster one, too?
 */
static int compare_libraries(struct cipher *c, bool *faster)
{
	_cleanup_free_ uint8_t *data = malloc(4 * SAMPLE_SIZE);
	uint64_t best[2] = {UINT64_MAX, UINT64_MAX}, time;

	if (!data)
		return -ENOMEM;
	for (unsigned i = 0; i < SAMPLE_ROUNDS; i++) {
		for (unsigned l = CIPHER_OPENSSL; l <= CIPHER_GCRYPT; l++) {
			uint8_t *to = data + (size_t)l * 2 * SAMPLE_SIZE;
			int r = try_library(c, l, to, to + SAMPLE_SIZE, &time);

			if (r < 0)
				return l == CIPHER_GCRYPT ? -EBADMSG : r;
			best[l] = MIN(best[l], time);
		}
		if (memcmp(data, data + 2 * SAMPLE_SIZE, 2 * SAMPLE_SIZE) != 0)
			return -EBADMSG;
	}
	*faster = best[CIPHER_GCRYPT] < best[CIPHER_OPENSSL];
	return 0;
}

int cipher_use(struct cipher *c, enum cipher_library library)
{
	bool faster;
	int r;

	c->library = CIPHER_OPENSSL;
	if (library == CIPHER_OPENSSL)
		return 0;
	r = c->lane[0].gcrypt ? compare_libraries(c, &faster) : -EOPNOTSUPP;
	if (r < 0)
		return r;
	c->library = library;
	return 0;
}

int cipher_use_fastest(struct cipher *c)
{
	bool faster = false;
	int r = c->lane[0].gcrypt ? compare_libraries(c, &faster) : 0;

	if (r == -EBADMSG)
		log_warning("libgcrypt encrypts otherwise than OpenSSL: not used");
	c->library = faster ? CIPHER_GCRYPT : CIPHER_OPENSSL;
	return r == -EBADMSG ? 0 : r;
}

const char *cipher_library_name(const struct cipher *c)
{
	return c->library == CIPHER_GCRYPT ? "libgcrypt" : "OpenSSL";
}
