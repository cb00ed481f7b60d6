/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Digests of several blocks at once, side by side in vector registers: Intel's multi-buffer
 * library. Taken at run time where it is installed; configure leaves it out where its header is
 * not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct multi_buffer;

/*
 * For one thread. @hash is a name as LUKS2 has it. -EOPNOTSUPP: no such hash there, no library, or
 * this CPU is none for it.
 */
int multi_buffer_new(const char *hash, struct multi_buffer **ret);
struct multi_buffer *multi_buffer_free(struct multi_buffer *m);
DEFINE_CLEANUP(struct multi_buffer, multi_buffer_free)

/* Of @n blocks of @block_size bytes each, back to back, as are the @digests. -EIO: the library. */
int multi_buffer_digest(struct multi_buffer *m, const void *blocks, size_t n, size_t block_size,
			uint8_t *digests);
