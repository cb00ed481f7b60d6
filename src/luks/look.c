/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/checked.h"

int luks_look_open(const struct found_file *f, struct meta_io **ret, uint32_t *ret_block_size)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r, block_size;

	if (f->identity.kind != S_IFREG && f->identity.kind != S_IFBLK)
		return -ENOTBLK;
	fd = file_open(f->fd, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Nobody asks the file system here, and a worker may find any size from this one on. */
	if (S_ISREG(st.st_mode))
		block_size = SECTOR_SIZE;
	else if (ioctl(fd, BLKSSZGET, &block_size) < 0)
		return -errno;
	r = meta_io_file_new(fd, f->path, ret);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	*ret_block_size = (uint32_t)block_size;
	return 0;
}

/*
 * No lock: a commit in flight tears one copy at most, and the other is whole. So a copy that looks
 * bad is looked at again before it is called so.
 */
int luks_look_read(struct meta_io *io, struct luks_header **ret, struct luks_reason *why)
{
	int r = 0;

	for (int attempt = 0; attempt < 3; attempt++) {
		_cleanup_(luks_header_freep) struct luks_header *h = NULL;

		r = luks_header_read(io, &h, why);
		if (r == -EBADMSG)
			continue;
		if (r < 0)
			return r;
		*ret = luks_header_free(*ret);
		*ret = TAKE_PTR(h);
		if (!luks_header_needs_repair(*ret))
			return 0;
	}
	return *ret ? 0 : r;
}
