/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/hash.h"

#include <errno.h>
#include <openssl/evp.h>

int hash_size(const char *hash)
{
	EVP_MD *md = EVP_MD_fetch(NULL, hash, NULL);
	int size;

	if (!md)
		return -EOPNOTSUPP;
	size = EVP_MD_get_size(md);
	EVP_MD_free(md);
	return size > 0 ? size : -EOPNOTSUPP;
}
