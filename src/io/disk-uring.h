/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "io/disk.h"

/*
 * A disk over an open file descriptor of a block device or image file. The descriptor must be
 * O_DIRECT and stays the caller's (it must outlive the disk). @name is copied.
 * One thread submits, waits and frees; freeing waits for the requests in flight. Nothing is
 * allocated after add_memory(), which takes 16 pieces of at most 1 GiB to be fast.
 * Results beside those of the kernel: -ENODATA for a read past the end of a file.
 * -EOPNOTSUPP: the kernel has no usable io_uring, or the file no direct I/O. -EINVAL: neither a
 * block device nor a regular file.
 */
int disk_uring_new(int fd, const char *name, struct disk **ret);
