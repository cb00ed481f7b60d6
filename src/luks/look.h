/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A look at a header that changes nothing: read-only, without a lock, without a key. A device that
 * is opened for writing would make udev probe it again when it is closed.
 */
#pragma once

#include "luks/header.h"
#include "util/file.h"

/*
 * Opens a device or image for reading; @f must outlive what comes back. Buffered: what a worker
 * wrote past the cache of the kernel is seen all the same, since the kernel drops those pages.
 * -ENOTBLK: not a block device or a regular file, which is known before it is opened; else
 * open(2): -ENXIO, ...
 */
int luks_look_open(const struct found_file *f, struct meta_io **ret, uint32_t *ret_block_size);

/* As luks_header_read(), also while somebody commits. */
int luks_look_read(struct meta_io *io, struct luks_header **ret, struct luks_reason *why);
