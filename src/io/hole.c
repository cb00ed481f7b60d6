/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/hole.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "io/geometry.h"
#include "io/loop.h"
#include "io/thin-look.h"
#include "util/checked.h"
#include "util/cleanup.h"

/* The file under a loop device. */
struct backing {
	dev_t dev;
	ino_t ino;
	uint64_t start; /* byte of the file that the disk begins with */
};

struct hole_finder hole_finder(int disk_fd)
{
	assert(disk_fd >= 0);
	return (struct hole_finder){.disk_fd = disk_fd, .file_fd = -1};
}

void hole_finder_done(struct hole_finder *h)
{
	if (h->file_fd >= 0)
		(void)close(TAKE_FD(h->file_fd));
	h->thin = thin_look_free(h->thin);
}

/*
 * The name of the file under loop device, or partition of one, @dev, as in the mount namespace of
 * whoever reads it (Documentation/ABI/testing/sysfs-block-loop): here it may name anything, and no
 * other driver has the attribute. -ENOENT: no loop device.
 */
static int backing_name(dev_t dev, char name[PATH_MAX])
{
	/* The directory of a partition lies in that of its disk. */
	static const char *const parents[] = {"", "../"};
	_cleanup_close_ int fd = -1;
	ssize_t n;

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(parents); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%sloop/backing_file",
			       major(dev), minor(dev), parents[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	n = read(fd, name, PATH_MAX);
	if (n < 0)
		return -errno;
	/* A newline ends it, others may be part of it. */
	if (n < 2 || name[n - 1] != '\n' || memchr(name, '\0', (size_t)n))
		return -EINVAL;
	name[n - 1] = '\0';
	return 0;
}

/* Asked each time: the offset can be changed while the device is in use. */
static int backing_get(int disk_fd, dev_t dev, struct backing *ret)
{
	struct loop_backing b;
	uint64_t first = 0, start;
	int r = loop_backing_get(disk_fd, &b);

	/* Where the loop device encrypts on the way, zeros of the file are no zeros (-EOPNOTSUPP).
	 */
	if (r < 0)
		return r;
	r = sysfs_block_number(dev, "start", &first); /* of a partition */
	if (r < 0 && r != -ENOENT)
		return r;
	if (mul_u64(first, SECTOR_SIZE, &start) < 0 || add_u64(start, b.offset, &start) < 0)
		return -EOVERFLOW;
	*ret = (struct backing){.dev = b.file_dev, .ino = b.file_ino, .start = start};
	return 0;
}

static bool is_backing(const struct stat *st, const struct backing *b)
{
	return S_ISREG(st->st_mode) && st->st_dev == b->dev && st->st_ino == b->ino;
}

/* Its name may lead anywhere, so the file is not opened before it is seen to be the right one. */
static int backing_open(int disk_fd, dev_t dev)
{
	char name[PATH_MAX], same[32];
	_cleanup_close_ int path_fd = -1;
	struct backing backing;
	struct stat st;
	int fd, r = backing_name(dev, name);

	if (r < 0)
		return r;
	r = backing_get(disk_fd, dev, &backing);
	if (r < 0)
		return r;
	path_fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return -errno;
	if (!is_backing(&st, &backing))
		return -ESTALE;
	(void)snprintf(same, sizeof(same), "/proc/self/fd/%d", path_fd);
	fd = open(same, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ENXIO is no data up to the end of the file, and what is beyond reads as an error. */
static bool file_hole_at(int fd, const struct stat *st, uint64_t offset, uint64_t size)
{
	off_t data;

	if (st->st_size < 0 || !range_inside(offset, size, (uint64_t)st->st_size))
		return false;
	data = lseek(fd, (off_t)offset, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + size;
}

static bool loop_hole_at(struct hole_finder *h, dev_t dev, uint64_t offset, uint64_t size)
{
	struct backing backing;
	struct stat st;
	uint64_t at;

	if (!h->looked) {
		h->looked = true;
		h->file_fd = MAX(backing_open(h->disk_fd, dev), -1);
	}
	return h->file_fd >= 0 && backing_get(h->disk_fd, dev, &backing) == 0 &&
	       fstat(h->file_fd, &st) == 0 && is_backing(&st, &backing) &&
	       add_u64(backing.start, offset, &at) == 0 && file_hole_at(h->file_fd, &st, at, size);
}

static void find_thin(struct hole_finder *h)
{
	struct geometry g;
	struct stat st;

	h->not_thin = fstat(h->disk_fd, &st) < 0 || !S_ISBLK(st.st_mode) ||
		      geometry_get(h->disk_fd, &g) < 0 ||
		      thin_look_new(st.st_rdev, g.size, &h->thin) < 0;
}

bool hole_look(struct hole_finder *h, uint64_t offset, uint64_t size)
{
	if (!h->thin && !h->not_thin)
		find_thin(h);
	return h->thin && thin_look(h->thin, offset, size) == 0;
}

bool hole_at(struct hole_finder *h, uint64_t offset, uint64_t size)
{
	struct stat st;

	if (fstat(h->disk_fd, &st) < 0)
		return false;
	if (h->thin)
		return thin_look_is_hole(h->thin, offset, size);
	if (S_ISREG(st.st_mode))
		return file_hole_at(h->disk_fd, &st, offset, size);
	return S_ISBLK(st.st_mode) && loop_hole_at(h, st.st_rdev, offset, size);
}
