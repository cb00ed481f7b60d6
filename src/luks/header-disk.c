/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/header-disk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "crypto/hash.h"
#include "util/cleanup.h"

const uint8_t luks_magic[2][LUKS_MAGIC_SIZE] = {
	[LUKS_PRIMARY] = {'L', 'U', 'K', 'S', 0xba, 0xbe},
	[LUKS_SECONDARY] = {'S', 'K', 'U', 'L', 0xba, 0xbe},
};

static void evp_md_ctx_freep(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

int luks_header_checksum(const char *algorithm, const void *copy, uint64_t size, uint8_t ret[64])
{
	static const uint8_t zeros[sizeof(((struct luks_header_disk *)0)->checksum)];
	const size_t before = offsetof(struct luks_header_disk, checksum);
	const size_t after = before + sizeof(zeros);
	const uint8_t *bytes = copy;
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	_cleanup_(evp_md_freep) EVP_MD *md = NULL;
	_cleanup_(evp_md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r;

	assert(size >= sizeof(struct luks_header_disk));
	r = hash_fetch(algorithm, &md);
	if (r < 0)
		return r;
	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestInit_ex(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, bytes, before) != 1 ||
	    EVP_DigestUpdate(ctx, zeros, sizeof(zeros)) != 1 ||
	    EVP_DigestUpdate(ctx, bytes + after, size - after) != 1 ||
	    EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
		return -EIO;
	memcpy(ret, digest, 64);
	return 0;
}
