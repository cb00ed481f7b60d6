/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hashes by the names that LUKS2 gives them. */
#pragma once

#include <stdint.h>

/* Bytes of a digest of @hash, or -EOPNOTSUPP: OpenSSL has no such hash. */
int hash_size(const char *hash);
