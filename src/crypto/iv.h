/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IV generators of dm-crypt: from the number of a sector to the IV that it is encrypted with.
 */
#pragma once

#include <stdint.h>

#include "util/secret.h"

struct iv;

/*
 * @spec is what follows the mode in a LUKS2 "encryption": "plain64", "essiv:sha256"; @cipher and
 * @key are those of the data. -EOPNOTSUPP: a generator or hash that we do not have.
 */
int iv_new(const char *spec, const char *cipher, const struct secret *key, unsigned lanes,
	   struct iv **ret);
struct iv *iv_free(struct iv *iv);
DEFINE_CLEANUP(struct iv, iv_free)

/* The 16 bytes of the IV of @sector (in 512-byte units). */
int iv_generate(struct iv *iv, unsigned lane, uint64_t sector, uint8_t *ret);
