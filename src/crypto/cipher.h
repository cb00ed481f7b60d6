/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sector ciphers as dm-crypt has them, through OpenSSL, and aes-xts also through libgcrypt: cipher,
 * mode and IV generator of a LUKS2 segment ("aes-xts-plain64"), applied in place to whole
 * encryption sectors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/secret.h"

struct cipher;

enum cipher_library { CIPHER_OPENSSL, CIPHER_GCRYPT };

/*
 * @spec is the "encryption" of a LUKS2 segment, @sector_size 512..4096 bytes. Up to @lanes threads
 * may use the cipher at once, each under its own lane number; everything is allocated here.
 * -EOPNOTSUPP: well-formed, but not in OpenSSL (serpent, twofish, ...); the caller may have another
 * way. -EINVAL: malformed spec, a key of the wrong size, or an xts key with two equal halves.
 */
int cipher_new(const char *spec, const struct secret *key, uint32_t sector_size, unsigned lanes,
	       struct cipher **ret);
struct cipher *cipher_free(struct cipher *c);
DEFINE_CLEANUP(struct cipher, cipher_free)

/*
 * OpenSSL is what a new one uses. -EOPNOTSUPP: this cipher, or this machine, has no other library;
 * -EBADMSG: one that encrypts or decrypts otherwise than OpenSSL. Not while a lane is at work.
 */
int cipher_use(struct cipher *c, enum cipher_library library);

/* Uses what is faster here, found out in a few milliseconds. */
int cipher_use_fastest(struct cipher *c);

/* "OpenSSL" or "libgcrypt" */
const char *cipher_library_name(const struct cipher *c);

/*
 * @size bytes in place, a multiple of the sector size. @iv_sector is the IV of the first sector, in
 * 512-byte units also for larger sectors (no iv_large_sectors). -EINVAL: not a multiple.
 */
int cipher_encrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size);
int cipher_decrypt(struct cipher *c, unsigned lane, uint64_t iv_sector, void *data, size_t size);
