/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The metadata interface over a descriptor. With O_DIRECT the kernel wants offset, size and memory
 * aligned to the logical block; what is not goes through a bounce buffer, block by block where a
 * block is only partly written.
 */
#include "luks/meta-io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/file.h"
#include "util/io.h"

#define BOUNCE_SIZE     UINT64_C(65536)
#define FILE_BLOCK_SIZE UINT64_C(4096) /* enough for O_DIRECT on the file systems in use */

struct meta_io_file {
	struct meta_io io;
	int fd;
	uint64_t block; /* alignment of transfers, bytes; 1 without O_DIRECT */
	uint8_t *bounce;
	char *name;
};

static struct meta_io_file *to_file(struct meta_io *io)
{
	return (struct meta_io_file *)io;
}

static bool is_direct(const struct meta_io_file *f, uint64_t offset, const void *buf, size_t size)
{
	return is_aligned(offset, f->block) && is_aligned(size, f->block) &&
	       is_aligned((uintptr_t)buf, f->block);
}

/* Fills the bounce buffer from @offset up to @size bytes; fewer only at the end of a file. */
static int fill_bounce(struct meta_io_file *f, uint64_t offset, size_t size, size_t *ret)
{
	size_t done = 0;

	assert(size <= BOUNCE_SIZE && is_aligned(offset | size, f->block));
	while (done < size) {
		const ssize_t n =
			pread(f->fd, f->bounce + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
		/* Behind an odd end of a file O_DIRECT would not let us ask again. */
		if (n == 0 || !is_aligned(done, f->block))
			break;
	}
	*ret = done;
	return 0;
}

/* The part of [offset, offset + size) that the bounce buffer can hold, in whole blocks around it.
 */
struct io_window {
	uint64_t start; /* offset of the first block */
	size_t size;    /* whole blocks */
	size_t skip;    /* bytes of them before @offset */
	size_t payload; /* bytes that were asked for */
};

static struct io_window window_at(const struct meta_io_file *f, uint64_t offset, size_t size)
{
	struct io_window w = {.start = round_down_u64(offset, f->block)};

	w.skip = (size_t)(offset - w.start);
	w.payload = MIN(size, (size_t)BOUNCE_SIZE - w.skip);
	w.size = (size_t)round_down_u64(w.skip + w.payload + f->block - 1, f->block);
	assert(w.payload > 0 && w.skip + w.payload <= w.size && w.size <= BOUNCE_SIZE);
	return w;
}

static int file_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	struct meta_io_file *f = to_file(io);
	uint8_t *p = buf;

	if (is_direct(f, offset, buf, size))
		return pread_full(f->fd, buf, size, offset);
	if (!range_inside(offset, size, (uint64_t)INT64_MAX - BOUNCE_SIZE))
		return -EOVERFLOW;

	while (size > 0) {
		const struct io_window w = window_at(f, offset, size);
		size_t got;
		int r = fill_bounce(f, w.start, w.size, &got);

		if (r < 0)
			return r;
		if (got < w.skip + w.payload)
			return -ENODATA;
		memcpy(p, f->bounce + w.skip, w.payload);
		p += w.payload;
		offset += w.payload;
		size -= w.payload;
	}
	return 0;
}

static int file_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	struct meta_io_file *f = to_file(io);
	const uint8_t *p = buf;

	if (is_direct(f, offset, buf, size))
		return pwrite_full(f->fd, buf, size, offset);
	if (!range_inside(offset, size, (uint64_t)INT64_MAX - BOUNCE_SIZE))
		return -EOVERFLOW;

	while (size > 0) {
		const struct io_window w = window_at(f, offset, size);
		int r;

		if (w.payload < w.size) {
			size_t got;

			r = fill_bounce(f, w.start, w.size, &got);
			if (r < 0)
				return r;
			memset(f->bounce + got, 0, w.size - got);
		}
		memcpy(f->bounce + w.skip, p, w.payload);
		r = pwrite_full(f->fd, f->bounce, w.size, w.start);
		if (r < 0)
			return r;
		p += w.payload;
		offset += w.payload;
		size -= w.payload;
	}
	return 0;
}

static int file_flush(struct meta_io *io)
{
	int r;

	do
		r = fdatasync(to_file(io)->fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static void file_free(struct meta_io *io)
{
	struct meta_io_file *f = to_file(io);

	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->bounce);
	free(f->name);
	free(f);
}

static const struct meta_io_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.free = file_free,
};

static int find_geometry(struct meta_io_file *f, int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	f->block = 1;
	f->io.node = node_of(&st);

	if (S_ISBLK(st.st_mode)) {
		int block;

		if (ioctl(fd, BLKGETSIZE64, &f->io.size) < 0 || ioctl(fd, BLKSSZGET, &block) < 0)
			return -errno;
		if (block <= 0 || !is_power_of_2((uint64_t)block) || (uint64_t)block > BOUNCE_SIZE)
			return -EINVAL;
		if (flags & O_DIRECT)
			f->block = (uint64_t)block;
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return -ENOTBLK;
	f->io.size = (uint64_t)st.st_size;
	if (flags & O_DIRECT)
		f->block = FILE_BLOCK_SIZE;
	return 0;
}

int meta_io_open(int file, int flags)
{
	const int fd = file_open(file, flags | O_DIRECT | O_NONBLOCK);

	return fd == -EINVAL ? file_open(file, flags | O_NONBLOCK) : fd;
}

int meta_io_file_new(int fd, const char *name, struct meta_io **ret)
{
	_cleanup_(meta_io_freep) struct meta_io *io = NULL;
	struct meta_io_file *f;
	int r;

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	io = &f->io;
	io->ops = &file_ops;
	f->fd = -1;

	r = find_geometry(f, fd);
	if (r < 0)
		return r;
	f->name = strdup(name);
	f->bounce = aligned_alloc(BOUNCE_SIZE, BOUNCE_SIZE);
	if (!f->name || !f->bounce)
		return -ENOMEM;

	io->name = f->name;
	f->fd = fd;
	*ret = TAKE_PTR(io);
	return 0;
}
