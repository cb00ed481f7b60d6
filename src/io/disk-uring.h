/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "io/disk.h"

/*
 * A disk over an open file descriptor of a block device or image file. The descriptor must be
 * O_DIRECT and stays the caller's (it must outlive the disk). @name is copied.
 * -EOPNOTSUPP: the kernel has no usable io_uring.
 */
int disk_uring_new(int fd, const char *name, struct disk **ret);
