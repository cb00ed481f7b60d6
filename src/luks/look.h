/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A look at a header that changes nothing: read-only, without a lock, without a key. A device that
 * is opened for writing would make udev probe it again when it is closed.
 */
#pragma once

#include "luks/header.h"

/*
 * Opens the device or image @path for reading. Buffered: what a worker wrote past the cache of the
 * kernel is seen all the same, since the kernel drops those pages. -ENOTBLK: neither a block device
 * nor a regular file; else open(2): -ENOENT, -ENXIO, ...
 */
int luks_look_open(const char *path, struct meta_io **ret, uint32_t *ret_block_size);

/* As luks_header_read(), also while somebody commits. */
int luks_look_read(struct meta_io *io, struct luks_header **ret, struct luks_reason *why);

/* Text from a header may hold anything, a terminal's control sequences too. */
void luks_make_printable(char *text);
