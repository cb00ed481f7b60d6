/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening devices and image files, and what is found out about them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/device.h"
#include "io/stacking.h"
#include "io/test-loop.h"
#include "util/cleanup.h"
#include "util/io.h"

#define FILE_SIZE (UINT64_C(4) << 20)

/* An open image file that has no name any more, and the path that opens it again. */
static int nameless_file(uint64_t size, char ret_path[64])
{
	const struct scratch s = scratch_new(size);
	int fd = open(s.path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	scratch_remove(&s);
	(void)snprintf(ret_path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static int open_path(const char *path, bool exclusive, struct device *ret)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return device_open(fd, exclusive, ret);
}

static void an_image_file_opens_for_direct_io(void **state)
{
	char path[64];
	_cleanup_close_ int file = nameless_file(FILE_SIZE + 100, path);
	struct device d = {.fd = -1};

	(void)state;
	assert_int_equal(open_path(path, true, &d), 0);
	_cleanup_close_ int fd = d.fd;

	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT), O_RDWR | O_DIRECT);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_false(d.geometry.is_block);
	assert_true(d.geometry.size == FILE_SIZE); /* without the part of a block at its end */
	assert_true(d.geometry.block_size >= 512 && d.geometry.block_size <= 4096);
	assert_int_equal(d.geometry.transfer_size, 1 << 20);
}

/* The block size is one that the kernel takes, and half of it is one that it does not. */
static void the_block_size_of_a_file_is_the_smallest_that_works(void **state)
{
	char path[64];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, path);
	struct device d = {.fd = -1};
	_Alignas(4096) uint8_t buf[4096];

	(void)state;
	assert_int_equal(open_path(path, false, &d), 0);
	_cleanup_close_ int fd = d.fd;
	const uint32_t size = d.geometry.block_size;

	assert_int_equal(pread_full(fd, buf, size, size), 0);
	if (size > 512)
		assert_int_equal(pread_full(fd, buf, size / 2, size / 2), -EINVAL);
}

static void check_loop(uint32_t block_size)
{
	char link[64], path[32];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, link);
	_cleanup_close_ int loop = loop_new(link, block_size, false, path);
	struct device d = {.fd = -1};

	assert_int_equal(open_path(path, false, &d), 0);
	_cleanup_close_ int fd = d.fd;

	assert_true(d.geometry.is_block);
	assert_true(d.geometry.size == FILE_SIZE);
	assert_int_equal(d.geometry.block_size, block_size);
	assert_true(d.geometry.physical_block_size >= block_size);
	assert_true(d.geometry.transfer_size >= 128 << 10 && d.geometry.transfer_size <= 1 << 20);
	assert_int_equal(d.geometry.transfer_size % 4096, 0);
}

static void a_block_device_has_its_own_block_size(void **state)
{
	(void)state;
	check_loop(512);
	check_loop(4096);
}

static void a_read_only_device_is_refused(void **state)
{
	char link[64], path[32];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, link);
	_cleanup_close_ int loop = loop_new(link, 512, true, path);
	struct device d = {.fd = -1};

	(void)state;
	assert_int_equal(open_path(path, false, &d), -EROFS);
	assert_int_equal(d.fd, -1);
}

static void a_claimed_device_is_busy_for_exclusive_use_only(void **state)
{
	char link[64], path[32];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, link);
	_cleanup_close_ int loop = loop_new(link, 512, false, path);
	struct device first = {.fd = -1}, second = {.fd = -1};

	(void)state;
	assert_int_equal(open_path(path, true, &first), 0);
	_cleanup_close_ int fd = first.fd;

	assert_int_equal(open_path(path, true, &second), -EBUSY);
	assert_int_equal(open_path(path, false, &second), 0);
	assert_int_equal(close(second.fd), 0);
}

static void a_disk_has_the_attributes_of_sysfs(void **state)
{
	char link[64], path[32];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, link);
	_cleanup_close_ int loop = loop_new(link, 512, false, path);
	struct stat st;
	uint64_t v;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(sysfs_block_number(st.st_rdev, "queue/logical_block_size", &v), 0);
	assert_true(v == 512);
	assert_int_equal(sysfs_block_number(st.st_rdev, "size", &v), 0);
	assert_true(v == FILE_SIZE / 512);
	assert_int_equal(sysfs_block_number(st.st_rdev, "queue/no_such", &v), -ENOENT);
}

/* The directory of a partition has a size of its own and no queue. */
static void a_partition_has_the_queue_of_its_disk_and_lies_on_it(void **state)
{
	char link[64], path[32];
	_cleanup_close_ int file = nameless_file(FILE_SIZE, link);
	_cleanup_close_ int loop = loop_new(link, 4096, false, path);
	struct blkpg_partition part = {.start = 1 << 20, .length = 2 << 20, .pno = 1};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part};
	char name[128], dev[32] = {0};
	struct disk_names disks;
	unsigned major, minor;
	uint64_t v;

	(void)state;
	assert_int_equal(ioctl(loop, BLKPG, &arg), 0);
	(void)snprintf(name, sizeof(name), "/sys/class/block/%sp1/dev", strrchr(path, '/') + 1);
	_cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, dev, sizeof(dev) - 1) > 0);
	assert_int_equal(sscanf(dev, "%u:%u", &major, &minor), 2);
	assert_int_equal(sysfs_block_number(makedev(major, minor), "size", &v), 0);
	assert_true(v == (2 << 20) / 512);
	assert_int_equal(sysfs_block_number(makedev(major, minor), "queue/logical_block_size", &v),
			 0);
	assert_true(v == 4096);

	device_disks(makedev(major, minor), &disks);
	assert_int_equal(disks.n, 1);
	assert_string_equal(disks.name[0], strrchr(path, '/') + 1);
	device_disks(makedev(0, 4242), &disks);
	assert_int_equal(disks.n, 0);
}

static void what_is_no_disk_is_refused(void **state)
{
	char empty[64];
	_cleanup_close_ int file = nameless_file(0, empty);
	struct device d = {.fd = -1};

	(void)state;
	assert_int_equal(open_path("/dev/null", false, &d), -EINVAL);
	assert_int_equal(open_path("/tmp", false, &d), -EINVAL);
	assert_int_equal(open_path(empty, false, &d), -ENODATA);
	/* procfs has regular files without direct I/O. */
	assert_int_equal(open_path("/proc/self/comm", false, &d), -EOPNOTSUPP);
	assert_int_equal(d.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_file_opens_for_direct_io),
		cmocka_unit_test(the_block_size_of_a_file_is_the_smallest_that_works),
		cmocka_unit_test(a_block_device_has_its_own_block_size),
		cmocka_unit_test(a_read_only_device_is_refused),
		cmocka_unit_test(a_claimed_device_is_busy_for_exclusive_use_only),
		cmocka_unit_test(a_disk_has_the_attributes_of_sysfs),
		cmocka_unit_test(a_partition_has_the_queue_of_its_disk_and_lies_on_it),
		cmocka_unit_test(what_is_no_disk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
