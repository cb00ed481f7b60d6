/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holes of image files, and of loop devices through the file under them; never by a wrong file. */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/hole.h"
#include "io/test-disk-util.h"
#include "io/test-loop.h"
#include "util/cleanup.h"
#include "util/io.h"

#define MIB  UINT64_C(1048576)
#define SIZE (8 * MIB)

/* An image with data in its second MiB, and a loop device over it. */
struct sparse {
	struct scratch s;
	int file;
	int loop;
	char path[32];
	struct hole_finder holes;
};

static void write_at(int fd, uint64_t offset, size_t size)
{
	void *data = buffers_new(size);

	memset(data, 0xa5, size);
	assert_int_equal(pwrite_full(fd, data, size, offset), 0);
	assert_int_equal(fsync(fd), 0);
	(void)munmap(data, size);
}

static int new_image(struct sparse *x)
{
	x->s = scratch_new(SIZE);
	x->file = open(x->s.path, O_RDWR | O_CLOEXEC);
	x->loop = -1;
	assert_true(x->file >= 0);
	write_at(x->file, MIB, MIB);
	x->holes = hole_finder(x->file);
	return 0;
}

static int sparse_new(void **state)
{
	static struct sparse x;

	*state = &x;
	return new_image(&x);
}

static int sparse_remove(void **state)
{
	struct sparse *x = *state;

	hole_finder_done(&x->holes);
	if (x->loop >= 0)
		(void)close(x->loop);
	(void)close(x->file);
	scratch_remove(&x->s);
	return 0;
}

static void add_loop(struct sparse *x, bool buffered)
{
	x->loop = loop_new(x->s.path, 512, false, x->path);
	if (buffered)
		assert_int_equal(ioctl(x->loop, LOOP_SET_DIRECT_IO, 0), 0);
	x->holes = hole_finder(x->loop);
}

/* Offsets in the file; @start is where the disk begins in it. */
static void check_holes(struct sparse *x, uint64_t start)
{
	assert_true(hole_at(&x->holes, 2 * MIB - start, 6 * MIB));
	assert_true(hole_at(&x->holes, 2 * MIB - start, 4096));
	assert_true(hole_at(&x->holes, 8 * MIB - start - 4096, 4096));
	assert_false(hole_at(&x->holes, MIB - start, 4096));
	assert_false(hole_at(&x->holes, 2 * MIB - start - 4096, 8192));
	assert_false(hole_at(&x->holes, 2 * MIB - start, 6 * MIB + 4096)); /* beyond the end */
	assert_false(hole_at(&x->holes, UINT64_MAX - 4095, 4096));
}

static void holes_of_an_image_are_found(void **state)
{
	struct sparse *x = *state;

	check_holes(x, 0);
	assert_true(hole_at(&x->holes, 0, MIB));
	assert_false(hole_at(&x->holes, 0, MIB + 4096));
}

/* Data is seen there from the flush on, discarded data no more. */
static void check_loop(struct sparse *x, bool buffered)
{
	add_loop(x, buffered);
	check_holes(x, 0);
	write_at(x->loop, 5 * MIB, 512);
	assert_false(hole_at(&x->holes, 2 * MIB, 6 * MIB));
	assert_false(hole_at(&x->holes, 5 * MIB, 4096));
	assert_true(hole_at(&x->holes, 2 * MIB, 3 * MIB));
	assert_int_equal(
		fallocate(x->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, 4096), 0);
	assert_true(hole_at(&x->holes, 2 * MIB, 6 * MIB));
}

static void holes_of_a_loop_device_are_found(void **state)
{
	check_loop(*state, true);
}

static void holes_of_a_loop_device_with_direct_io_are_found(void **state)
{
	check_loop(*state, false);
}

static void set_range(const struct sparse *x, uint64_t offset, uint64_t size)
{
	struct loop_info64 info;

	assert_int_equal(ioctl(x->loop, LOOP_GET_STATUS64, &info), 0);
	info.lo_offset = offset;
	info.lo_sizelimit = size;
	assert_int_equal(ioctl(x->loop, LOOP_SET_STATUS64, &info), 0);
}

/* Also when that is changed later. */
static void the_offset_of_a_loop_device_is_added(void **state)
{
	struct sparse *x = *state;

	add_loop(x, true);
	set_range(x, MIB / 2, 0);
	check_holes(x, MIB / 2);
	set_range(x, MIB, 2 * MIB);
	assert_false(hole_at(&x->holes, 0, 4096));
	assert_true(hole_at(&x->holes, MIB, MIB));
	set_range(x, UINT64_C(1) << 62, 0);
	assert_false(hole_at(&x->holes, MIB, MIB));
}

