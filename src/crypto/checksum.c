/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The digest is fetched once and each lane keeps a context. OpenSSL 3.0 still replaces the small
 * state inside it for each digest (free, then malloc of the same size), so the heap never grows.
 */
#include "crypto/checksum.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>

struct checksum {
	EVP_MD *md;
	size_t size;
	unsigned lanes;
	EVP_MD_CTX *lane[];
};

int checksum_new(const char *hash, unsigned lanes, struct checksum **ret)
{
	_cleanup_(checksum_freep) struct checksum *c = NULL;
	int size;

	if (lanes == 0)
		return -EINVAL;
	c = calloc(1, sizeof(*c) + lanes * sizeof(c->lane[0]));
	if (!c)
		return -ENOMEM;
	c->lanes = lanes;
	c->md = EVP_MD_fetch(NULL, hash, NULL);
	if (!c->md)
		return -EOPNOTSUPP;
	size = EVP_MD_get_size(c->md);
	if (size <= 0)
		return -EOPNOTSUPP;
	c->size = (size_t)size;
	for (unsigned i = 0; i < lanes; i++) {
		c->lane[i] = EVP_MD_CTX_new();
		if (!c->lane[i] || EVP_DigestInit_ex2(c->lane[i], c->md, NULL) != 1)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

struct checksum *checksum_free(struct checksum *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->lanes; i++)
		EVP_MD_CTX_free(c->lane[i]);
	EVP_MD_free(c->md);
	free(c);
	return NULL;
}

size_t checksum_size(const struct checksum *c)
{
	return c->size;
}

int checksum_blocks(struct checksum *c, unsigned lane, const void *data, size_t size,
		    size_t block_size, uint8_t *digests)
{
	const uint8_t *block = data;
	EVP_MD_CTX *ctx;

	assert(lane < c->lanes);
	ctx = c->lane[lane];
	if (block_size == 0 || size % block_size)
		return -EINVAL;
	for (; size > 0; size -= block_size) {
		if (EVP_DigestInit_ex2(ctx, NULL, NULL) != 1 ||
		    EVP_DigestUpdate(ctx, block, block_size) != 1 ||
		    EVP_DigestFinal_ex(ctx, digests, NULL) != 1)
			return -EIO;
		block += block_size;
		digests += c->size;
	}
	return 0;
}
