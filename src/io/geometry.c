/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/geometry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

/* Bytes. */
#define TRANSFER_STEP (UINT64_C(64) * 1024)
#define MIN_TRANSFER  ((uint32_t)128 * 1024)
#define MAX_TRANSFER  ((uint32_t)1024 * 1024)
/* Encryption sectors have at most this size, so blocks may not be larger. */
#define MAX_BLOCK 4096U

static int read_number(const char *path, uint64_t *ret)
{
	char text[32];
	uint64_t value;
	int r;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = read_kernel_text(fd, text, sizeof(text));
	if (r < 0)
		return r;
	if (sscanf(text, "%" SCNu64, &value) != 1)
		return -EINVAL;
	*ret = value;
	return 0;
}

int sysfs_block_number(uint64_t dev, const char *attribute, uint64_t *ret)
{
	/* The directory of a partition lies in that of its disk, which has the queue. */
	static const char *const parents[] = {"", "../"};
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(parents); i++) {
		char path[128];
		int n = snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s%s", major(dev),
				 minor(dev), parents[i], attribute);

		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		r = read_number(path, ret);
	}
	return r;
}

static uint32_t transfer_size(uint64_t dev)
{
	uint64_t kib = 0, bytes;

	if (sysfs_block_number(dev, "queue/max_sectors_kb", &kib) < 0 ||
	    mul_u64(kib, 1024, &bytes) < 0)
		return MIN_TRANSFER;
	bytes = round_down_u64(MIN(bytes, MAX_TRANSFER), TRANSFER_STEP);
	return (uint32_t)MAX(bytes, MIN_TRANSFER);
}

static int block_geometry(int fd, uint64_t dev, struct geometry *g)
{
	int logical;
	unsigned physical;
	uint64_t rotational = 0;

	g->is_block = true;
	if (ioctl(fd, BLKGETSIZE64, &g->size) < 0 || ioctl(fd, BLKSSZGET, &logical) < 0 ||
	    ioctl(fd, BLKPBSZGET, &physical) < 0)
		return -errno;
	g->block_size = (uint32_t)logical;
	g->physical_block_size = MAX(physical, g->block_size);
	g->transfer_size = transfer_size(dev);
	g->rotational =
		sysfs_block_number(dev, "queue/rotational", &rotational) == 0 && rotational != 0;
	return 0;
}

/* The kernel's word (6.1 and newer, and not of all file systems). -ENODATA: it says nothing. */
static int reported_alignment(int fd, uint32_t *ret)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) < 0)
		return -errno;
	if (!(sx.stx_mask & STATX_DIOALIGN))
		return -ENODATA;
	if (sx.stx_dio_offset_align == 0)
		return -EOPNOTSUPP;
	*ret = MAX(sx.stx_dio_offset_align, (uint32_t)SECTOR_SIZE);
	return 0;
#else
	(void)fd;
	(void)ret;
	return -ENODATA;
#endif
}

/* The smallest block that can be read: the kernel answers EINVAL to what is too small. */
static int probed_alignment(int fd, uint32_t *ret)
{
	alignas(MAX_BLOCK) uint8_t buf[MAX_BLOCK];

	for (uint32_t size = SECTOR_SIZE; size <= MAX_BLOCK; size *= 2) {
		if (pread(fd, buf, size, (off_t)size) >= 0) {
			*ret = size;
			return 0;
		}
		if (errno != EINVAL)
			return -errno;
	}
	return -EOPNOTSUPP;
}

static int file_geometry(int fd, const struct stat *st, struct geometry *g)
{
	int r = reported_alignment(fd, &g->block_size);

	if (r == -ENODATA)
		r = probed_alignment(fd, &g->block_size);
	if (r < 0)
		return r;
	g->size = (uint64_t)st->st_size;
	g->physical_block_size = MAX(g->block_size, MAX_BLOCK);
	g->transfer_size = MAX_TRANSFER;
	return 0;
}

int geometry_get(int fd, struct geometry *ret)
{
	struct geometry g = {0};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		r = block_geometry(fd, st.st_rdev, &g);
	else if (S_ISREG(st.st_mode))
		r = file_geometry(fd, &st, &g);
	else
		r = -EINVAL;
	if (r < 0)
		return r;
	if (!is_power_of_2(g.block_size) || g.block_size > MAX_BLOCK)
		return -EOPNOTSUPP;
	g.size = round_down_u64(g.size, SECTOR_SIZE);
	*ret = g;
	return 0;
}
