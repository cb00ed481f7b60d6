/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which bytes a file or block device is, once partitions and loop devices are seen through: two
 * names can lead to the same bytes.
 *
 *     image file                   --> itself
 *     loop device, or over a loop  --> the file, from the offset of each on the way
 *     partition                    --> its disk, and what that is
 *     any other block device       --> itself
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct extent {
	bool is_file;
	dev_t dev;           /* the block device, or the one that has the file */
	ino_t ino;           /* of the file */
	uint64_t start, end; /* bytes; @end may lie behind the end of what is there */
};

/*
 * -EACCES, -ENOENT and so on: the device node of a loop device on the way cannot be opened, so it
 * cannot be told. -ENOTBLK: @st is neither a regular file nor a block device; -ELOOP: too deep.
 */
int extent_of_stat(const struct stat *st, struct extent *ret);
int extent_of_device(dev_t device, struct extent *ret);

bool extent_overlaps(const struct extent *a, const struct extent *b);
