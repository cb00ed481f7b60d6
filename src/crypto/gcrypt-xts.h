/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AES-XTS by libgcrypt, which has it for the vector instructions of newer CPUs (VAES) where OpenSSL
 * before 3.5 has not, and then is twice as fast. Taken at run time where it is installed; configure
 * leaves it out where its header is not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/secret.h"

struct gcrypt_xts;

/* For one thread. @key: both halves. -EOPNOTSUPP: no library, or no AES of half that size. */
int gcrypt_xts_new(const struct secret *key, struct gcrypt_xts **ret);
/* Wipes the key schedules. */
struct gcrypt_xts *gcrypt_xts_free(struct gcrypt_xts *x);
DEFINE_CLEANUP(struct gcrypt_xts, gcrypt_xts_free)

/* One sector in place, its IV @iv of 16 bytes. -EIO: the library. */
int gcrypt_xts_encrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size);
int gcrypt_xts_decrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size);
