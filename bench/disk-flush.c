/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A library to preload. The kernel sends no write to a file of FUSE while an fsync() of that file
 * is under way; to a block device it does. So the programs of bench/disks flush another file,
 * "flush" beside "disk" (disk-fuse.c), whose fsync() flushes the same disk:
 *
 *     DISK_FLUSH=MOUNTPOINT LD_PRELOAD=.../disk-flush.so recryptctl reencrypt ... MOUNTPOINT/disk
 *
 * Each fsync of an io_uring is taken for one of the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct stat disk;
static int flush_fd = -1;

static void find_files(void)
{
	const char *dir = getenv("DISK_FLUSH");
	char path[PATH_MAX];

	if (!dir)
		return;
	(void)snprintf(path, sizeof(path), "%s/disk", dir);
	if (stat(path, &disk) < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/flush", dir);
	flush_fd = open(path, O_RDWR | O_CLOEXEC);
}

static int flushed_for(int fd)
{
	struct stat st;

	(void)pthread_once(&once, find_files);
	if (flush_fd < 0 || fstat(fd, &st) < 0 || st.st_dev != disk.st_dev ||
	    st.st_ino != disk.st_ino)
		return fd;
	return flush_fd;
}

static int call_sync(const char *name, int fd)
{
	int (*real)(int fd) = (int (*)(int))dlsym(RTLD_NEXT, name);

	return real(flushed_for(fd));
}

int fsync(int fd)
{
	return call_sync("fsync", fd);
}

int fdatasync(int fildes)
{
	return call_sync("fdatasync", fildes);
}

static void redirect(struct io_uring *ring)
{
	(void)pthread_once(&once, find_files);
	for (unsigned i = ring->sq.sqe_head; flush_fd >= 0 && i != ring->sq.sqe_tail; i++) {
		struct io_uring_sqe *sqe = &ring->sq.sqes[i & *ring->sq.kring_mask];

		if (sqe->opcode != IORING_OP_FSYNC)
			continue;
		sqe->fd = flush_fd;
		sqe->flags &= (__u8)~IOSQE_FIXED_FILE;
	}
}

int io_uring_submit(struct io_uring *ring)
{
	int (*real)(struct io_uring * ring) =
		(int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");

	redirect(ring);
	return real(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	int (*real)(struct io_uring * ring, unsigned wait_nr) =
		(int (*)(struct io_uring *, unsigned))dlsym(RTLD_NEXT, "io_uring_submit_and_wait");

	redirect(ring);
	return real(ring, wait_nr);
}
