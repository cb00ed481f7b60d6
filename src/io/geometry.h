/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What direct I/O to a block device or image file has to keep to, and what makes it fast. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct geometry {
	bool is_block;       /* a block device, else a regular file */
	bool rotational;     /* seeks cost; of a file: false */
	uint64_t size;       /* bytes, whole sectors of 512; of a file maybe no whole blocks */
	uint32_t block_size; /* bytes, a power of two: the smallest unit of direct I/O */
	uint32_t physical_block_size; /* bytes: what the medium writes without reading first */
	uint32_t transfer_size;       /* bytes a request should have at most: 128 KiB .. 1 MiB */
};

/*
 * @fd is open for reading with O_DIRECT. -EINVAL: not a block device or a regular file;
 * -EOPNOTSUPP: the file system has no direct I/O for this file, or none in blocks of 4096 bytes.
 */
int geometry_get(int fd, struct geometry *ret);

/*
 * A number from the sysfs directory of block device @dev, "queue/..." from that of the disk where
 * @dev is a partition (Documentation/ABI/stable/sysfs-block). -ENOENT: no such attribute.
 */
int sysfs_block_number(uint64_t dev, const char *attribute, uint64_t *ret);
