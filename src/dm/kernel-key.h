/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volume keys on their way into a dm-crypt table: as a "logon" key in the calling thread's keyring,
 * which dm-crypt copies when the table is loaded, or as hex digits in the table itself. Which one
 * a volume uses was decided when it was opened and is kept. cipher_null has neither: the kernel
 * gives it no key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/secret.h"

/*
 * The key field of a dm-crypt table for @cipher: ":<bytes>:logon:cryptsetup:<uuid>-d<digest>" (what
 * libcryptsetup names its keys), hex digits, or "-" for cipher_null. @size of the result counts the
 * text without its terminator.
 */
int kernel_key_text(const char *cipher, const char *uuid, unsigned digest, const struct secret *key,
		    bool keyring, struct secret **ret);

/* Does such a field name a key in the keyring, and is it that of cipher_null? */
bool kernel_key_is_named(const char *text, size_t size);
bool kernel_key_is_none(const char *text, size_t size);

/* Has this kernel keyrings? */
bool kernel_key_has_keyring(void);

/*
 * Puts @key into the calling thread's keyring under the description that @text (of
 * kernel_key_text(); kernel_key_is_named() is true) names; the same thread must load the table.
 * Returns what add_key(2) fails with: -ENOSYS without kernel keyrings, -EDQUOT.
 */
int kernel_key_add(const struct secret *text, const struct secret *key, int32_t *ret);

/* Destroys the key and takes it out of the keyring. What dm-crypt has copied stays. */
int kernel_key_drop(int32_t serial);
