/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The digest is fetched once and each lane keeps a context. OpenSSL 3.0 still replaces the small
 * state inside it for each digest (free, then malloc of the same size), so the heap never grows.
 */
#include "crypto/checksum.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/multi-buffer.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

/* What the libraries are compared on: bytes, and how often. */
#define SAMPLE_SIZE   ((size_t)256 * 1024)
#define SAMPLE_ROUNDS 3

struct lane {
	EVP_MD_CTX *ctx;
	struct multi_buffer *multi_buffer; /* NULL: not used */
};

struct checksum {
	EVP_MD *md;
	char hash[32];
	size_t size;
	unsigned lanes;
	struct lane lane[];
};

int checksum_new(const char *hash, unsigned lanes, struct checksum **ret)
{
	_cleanup_(checksum_freep) struct checksum *c = NULL;
	int size, r;

	if (lanes == 0)
		return -EINVAL;
	c = calloc(1, sizeof(*c) + lanes * sizeof(c->lane[0]));
	if (!c)
		return -ENOMEM;
	c->lanes = lanes;
	if (strlen(hash) >= sizeof(c->hash))
		return -EOPNOTSUPP;
	r = hash_fetch(hash, &c->md);
	if (r < 0)
		return r;
	memcpy(c->hash, hash, strlen(hash));
	size = EVP_MD_get_size(c->md);
	if (size <= 0 || size > (int)CHECKSUM_MAX)
		return -EOPNOTSUPP;
	c->size = (size_t)size;
	for (unsigned i = 0; i < lanes; i++) {
		c->lane[i].ctx = EVP_MD_CTX_new();
		if (!c->lane[i].ctx || EVP_DigestInit_ex2(c->lane[i].ctx, c->md, NULL) != 1)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

static void drop_multi_buffer(struct checksum *c)
{
	for (unsigned i = 0; i < c->lanes; i++)
		c->lane[i].multi_buffer = multi_buffer_free(c->lane[i].multi_buffer);
}

struct checksum *checksum_free(struct checksum *c)
{
	if (!c)
		return NULL;
	drop_multi_buffer(c);
	for (unsigned i = 0; i < c->lanes; i++)
		EVP_MD_CTX_free(c->lane[i].ctx);
	EVP_MD_free(c->md);
	free(c);
	return NULL;
}

size_t checksum_size(const struct checksum *c)
{
	return c->size;
}

const char *checksum_library_name(const struct checksum *c)
{
	return c->lane[0].multi_buffer ? "multi-buffer" : "OpenSSL";
}

/* A library that is wrong would be found out in a recovery only: the two are compared first. */
static int compare_libraries(struct checksum *c, size_t block_size)
{
	_cleanup_free_ uint8_t *data = calloc(16, block_size);
	uint8_t other[16 * EVP_MAX_MD_SIZE], digests[16 * EVP_MAX_MD_SIZE];
	struct multi_buffer *m = c->lane[0].multi_buffer;
	int r;

	assert(m);
	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < 16 * block_size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	r = multi_buffer_digest(m, data, 16, block_size, other);
	if (r < 0)
		return -EBADMSG;
	c->lane[0].multi_buffer = NULL;
	r = checksum_blocks(c, 0, data, 16 * block_size, block_size, digests);
	c->lane[0].multi_buffer = m;
	if (r < 0)
		return r;
	return memcmp(digests, other, 16 * c->size) == 0 ? 0 : -EBADMSG;
}

static int try_multi_buffer(struct checksum *c)
{
	int r;

	for (unsigned i = 0; i < c->lanes; i++) {
		assert(!c->lane[i].multi_buffer);
		r = multi_buffer_new(c->hash, &c->lane[i].multi_buffer);
		if (r < 0)
			return r;
	}
	r = compare_libraries(c, 512);
	return r < 0 ? r : compare_libraries(c, 4096);
}

int checksum_use(struct checksum *c, enum checksum_library library)
{
	int r;

	drop_multi_buffer(c);
	if (library == CHECKSUM_OPENSSL)
		return 0;
	r = try_multi_buffer(c);
	if (r < 0)
		drop_multi_buffer(c);
	return r;
}

/* Microseconds of the best of some rounds. */
static int measure_library(struct checksum *c, const void *sample, size_t block_size,
			   uint8_t *digests, uint64_t *ret)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < SAMPLE_ROUNDS; i++) {
		uint64_t start = now_usec();
		int r = checksum_blocks(c, 0, sample, SAMPLE_SIZE, block_size, digests);

		if (r < 0)
			return r;
		best = MIN(best, now_usec() - start);
	}
	*ret = best;
	return 0;
}

/* The multi-buffer library is in use, and stays so where it is the faster one. */
static int choose_faster(struct checksum *c, size_t block_size)
{
	_cleanup_free_ uint8_t *sample = calloc(1, SAMPLE_SIZE);
	_cleanup_free_ uint8_t *digests = calloc(SAMPLE_SIZE / block_size, c->size);
	uint64_t openssl, multi_buffer;
	int r;

	if (!sample || !digests)
		return -ENOMEM;
	r = measure_library(c, sample, block_size, digests, &multi_buffer);
	if (r < 0)
		return r;
	r = checksum_use(c, CHECKSUM_OPENSSL);
	if (r < 0)
		return r;
	r = measure_library(c, sample, block_size, digests, &openssl);
	if (r < 0)
		return r;
	return multi_buffer < openssl ? checksum_use(c, CHECKSUM_MULTI_BUFFER) : 0;
}

int checksum_use_fastest(struct checksum *c, size_t block_size)
{
	int r = checksum_use(c, CHECKSUM_MULTI_BUFFER);

	if (r == -EBADMSG)
		log_warning(
			"the multi-buffer library gives other %s digests than OpenSSL: not used",
			c->hash);
	if (r < 0)
		return r == -EOPNOTSUPP || r == -EBADMSG ? 0 : r;
	return choose_faster(c, block_size);
}

int checksum_blocks(struct checksum *c, unsigned lane, const void *data, size_t size,
		    size_t block_size, uint8_t *digests)
{
	const uint8_t *block = data;
	struct lane *l;

	assert(lane < c->lanes);
	l = &c->lane[lane];
	if (block_size == 0 || size % block_size)
		return -EINVAL;
	if (l->multi_buffer)
		return multi_buffer_digest(l->multi_buffer, data, size / block_size, block_size,
					   digests);
	for (; size > 0; size -= block_size) {
		if (EVP_DigestInit_ex2(l->ctx, NULL, NULL) != 1 ||
		    EVP_DigestUpdate(l->ctx, block, block_size) != 1 ||
		    EVP_DigestFinal_ex(l->ctx, digests, NULL) != 1)
			return -EIO;
		block += block_size;
		digests += c->size;
	}
	return 0;
}
