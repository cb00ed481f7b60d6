/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The checksums of the resilience area: one digest for each block, packed back to back. Two
 * libraries can make them; which one is faster depends on the CPU and on the size of the blocks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct checksum;

enum checksum_library { CHECKSUM_OPENSSL, CHECKSUM_MULTI_BUFFER };

/* Up to @lanes threads may use it at once, each under its own lane number. @hash is a name as LUKS2
 * has it ("sha256"). -EOPNOTSUPP: OpenSSL has no such hash. */
int checksum_new(const char *hash, unsigned lanes, struct checksum **ret);
struct checksum *checksum_free(struct checksum *c);
DEFINE_CLEANUP(struct checksum, checksum_free)

/*
 * OpenSSL is what a new one uses. -EOPNOTSUPP: this hash, or this machine, has no multi-buffer
 * library; -EBADMSG: one whose digests are not OpenSSL's. Not while a lane is at work.
 */
int checksum_use(struct checksum *c, enum checksum_library library);

/* Uses what is faster for blocks of @block_size bytes here, found out in a few milliseconds. */
int checksum_use_fastest(struct checksum *c, size_t block_size);

/* "OpenSSL" or "multi-buffer" */
const char *checksum_library_name(const struct checksum *c);

/* Bytes of one digest, which no hash exceeds. */
#define CHECKSUM_MAX 64U
size_t checksum_size(const struct checksum *c);

/* Digests of the @size / @block_size blocks (in bytes) of @data, written to @digests. -EINVAL where
 * @size is not a multiple of @block_size. */
int checksum_blocks(struct checksum *c, unsigned lane, const void *data, size_t size,
		    size_t block_size, uint8_t *digests);
