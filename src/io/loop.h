/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loop devices, as their driver and sysfs describe them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a loop device is made of: a file, known by its inode, or a block device. */
struct loop_backing {
	dev_t device; /* 0: a file */
	dev_t file_dev;
	ino_t file_ino;
	uint64_t offset, size; /* bytes; @size 0: all that is behind @offset */
};

/* Is @device a loop device (no partition of one) that has something under it? */
bool loop_is_attached(dev_t device);

/*
 * Opens the device node of block device @device with @flags of open(2). The node is found by the
 * kernel's name for it, and -ENODEV says that the node of that name is another device.
 */
int device_open_node(dev_t device, int flags);

/* @fd is open. -ENXIO: nothing is under it. -EOPNOTSUPP: encrypts by itself (kernels before 5.16).
 */
int loop_backing_get(int fd, struct loop_backing *ret);
int loop_backing_of(dev_t device, struct loop_backing *ret);

/*
 * Calls @fn with the number and the name of each loop device that has something under it, until it
 * returns other than 0. -ENOENT and so on: sysfs cannot be read.
 */
int loop_each(int (*fn)(dev_t device, const char *name, void *arg), void *arg);
