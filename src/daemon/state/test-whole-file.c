/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are read whole and replaced whole, and when the state file is (saved-state.h). */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/state/saved-state.h"
#include "daemon/state/whole-file.h"
#include "util/cleanup.h"
#include "util/log.h"

#define UUID "6a0a6c3e-0e6f-4ea5-9a25-000000000001"

static char top[] = "/tmp/test-whole-file-XXXXXX", path[64], new_path[80];
static bool no_fsync;

/* In place of the C library's: what a broken disk says. */
int fsync(int fd)
{
	if (!no_fsync)
		return (int)syscall(SYS_fsync, fd);
	errno = EIO;
	return -1;
}

static int begin(void **state)
{
	(void)state;
	no_fsync = false;
	strcpy(top, "/tmp/test-whole-file-XXXXXX");
	assert_non_null(mkdtemp(top));
	(void)snprintf(path, sizeof(path), "%s/file", top);
	(void)snprintf(new_path, sizeof(new_path), "%s.new", path);
	return 0;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void expect(const char *text)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(whole_file_read(path, 100, &found), 0);
	assert_string_equal(found, text);
}

static void a_file_is_replaced_and_read_whole(void **state)
{
	struct stat st;

	(void)state;
	(void)umask(0);
	assert_int_equal(whole_file_replace(path, "one"), 0);
	expect("one");
	assert_int_equal(whole_file_replace(path, ""), 0);
	expect("");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(new_path, F_OK), -1);
}

/* A new file left by a crash, longer than the next one, and readable for others, is no obstacle. */
static void what_a_crash_left_is_written_over(void **state)
{
	FILE *f;

	(void)state;
	f = fopen(new_path, "w");
	assert_non_null(f);
	assert_true(fputs("a long text of which a half was written", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(whole_file_replace(path, "two"), 0);
	expect("two");
	assert_int_equal(access(new_path, F_OK), -1);
}

static void a_file_at_the_limit_is_read_and_one_beyond_is_not(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(whole_file_replace(path, "0123456789"), 0);
	assert_int_equal(whole_file_read(path, 9, &text), -EFBIG);
	assert_null(text);
	assert_int_equal(whole_file_read(path, 10, &text), 0);
	assert_string_equal(text, "0123456789");
	free(text);
}

static void only_a_regular_file_is_read(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(whole_file_read(path, 100, &text), -ENOENT);
	assert_int_equal(whole_file_read(top, 100, &text), -EFBIG);
	assert_int_equal(whole_file_read("/dev/zero", 100, &text), -EFBIG);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(whole_file_read(path, 100000, &text), -ELOOP);
	assert_null(text);
}

static void a_link_is_replaced_and_not_followed(void **state)
{
	char other[64];

	(void)state;
	(void)snprintf(other, sizeof(other), "%s/other", top);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(whole_file_replace(path, "three"), 0);
	expect("three");
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(symlink(other, new_path), 0);
	assert_int_equal(whole_file_replace(path, "four"), -ELOOP);
	assert_int_equal(access(other, F_OK), -1);
	expect("three");
}

static void the_old_file_stays_where_the_new_one_is_not_durable(void **state)
{
	(void)state;
	assert_int_equal(whole_file_replace(path, "old"), 0);
	no_fsync = true;
	assert_int_equal(whole_file_replace(path, "new"), -EIO);
	assert_int_equal(whole_file_flush_name(path), -EIO);
	expect("old");
	assert_int_equal(access(new_path, F_OK), -1);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	static char longest[PATH_MAX]; /* fits, but not with what is put behind it */

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	assert_int_equal(whole_file_replace(longest, "text"), -ENAMETOOLONG);
}

static void a_name_is_flushed_in_its_directory(void **state)
{
	(void)state;
	assert_int_equal(whole_file_flush_name(path), 0); /* whether it is there or not */
	assert_int_equal(whole_file_flush_name("/file"), 0);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(whole_file_replace("file", "five"), 0);
	expect("five");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(whole_file_flush_name("/nonexistent/file"), -ENOENT);
}

/* --- the state file --- */

static void the_state_file_is_written_at_once_or_at_the_end_of_a_turn(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct saved_state s;
	char directory[64], file[80];

	(void)state;
	(void)snprintf(directory, sizeof(directory), "%s/state", top);
	(void)snprintf(file, sizeof(file), "%s/state.conf", directory);
	assert_int_equal(saved_state_init(&s, directory), 0);
	assert_int_equal(config_load("/nonexistent", file, &c), 0);
	assert_int_equal(config_remember(c, UUID, "/dev/a", NULL, NULL), 0);
	saved_state_flush(&s, c); /* nothing is due */
	assert_int_equal(access(directory, F_OK), -1);
	saved_state_later(&s);
	assert_int_equal(access(directory, F_OK), -1);
	saved_state_flush(&s, c);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(unlink(file), 0);
	saved_state_flush(&s, c); /* no more */
	assert_int_equal(access(file, F_OK), -1);
	saved_state_later(&s);
	saved_state_write(&s, c);
	assert_int_equal(unlink(file), 0);
	saved_state_flush(&s, c); /* it was written meanwhile */
	assert_int_equal(access(file, F_OK), -1);
	saved_state_clear(&s);
}

static void without_a_directory_no_state_file_is_written(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct saved_state s;

	(void)state;
	assert_int_equal(saved_state_init(&s, NULL), 0);
	assert_null(s.path);
	assert_int_equal(config_load("/nonexistent", NULL, &c), 0);
	saved_state_later(&s);
	saved_state_flush(&s, c);
	assert_false(s.due);
	saved_state_clear(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_replaced_and_read_whole),
		TEST(what_a_crash_left_is_written_over),
		TEST(a_file_at_the_limit_is_read_and_one_beyond_is_not),
		TEST(only_a_regular_file_is_read),
		TEST(a_link_is_replaced_and_not_followed),
		TEST(the_old_file_stays_where_the_new_one_is_not_durable),
		TEST(a_path_that_is_too_long_is_refused),
		TEST(a_name_is_flushed_in_its_directory),
		TEST(the_state_file_is_written_at_once_or_at_the_end_of_a_turn),
		TEST(without_a_directory_no_state_file_is_written),
	};

	log_init("test-whole-file", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
