/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The name of a cipher as a LUKS2 segment has it, "aes-xts-plain64", and what follows from it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the longest name of a cipher, with its end. */
#define CIPHER_SPEC_MAX 160

/* The IV is empty where the mode takes none. */
struct cipher_spec {
	char cipher[32];
	char mode[32];
	char iv[64];
};

/*
 * CIPHER-MODE or CIPHER-MODE-IV[:OPTION]; the option may hold dashes (essiv:sha3-256). Also
 * dm-crypt's other notation, where it has the same parts: capi:MODE(CIPHER)-IV[:OPTION], and
 * capi:essiv(MODE(CIPHER),HASH)-plain64. -EINVAL: malformed; -EOPNOTSUPP: that notation with other
 * parts.
 */
int cipher_spec_parse(const char *text, struct cipher_spec *ret);

/*
 * The whole name of a cipher that a person has given, as cryptsetup takes it: "null" and
 * "cipher_null" are cipher_null-ecb, "aes" and "aes-plain" are aes-cbc-plain. The other notation
 * becomes the usual one, as above, and everything else stays as it is. -ENAMETOOLONG: @size.
 */
int cipher_spec_complete(const char *given, char *ret, size_t size);

/* Have both names the same whole name? */
bool cipher_spec_same(const char *a, const char *b);

/* Is it cipher_null, which leaves the data as they are, in any mode? */
bool cipher_is_null(const char *spec);

/*
 * Does a sector of ciphertext that is all zeros mean that nothing was written there? Where each
 * sector is encrypted in its own way, no data comes out like that. Not so with cipher_null, whose
 * ciphertext is the data, nor where what is read from one sector that was never written, and put
 * into another, becomes zeros there (ecb, null IV). False for any @spec that is not known.
 */
bool cipher_tells_unwritten(const char *spec);
