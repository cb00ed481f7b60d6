/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/file.h"

/* Looked at before the device is opened: to open the wrong kind can do things (rewind a tape). */
static int check_kind(const struct stat *st)
{
	uint64_t value = 0;

	if (S_ISREG(st->st_mode))
		return 0;
	if (!S_ISBLK(st->st_mode))
		return -EINVAL;
	if (sysfs_block_number(st->st_rdev, "ro", &value) == 0 && value)
		return -EROFS;
	if (sysfs_block_number(st->st_rdev, "queue/dax", &value) == 0 && value)
		return -EMEDIUMTYPE;
	return 0;
}

int device_open(int file, bool exclusive, struct device *ret)
{
	_cleanup_close_ int fd = -1;
	struct geometry geometry;
	struct stat st;
	int flags = O_RDWR | O_DIRECT | O_NOCTTY, r;

	if (fstat(file, &st) < 0)
		return -errno;
	r = check_kind(&st);
	if (r < 0)
		return r;
	if (exclusive && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = file_open(file, flags);
	if (fd < 0)
		return fd == -EINVAL ? -EOPNOTSUPP : fd;
	r = geometry_get(fd, &geometry);
	if (r < 0)
		return r;
	if (geometry.size == 0)
		return -ENODATA;
	ret->fd = TAKE_FD(fd);
	ret->geometry = geometry;
	return 0;
}

bool device_is_gone(const struct device *d)
{
	uint64_t size;

	/* The kernel takes the size of a disk away with it (del_gendisk()). */
	return d->geometry.is_block && (ioctl(d->fd, BLKGETSIZE64, &size) < 0 || size == 0);
}
