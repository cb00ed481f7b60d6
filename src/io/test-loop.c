/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/test-loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/cleanup.h"

static bool has_direct_io(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	return fd >= 0;
}

static bool make_scratch(struct scratch *s, const char *parent, uint64_t size)
{
	(void)snprintf(s->dir, sizeof(s->dir), "%s/recryptd-io-XXXXXX", parent);
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->path, sizeof(s->path), "%s/image", s->dir);

	_cleanup_close_ int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (has_direct_io(s->path))
		return true;
	scratch_remove(s);
	return false;
}

/* tmpfs has no direct I/O before Linux 6.6: then where the test was started. */
struct scratch scratch_new(uint64_t size)
{
	const char *tmp = getenv("TMPDIR");
	struct scratch s = {0};

	assert_true(make_scratch(&s, tmp ? tmp : "/tmp", size) || make_scratch(&s, ".", size));
	return s;
}

void scratch_remove(const struct scratch *s)
{
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(rmdir(s->dir), 0);
}

/* Another process may take the free number first: -EBUSY. */
static int try_loop(int control, struct loop_config *config, char ret_path[32])
{
	const int number = ioctl(control, LOOP_CTL_GET_FREE);
	_cleanup_close_ int fd = -1;

	if (number < 0)
		return -errno;
	(void)snprintf(ret_path, 32, "/dev/loop%d", number);
	fd = open(ret_path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, config) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int loop_new(const char *path, uint32_t block_size, bool read_only, char ret_path[32])
{
	const uint32_t flags = (uint32_t)LO_FLAGS_DIRECT_IO | (uint32_t)LO_FLAGS_AUTOCLEAR |
			       (uint32_t)LO_FLAGS_PARTSCAN |
			       (read_only ? (uint32_t)LO_FLAGS_READ_ONLY : 0);
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int backing = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)backing, .block_size = block_size, .info = {.lo_flags = flags}};
	int fd = -EBUSY;

	assert_true(backing >= 0);
	if (control < 0) {
		print_message("no loop devices here: %s\n", strerror(errno));
		skip();
	}
	for (unsigned i = 0; fd == -EBUSY && i < 100; i++)
		fd = try_loop(control, &config, ret_path);
	if (fd == -EPERM || fd == -EACCES || fd == -ENOENT || fd == -ENODEV) {
		print_message("cannot set up a loop device: %s\n", strerror(-fd));
		skip();
	}
	assert_true(fd >= 0);
	return fd;
}
