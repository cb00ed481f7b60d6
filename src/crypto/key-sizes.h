/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which sizes of keys a cipher takes here, for messages. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "256 or 512" bits, cut to @size; "" where OpenSSL does not have the cipher. */
void cipher_key_sizes(const char *spec, uint32_t sector_size, char *buf, size_t size);
