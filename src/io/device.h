/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens the block device or image file that a volume lives on, and refuses what we cannot serve. */
#pragma once

#include <stdbool.h>

#include "io/geometry.h"

struct device {
	int fd; /* the caller's to close */
	struct geometry geometry;
};

/*
 * Opens the file that @file (O_PATH will do) leads to, for reading and writing with O_DIRECT;
 * @exclusive claims a block device (O_EXCL), so that it must not be in use by a mount, a mapping or
 * another one who claims it. Anything but a disk or a regular file is not opened at all.
 *
 *   -EINVAL       not a block device or a regular file
 *   -EROFS        a read-only device or file system
 *   -EMEDIUMTYPE  a DAX device: applications can map its memory and so pass by what we freeze
 *   -EOPNOTSUPP   no direct I/O on this file system, or in blocks larger than 4096 bytes only
 *   -EBUSY        @exclusive, and the device is in use
 *   -ENODATA      its size is 0
 *   others        open(2): -EACCES, -ENXIO, ...
 */
int device_open(int file, bool exclusive, struct device *ret);

/* Has the block device been taken away (pulled out, detached) since it was opened? */
bool device_is_gone(const struct device *d);
