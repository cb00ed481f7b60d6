/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/hash.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdint.h>

/* With both providers, since HMAC itself is in the default one. NULL: there is no such provider. */
static OSSL_LIB_CTX *old_hashes;

/* In a context of its own, so that nothing else of the process gets old algorithms. */
static void load_old_hashes(void)
{
	OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();

	if (ctx && OSSL_PROVIDER_load(ctx, "default") && OSSL_PROVIDER_load(ctx, "legacy")) {
		old_hashes = ctx;
		return;
	}
	OSSL_LIB_CTX_free(ctx);
}

static int find_hash(const char *name, OSSL_LIB_CTX **ret_ctx, EVP_MD **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);

	*ret_ctx = NULL;
	if (!md) {
		(void)pthread_once(&once, load_old_hashes);
		*ret_ctx = old_hashes;
		md = old_hashes ? EVP_MD_fetch(old_hashes, name, NULL) : NULL;
	}
	if (!md)
		return -EOPNOTSUPP;
	*ret = md;
	return 0;
}

int hash_fetch(const char *name, EVP_MD **ret)
{
	OSSL_LIB_CTX *ctx;

	return find_hash(name, &ctx, ret);
}

static int set_hash(EVP_MAC_CTX *ctx, const char *name)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)name, 0),
		OSSL_PARAM_construct_end(),
	};

	/* HMAC refuses hashes whose digests have any length that is asked for. */
	return EVP_MAC_CTX_set_params(ctx, params) == 1 ? 0 : -EOPNOTSUPP;
}

int hash_new_hmac(const char *name, EVP_MAC_CTX **ret)
{
	OSSL_LIB_CTX *library;
	EVP_MAC_CTX *ctx;
	EVP_MAC *mac;
	EVP_MD *md;
	int r = find_hash(name, &library, &md);

	if (r < 0)
		return r;
	EVP_MD_free(md);
	mac = EVP_MAC_fetch(library, "HMAC", NULL);
	ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	if (!ctx)
		return -ENOMEM;
	r = set_hash(ctx, name);
	if (r < 0) {
		EVP_MAC_CTX_free(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

int hash_size(const char *name)
{
	EVP_MD *md;
	int size, r = hash_fetch(name, &md);

	if (r < 0)
		return r;
	size = EVP_MD_get_size(md);
	EVP_MD_free(md);
	return size > 0 ? size : -EOPNOTSUPP;
}
