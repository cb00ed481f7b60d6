/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The name of a cipher as a LUKS2 segment has it, "aes-xts-plain64", and what follows from it. */
#pragma once

#include <stdbool.h>

/* The IV is empty where the mode takes none. */
struct cipher_spec {
	char cipher[32];
	char mode[32];
	char iv[64];
};

/*
 * CIPHER-MODE or CIPHER-MODE-IV[:OPTION]; the option may hold dashes (essiv:sha3-256). -EINVAL:
 * malformed; -EOPNOTSUPP: in dm-crypt's other notation.
 */
int cipher_spec_parse(const char *text, struct cipher_spec *ret);

/* Is it cipher_null, which leaves the data as they are, in any mode? */
bool cipher_is_null(const char *spec);

/*
 * Does a sector of ciphertext that is all zeros mean that nothing was written there? Where each
 * sector is encrypted in its own way, no data comes out like that. Not so with cipher_null, whose
 * ciphertext is the data, nor where what is read from one sector that was never written, and put
 * into another, becomes zeros there (ecb, null IV). False for any @spec that is not known.
 */
bool cipher_tells_unwritten(const char *spec);
