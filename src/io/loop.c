/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm/find.h"
#include "io/stacking.h"
#include "util/cleanup.h"

bool loop_is_attached(dev_t device)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file", major(device),
		       minor(device));
	return access(path, F_OK) == 0;
}

int device_open_node(dev_t device, int flags)
{
	return open_device_node(device, flags | O_NONBLOCK);
}

int loop_backing_get(int fd, struct loop_backing *ret)
{
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	if (info.lo_encrypt_type != LO_CRYPT_NONE)
		return -EOPNOTSUPP;
	*ret = (struct loop_backing){
		.device = (dev_t)info.lo_rdevice,
		.file_dev = (dev_t)info.lo_device,
		.file_ino = (ino_t)info.lo_inode,
		.offset = info.lo_offset,
		.size = info.lo_sizelimit,
	};
	return 0;
}

int loop_backing_of(dev_t device, struct loop_backing *ret)
{
	_cleanup_close_ int fd = device_open_node(device, O_RDONLY);

	return fd < 0 ? fd : loop_backing_get(fd, ret);
}

static void close_directory(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

int loop_each(int (*fn)(dev_t device, const char *name, void *arg), void *arg)
{
	_cleanup_(close_directory) DIR *d = opendir("/sys/block");
	struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		char path[512];
		dev_t device;
		int r;

		(void)snprintf(path, sizeof(path), "/sys/block/%s/dev", entry->d_name);
		if (strncmp(entry->d_name, "loop", 4) != 0 || !device_read_number(path, &device) ||
		    !loop_is_attached(device))
			continue;
		r = fn(device, entry->d_name, arg);
		if (r != 0)
			return r;
	}
	return 0;
}
