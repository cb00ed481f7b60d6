/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/key-memfd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/io.h"

#define FIRST_SIZE 4096 /* bytes: of all but odd key files */

/*
 * Memory that is never swapped, in no core dump, and not even in the kernel's own map: Linux 5.14,
 * from 6.5 on without a boot option. It can only be mapped, and is as large as it was made first.
 */
static int new_secret_memory(const struct secret *key, int *ret)
{
	_cleanup_close_ int fd = (int)syscall(SYS_memfd_secret, (unsigned)O_CLOEXEC);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)key->size) < 0)
		return -errno;
	p = mmap(NULL, key->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	memcpy(p, key->data, key->size);
	(void)munmap(p, key->size);
	*ret = TAKE_FD(fd);
	return 0;
}

/* What every kernel has. Its pages may be swapped. */
static int new_sealed_memory(const struct secret *key, int *ret)
{
	_cleanup_close_ int fd = memfd_create("volume-key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = pwrite_full(fd, key->data, key->size, 0);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int key_memfd_new(const struct secret *key, int *ret)
{
	return new_secret_memory(key, ret) == 0 ? 0 : new_sealed_memory(key, ret);
}

int key_memfd_read(int fd, size_t max, struct secret **ret)
{
	struct stat st;
	size_t size;
	void *p;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0)
		return -ENODATA;
	size = (size_t)st.st_size;
	if (size > max)
		return -EFBIG;
	/* The one kind cannot be mapped but shared, and a sealed one cannot be, before Linux 6.7.
	 */
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r = secret_copy(p, size, ret);
	(void)munmap(p, size);
	return r;
}

/* Until something can be read, or the end be seen. */
static int wait_readable(int fd, int stop_fd, uint64_t deadline)
{
	for (;;) {
		struct pollfd p[] = {{.fd = fd, .events = POLLIN},
				     {.fd = stop_fd, .events = POLLIN}};
		const uint64_t now = now_usec();
		const uint64_t left = now < deadline ? (deadline - now + 999) / 1000 : 0;
		const int n = poll(p, ARRAY_SIZE(p), (int)MIN(left, UINT64_C(1000000)));

		if (n > 0 && p[1].revents)
			return -ECANCELED;
		if (n > 0)
			return p[0].revents & POLLNVAL ? -EBADF : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && left == 0)
			return -ETIMEDOUT;
	}
}

/* More room, with what there is so far. */
static int grow_secret(struct secret **s)
{
	struct secret *larger;
	int r = secret_new((*s)->size * 2, &larger);

	if (r < 0)
		return r;
	memcpy(larger->data, (*s)->data, (*s)->size);
	secret_free(*s);
	*s = larger;
	return 0;
}

int secret_read_fd(int fd, int stop_fd, size_t max, uint64_t deadline, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	size_t used = 0;
	int r = secret_new(FIRST_SIZE, &s);

	if (lseek(fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return -errno;
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n;

		assert(used < s->size); /* to read nothing is to see the end */
		r = wait_readable(fd, stop_fd, deadline);
		if (r < 0)
			return r;
		n = read(fd, s->data + used, s->size - used);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
		if (used > max)
			return -EFBIG;
		r = used == s->size ? grow_secret(&s) : 0;
		if (r < 0)
			return r;
	}
	secret_truncate(s, used);
	*ret = TAKE_PTR(s);
	return 0;
}

int secret_to_fd(const struct secret *s, int *ret)
{
	_cleanup_close_ int from = -1, to = -1;
	int fds[2];

	if (s->size > PIPE_BUF)
		return key_memfd_new(s, ret);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	from = fds[0];
	to = fds[1];
	/* An empty pipe takes so much as a whole. */
	if (s->size > 0 && write(to, s->data, s->size) != (ssize_t)s->size)
		return -EIO;
	*ret = TAKE_FD(from);
	return 0;
}

int secret_from_fd(int fd, size_t max, struct secret **ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISFIFO(st.st_mode) ? secret_read_fd(fd, -1, max, now_usec(), ret)
				    : key_memfd_read(fd, max, ret);
}
