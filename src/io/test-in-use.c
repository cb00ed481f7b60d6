/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users of the same bytes by another way: loop devices over a file, over each other, with offsets.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/extent.h"
#include "io/in-use.h"
#include "io/test-loop.h"
#include "util/cleanup.h"

#define MIB  UINT64_C(1048576)
#define SIZE (8 * MIB)

struct image {
	struct scratch s;
	int file;
	struct loop_claims claims;
	struct use_reason why;
};

static int image_new(void **state)
{
	static struct image i;

	i = (struct image){.s = scratch_new(SIZE)};
	i.file = open(i.s.path, O_RDWR | O_CLOEXEC);
	assert_true(i.file >= 0);
	*state = &i;
	return 0;
}

static int image_remove(void **state)
{
	struct image *i = *state;

	loop_claims_free(&i->claims);
	(void)close(i->file);
	scratch_remove(&i->s);
	return 0;
}

static void set_range(int loop, uint64_t offset, uint64_t size)
{
	struct loop_info64 info;

	assert_int_equal(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	info.lo_offset = offset;
	info.lo_sizelimit = size;
	assert_int_equal(ioctl(loop, LOOP_SET_STATUS64, &info), 0);
}

static int use(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void an_image_that_nobody_uses_is_free(void **state)
{
	struct image *i = *state;

	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), 0);
	assert_int_equal(i->claims.n, 0);
	assert_int_equal(file_check_locks(i->file, &i->why), 0);
}

static void an_idle_loop_device_is_claimed(void **state)
{
	struct image *i = *state;
	char path[32];
	_cleanup_close_ int loop = loop_new(i->s.path, 512, false, path);

	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), 0);
	assert_int_equal(i->claims.n, 1);
	assert_int_equal(open(path, O_RDONLY | O_EXCL | O_CLOEXEC), -1);
	assert_int_equal(errno, EBUSY);
	/* Ours are no others. */
	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), 0);
	assert_int_equal(i->claims.n, 1);
	loop_claims_free(&i->claims);
	(void)close(use(path));
}

static void a_loop_device_in_use_is_named(void **state)
{
	struct image *i = *state;
	char path[32];
	_cleanup_close_ int loop = loop_new(i->s.path, 512, false, path), user = use(path);

	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), -EBUSY);
	assert_string_equal(i->why.text, path);
}

/* What waits in its cache could be written over what is written past it. */
static void what_a_loop_device_caches_is_written_out_first(void **state)
{
	struct image *i = *state;
	char path[32], byte = 0;
	_cleanup_close_ int loop = loop_new(i->s.path, 512, false, path);

	assert_int_equal(pwrite(loop, "x", 1, 12345), 1);
	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), 0);
	assert_int_equal(pread(i->file, &byte, 1, 12345), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(pwrite(i->file, "y", 1, 12345), 1);
	assert_int_equal(fsync(i->file), 0);
	assert_int_equal(pread(loop, &byte, 1, 12345), 1);
	assert_int_equal(byte, 'y');
}

static void a_user_above_two_loop_devices_is_seen(void **state)
{
	struct image *i = *state;
	char lower_path[32], path[32];
	_cleanup_close_ int lower = loop_new(i->s.path, 512, false, lower_path);
	_cleanup_close_ int loop = loop_new(lower_path, 512, false, path), user = use(path);

	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), -EBUSY);
	assert_string_equal(i->why.text, path);
	/* Also by who was told one of the two. */
	assert_int_equal(loop_claims_take(&i->claims, lower, &i->why), -EBUSY);
}

static void what_is_worked_on_is_no_other_user(void **state)
{
	struct image *i = *state;
	char path[32];
	_cleanup_close_ int loop = loop_new(i->s.path, 512, false, path), user = use(path);

	assert_int_equal(loop_claims_take(&i->claims, loop, &i->why), 0);
}

static void of_one_file_only_ranges_that_overlap_count(void **state)
{
	struct image *i = *state;
	char path[32], other_path[32];
	_cleanup_close_ int loop = loop_new(i->s.path, 512, false, path);
	_cleanup_close_ int other = loop_new(i->s.path, 512, false, other_path);
	int user;

	set_range(loop, MIB, 2 * MIB);
	set_range(other, 3 * MIB, 0);
	user = use(other_path);
	assert_int_equal(loop_claims_take(&i->claims, loop, &i->why), 0);
	assert_int_equal(i->claims.n, 0);
	(void)close(user);
	set_range(other, 3 * MIB - 4096, 0);
	user = use(other_path);
	assert_int_equal(loop_claims_take(&i->claims, loop, &i->why), -EBUSY);
	assert_string_equal(i->why.text, other_path);
	(void)close(user);
}

static void another_file_is_another(void **state)
{
	struct image *i = *state;
	const struct scratch other = scratch_new(SIZE);
	char path[32];
	_cleanup_close_ int loop = loop_new(other.path, 512, false, path), user = use(path);

	scratch_remove(&other);
	assert_int_equal(loop_claims_take(&i->claims, i->file, &i->why), 0);
	assert_int_equal(i->claims.n, 0);
}

static void extents_lead_to_the_file(void **state)
{
	struct image *i = *state;
	char lower_path[32], path[32];
	_cleanup_close_ int lower = loop_new(i->s.path, 512, false, lower_path);
	struct extent e;
	struct stat st, file;
	int loop;

	set_range(lower, MIB, 4 * MIB);
	loop = loop_new(lower_path, 512, false, path);
	set_range(loop, 2 * MIB, 0);
	assert_int_equal(fstat(loop, &st), 0);
	assert_int_equal(fstat(i->file, &file), 0);
	assert_int_equal(extent_of_stat(&st, &e), 0);
	assert_true(e.is_file && e.dev == file.st_dev && e.ino == file.st_ino);
	assert_true(e.start == 3 * MIB);
	assert_true(e.end == 5 * MIB);
	(void)close(loop);
}

static void a_lock_of_another_program_is_noticed(void **state)
{
	struct image *i = *state;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
	_cleanup_close_ int other = open(i->s.path, O_RDWR | O_CLOEXEC);

	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), 0);
	assert_int_equal(file_check_locks(i->file, &i->why), -EBUSY);
	assert_string_equal(i->why.text, "another program has locked it");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, image_new, image_remove)
	const struct CMUnitTest tests[] = {
		TEST(an_image_that_nobody_uses_is_free),
		TEST(an_idle_loop_device_is_claimed),
		TEST(a_loop_device_in_use_is_named),
		TEST(what_a_loop_device_caches_is_written_out_first),
		TEST(a_user_above_two_loop_devices_is_seen),
		TEST(what_is_worked_on_is_no_other_user),
		TEST(of_one_file_only_ranges_that_overlap_count),
		TEST(another_file_is_another),
		TEST(extents_lead_to_the_file),
		TEST(a_lock_of_another_program_is_noticed),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