static void the_start_of_a_partition_is_added(void **state)
{
	struct sparse *x = *state;
	struct blkpg_partition part = {.start = (long long)MIB / 2, .length = 7 * MIB, .pno = 1};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part};
	char name[128], node[300], dev[32] = {0};
	unsigned major, minor;

	add_loop(x, true);
	set_range(x, MIB / 4, 0);
	assert_int_equal(ioctl(x->loop, BLKPG, &arg), 0);
	(void)snprintf(name, sizeof(name), "/sys/class/block/%sp1/dev", strrchr(x->path, '/') + 1);
	_cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, dev, sizeof(dev) - 1) > 0);
	assert_int_equal(sscanf(dev, "%u:%u", &major, &minor), 2);
	(void)snprintf(node, sizeof(node), "%s/partition", x->s.dir);
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(major, minor)), 0);
	_cleanup_close_ int partition = open(node, O_RDONLY | O_CLOEXEC);

	assert_int_equal(unlink(node), 0);
	if (partition < 0 && errno == EACCES) {
		print_message("no device nodes on this file system\n");
		skip();
	}
	assert_true(partition >= 0);
	x->holes = hole_finder(partition);
	assert_true(hole_at(&x->holes, 5 * MIB / 4, 4 * MIB));
	assert_false(hole_at(&x->holes, 5 * MIB / 4 - 4096, 4096));
	assert_false(hole_at(&x->holes, MIB / 4, 4096));
	hole_finder_done(&x->holes);
}

/* What the driver says the file is called is then the name of something else, or of nothing. */
static void another_file_of_that_name_is_not_believed(void **state)
{
	struct sparse *x = *state;
	char name[320], link_target[64];
	_cleanup_close_ int other = -1;

	add_loop(x, true);
	assert_int_equal(unlink(x->s.path), 0);
	assert_false(hole_at(&x->holes, 3 * MIB, MIB));

	/* The kernel's way of naming what has no name any more. */
	(void)snprintf(name, sizeof(name), "%s (deleted)", x->s.path);
	other = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(ftruncate(other, (off_t)SIZE), 0);
	x->holes = hole_finder(x->loop);
	assert_false(hole_at(&x->holes, 3 * MIB, MIB));
	assert_int_equal(unlink(name), 0);

	assert_int_equal(mkfifo(name, 0600), 0); /* to open it would wait */
	x->holes = hole_finder(x->loop);
	assert_false(hole_at(&x->holes, 3 * MIB, MIB));

	/* The right one, but it is not gone into through a link. */
	assert_int_equal(unlink(name), 0);
	(void)snprintf(link_target, sizeof(link_target), "/proc/self/fd/%d", x->file);
	assert_int_equal(symlink(link_target, name), 0);
	x->holes = hole_finder(x->loop);
	assert_false(hole_at(&x->holes, 3 * MIB, MIB));
	assert_int_equal(rename(name, x->s.path), 0); /* for scratch_remove() */
}

/* It has no size limit, and its file has become shorter since. */
static void what_the_file_ends_before_is_not_known(void **state)
{
	struct sparse *x = *state;

	add_loop(x, true);
	assert_true(hole_at(&x->holes, 7 * MIB, MIB));
	assert_int_equal(ftruncate(x->file, 7 * MIB + 4096), 0);
	assert_false(hole_at(&x->holes, 7 * MIB, MIB));
	assert_true(hole_at(&x->holes, 6 * MIB, MIB));
}

/* A loop device over a loop device: the file of the lower one is not that of the upper one. */
static void of_other_devices_nothing_is_known(void **state)
{
	struct sparse *x = *state;
	char path[32];

	add_loop(x, true);
	_cleanup_close_ int upper = loop_new(x->path, 512, false, path);

	x->holes = hole_finder(upper);
	assert_false(hole_at(&x->holes, 3 * MIB, MIB));
	assert_int_equal(x->holes.file_fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, sparse_new, sparse_remove)
		TEST(holes_of_an_image_are_found),
		TEST(holes_of_a_loop_device_are_found),
		TEST(holes_of_a_loop_device_with_direct_io_are_found),
		TEST(the_offset_of_a_loop_device_is_added),
		TEST(the_start_of_a_partition_is_added),
		TEST(another_file_of_that_name_is_not_believed),
		TEST(what_the_file_ends_before_is_not_known),
		TEST(of_other_devices_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
