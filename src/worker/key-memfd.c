/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/key-memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/io.h"

#define FIRST_SIZE 4096 /* bytes: of all but odd key files */

int key_memfd_new(const struct secret *key, int *ret)
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
static int grow(struct secret **s)
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
	while (r == 0) {
		ssize_t n;

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
		if (used == s->size)
			r = grow(&s);
	}
	if (r < 0)
		return r;
	if (used == 0)
		return -ENODATA;
	secret_truncate(s, used);
	*ret = TAKE_PTR(s);
	return 0;
}
