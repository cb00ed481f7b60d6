/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why no volume can have a cipher, whatever modules the kernel has: for messages, before any try.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is there an IV that no re-encryption can have, or that does not fit the cipher? The reason, as a
 * clause, is then in @buf, cut to @size. False where that is not known, and for what is no name of
 * a cipher.
 */
bool cipher_iv_misfits(const char *spec, char *buf, size_t size);

/*
 * Does the kernel's cipher, or libcryptsetup with this IV, take no key of @key_size bytes? Those
 * that both take, "256, 384 or 512" bits, are then in @buf, cut to @size. False where that is not
 * known.
 */
bool cipher_key_misfits(const char *spec, size_t key_size, char *buf, size_t size);
