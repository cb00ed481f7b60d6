/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/test-disk-util.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

void *buffers_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

int open_direct(const char *path)
{
	const int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

struct disk *disk_of(int fd)
{
	struct disk *d;

	assert_int_equal(disk_uring_new(fd, "test", &d), 0);
	return d;
}
