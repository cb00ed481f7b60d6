/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block ciphers and modes that the kernel and OpenSSL both have, by the kernel's names. */
#pragma once

#include <stddef.h>
#include <openssl/evp.h>

#include "util/cleanup.h"

/* Bytes of a cipher's block, and so of an IV: the same for every cipher that we know. */
#define CIPHER_BLOCK 16

static inline void evp_cipher_freep(EVP_CIPHER **p)
{
	EVP_CIPHER_free(*p);
}

static inline void evp_cipher_ctx_freep(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
}

/*
 * @cipher ("aes") in @mode ("xts", "cbc", "ecb") with keys of @key_size bytes, both halves of an
 * xts key included; EVP_CIPHER_free() is the caller's. -EOPNOTSUPP: a cipher, mode or size that
 * OpenSSL does not have; -EINVAL: not a size that the cipher can have.
 */
int algorithm_fetch(const char *cipher, const char *mode, size_t key_size, EVP_CIPHER **ret);
