/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/checked.h"

/* Offsets reach the kernel as a signed off_t. */
static int check_range(size_t size, uint64_t offset)
{
	return range_inside(offset, size, INT64_MAX) ? 0 : -EOVERFLOW;
}

int pread_full(int fd, void *buf, size_t size, uint64_t offset)
{
	uint8_t *p = buf;
	int r = check_range(size, offset);

	if (r < 0)
		return r;
	while (size > 0) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t size, uint64_t offset)
{
	const uint8_t *p = buf;
	int r = check_range(size, offset);

	if (r < 0)
		return r;
	while (size > 0) {
		ssize_t n = pwrite(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int read_kernel_text(int fd, char *buf, size_t size)
{
	ssize_t n;

	assert(size > 1);
	n = pread(fd, buf, size - 1, 0);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}
