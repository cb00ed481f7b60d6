/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hashes by the names that LUKS2 gives them. OpenSSL has the old ones (whirlpool, md4) in a
 * provider of its own, "legacy", which may not be installed. libcryptsetup can be built with
 * another library, which has more hashes: those are unknown here.
 */
#pragma once

#include <openssl/evp.h>

static inline void evp_md_freep(EVP_MD **p)
{
	EVP_MD_free(*p);
}

/* EVP_MD_free() is the caller's. -EOPNOTSUPP: neither provider has a hash of that name. */
int hash_fetch(const char *name, EVP_MD **ret);

/* Keyed with nothing yet; EVP_MAC_CTX_free() is the caller's. -EOPNOTSUPP: as above. */
int hash_new_hmac(const char *name, EVP_MAC_CTX **ret);

/* Bytes of a digest of @name, or -EOPNOTSUPP: as above. */
int hash_size(const char *name);
