/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The device or file that holds the LUKS2 header, as byte ranges. All transfers are synchronous and
 * whole. A small interface, so that tests put a simulated disk with a volatile cache under the
 * metadata code.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/node.h"

struct meta_io {
	const struct meta_io_ops *ops;
	uint64_t size;    /* bytes of the device or file when it was opened */
	const char *name; /* for messages; lives as long as the meta_io */
	struct node node; /* what the descriptor leads to; of a simulated disk not known */
};

/* All of @size bytes at byte @offset, or a negative errno; -ENODATA beyond the end. */
struct meta_io_ops {
	int (*read)(struct meta_io *io, uint64_t offset, void *buf, size_t size);
	int (*write)(struct meta_io *io, uint64_t offset, const void *buf, size_t size);
	/* Everything written before is durable when this returns 0. */
	int (*flush)(struct meta_io *io);
	void (*free)(struct meta_io *io);
};

/*
 * Opens the file that @file leads to with open(2)'s @flags, and with O_DIRECT: past the page cache,
 * which may have what the disk cannot give any more. Where a file system has no direct I/O (tmpfs
 * before Linux 6.6), all programs use its cache, and flush() writes that out.
 */
int meta_io_open(int file, int flags);

/*
 * Takes over @fd on success: a block device or regular file opened O_RDWR (O_RDONLY where nothing
 * is written), best with O_DIRECT. Transfers that are not aligned to the logical block size go
 * through a bounce buffer that is allocated here; nothing is allocated later. Aligned offsets,
 * sizes and buffers (4096 is always enough) go straight to the device. -ENOTBLK: not a block
 * device or a regular file.
 */
int meta_io_file_new(int fd, const char *name, struct meta_io **ret);

static inline int meta_io_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	return io->ops->read(io, offset, buf, size);
}

static inline int meta_io_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	return io->ops->write(io, offset, buf, size);
}

static inline int meta_io_flush(struct meta_io *io)
{
	return io->ops->flush(io);
}

static inline struct meta_io *meta_io_free(struct meta_io *io)
{
	if (io)
		io->ops->free(io);
	return NULL;
}
DEFINE_CLEANUP(struct meta_io, meta_io_free)
