/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What protects the data must not become weaker without a person who says so: the cipher, the
 * size of the key, and what it costs to try a passphrase.
 */
#pragma once

#include <libcryptsetup.h>

#include "luks/begin-internal.h"

/*
 * Is @new_name with a key of @new_size bytes weaker than the old one? By the bits of the key (in
 * XTS half of them), the mode and how it makes IVs, and block ciphers that are not of today.
 */
bool luks_cipher_is_weaker(const char *old_name, uint32_t old_size, const char *new_name,
			   uint32_t new_size);

/*
 * The costs of a new keyslot: as the user says; what he leaves open is as in @keyslot, where the
 * type is the same, or else the library's default. @keyslot -1: a new passphrase, for which the
 * default is raised to the memory of any keyslot that there is. Strings are borrowed. -EINVAL: no
 * such type.
 */
int luks_begin_pbkdf(const struct luks_begin *b, int keyslot, struct crypt_pbkdf_type *ret);

/*
 * -EINVAL (logged): the options weaken something, and params.may_weaken does not allow it; or a
 * real cipher would keep a key that the header shows to everybody. A person who asks for a weaker
 * cipher is warned and gets it.
 */
int luks_begin_check_strength(const struct luks_begin *b);

/* The same for the keyslot @made, which a benchmark has set the costs of. */
int luks_begin_check_made(const struct luks_begin *b, int keyslot, int made);
