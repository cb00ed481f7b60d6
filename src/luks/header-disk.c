/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/header-disk.h"

#include <errno.h>
#include <string.h>

#include "crypto/hash.h"
#include "util/cleanup.h"

const uint8_t luks_magic[2][LUKS_MAGIC_SIZE] = {
	[LUKS_PRIMARY] = {'L', 'U', 'K', 'S', 0xba, 0xbe},
	[LUKS_SECONDARY] = {'S', 'K', 'U', 'L', 0xba, 0xbe},
};

int luks_header_checksum(const char *algorithm, const void *copy, uint64_t size, uint8_t ret[64])
{
	static const uint8_t zeros[sizeof(((struct luks_header_disk *)0)->checksum)];
	const size_t before = offsetof(struct luks_header_disk, checksum);
	const size_t after = before + sizeof(zeros);
	const uint8_t *bytes = copy;
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	_cleanup_(evp_md_freep) EVP_MD *md = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = hash_fetch(algorithm, &md);

	if (r == 0 && !ctx)
		r = -ENOMEM;
	if (r == 0)
		r = EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
				    EVP_DigestUpdate(ctx, bytes, before) == 1 &&
				    EVP_DigestUpdate(ctx, zeros, sizeof(zeros)) == 1 &&
				    EVP_DigestUpdate(ctx, bytes + after, size - after) == 1 &&
				    EVP_DigestFinal_ex(ctx, digest, NULL) == 1
			    ? 0
			    : -EIO;
	EVP_MD_CTX_free(ctx);
	if (r == 0)
		memcpy(ret, digest, 64);
	return r;
}
