/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which names are followed, who is seen to control a file, and what makes two files the same. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/file.h"

#define ME     ((uid_t)1000)
#define OTHER  ((uid_t)1001)
#define ROOT   ((uid_t)0)
#define STICKY (S_IFDIR | S_ISVTX | 0777)

static struct stat make_stat(mode_t mode, uid_t owner)
{
	return (struct stat){.st_mode = mode, .st_uid = owner, .st_nlink = 1};
}

static void a_directory_is_safe_where_others_cannot_rename(void **state)
{
	static const struct {
		mode_t mode;
		uid_t owner;
		bool safe;
	} cases[] = {
		{S_IFDIR | 0755, ROOT, true},   {S_IFDIR | 0700, ME, true},
		{S_IFDIR | 0755, OTHER, false}, {S_IFDIR | 0700, OTHER, false},
		{S_IFDIR | 0775, ROOT, false},  {S_IFDIR | 0757, ME, false},
		{STICKY, ROOT, true},           {S_IFDIR | S_ISVTX | 0775, ME, true},
		{STICKY, OTHER, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct stat st = make_stat(cases[i].mode, cases[i].owner);

		if (file_directory_is_safe(&st, ME) != cases[i].safe)
			fail_msg("mode %o, owner %u", cases[i].mode, cases[i].owner);
	}
}

static void an_entry_is_safe_where_others_cannot_replace_it(void **state)
{
	static const struct {
		mode_t directory, entry;
		uid_t owner;
		nlink_t links;
		bool safe;
	} cases[] = {
		/* Only those whose directory it is can put something there. */
		{S_IFDIR | 0755, S_IFREG | 0600, OTHER, 2, true},
		{S_IFDIR | 0755, S_IFBLK | 0660, ROOT, 1, true},
		/* A link can be made anew by nobody else, and yet only trusted users' count. */
		{S_IFDIR | 0755, S_IFLNK | 0777, ROOT, 1, true},
		{S_IFDIR | 0755, S_IFLNK | 0777, OTHER, 1, false},
		/* Others can add to a sticky directory, and replace what is theirs. */
		{STICKY, S_IFREG | 0600, ME, 1, true},
		{STICKY, S_IFREG | 0600, OTHER, 1, false},
		{STICKY, S_IFDIR | 0700, ROOT, 5, true},
		{STICKY, S_IFDIR | 0700, OTHER, 5, false},
		{STICKY, S_IFLNK | 0777, ME, 1, true},
		{STICKY, S_IFLNK | 0777, OTHER, 1, false},
		/* They may have linked a file of root's there. */
		{STICKY, S_IFREG | 0600, ROOT, 2, false},
		/* Anybody's directory. */
		{S_IFDIR | 0777, S_IFREG | 0600, ME, 1, false},
		{S_IFDIR | 0777, S_IFLNK | 0777, ROOT, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct stat directory = make_stat(cases[i].directory, ROOT);
		struct stat entry = make_stat(cases[i].entry, cases[i].owner);

		entry.st_nlink = cases[i].links;
		if (file_entry_is_safe(&directory, &entry, ME) != cases[i].safe)
			fail_msg("case %zu", i);
	}
}

static void a_file_is_private_where_others_cannot_write(void **state)
{
	static const struct {
		mode_t mode;
		uid_t owner;
		bool is_private;
	} cases[] = {
		{S_IFREG | 0644, ROOT, true},   {S_IFREG | 0600, ME, true},
		{S_IFREG | 0600, OTHER, false}, {S_IFREG | 0664, ME, false},
		{S_IFREG | 0602, ME, false},    {S_IFBLK | 0660, ROOT, true},
		{S_IFBLK | 0666, ROOT, false},  {S_IFBLK | 0600, OTHER, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct stat st = make_stat(cases[i].mode, cases[i].owner);

		if (file_is_private(&st, ME) != cases[i].is_private)
			fail_msg("mode %o, owner %u", cases[i].mode, cases[i].owner);
	}
}

/* A directory of our own, and files in it. */
static char top[] = "/tmp/test-file-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(top) ? chdir(top) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") || rmdir(top) ? -1 : 0;
}

static void make_file(const char *name, mode_t mode)
{
	_cleanup_close_ int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void make_directory(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(name, 0700), 0);
	assert_int_equal(chmod(name, mode), 0);
}

/* What @path leads to has the name @expected, and others can change it as @doubtful says. */
static void finds(const char *path, const char *expected, bool doubtful)
{
	_cleanup_(found_file_clear) struct found_file f = FOUND_FILE_NONE;
	struct file_doubt why = {};
	char name[128];

	assert_int_equal(file_find(path, &f, &why), 0);
	(void)snprintf(name, sizeof(name), "%s/%s", top, expected);
	assert_string_equal(f.path, name);
	if ((*f.doubt.text != '\0') != doubtful)
		fail_msg("%s: doubt \"%s\"", path, f.doubt.text);
	assert_true(f.fd >= FILE_FD_MIN);
	assert_int_equal(fcntl(f.fd, F_GETFL) & O_PATH, O_PATH);
}

static int find_error(const char *path, struct file_doubt *why)
{
	struct found_file f = FOUND_FILE_NONE;
	int r = file_find(path, &f, why);

	found_file_clear(&f);
	return r;
}

static void a_name_is_followed_like_the_kernel_does(void **state)
{
	struct file_doubt why = {};
	char absolute[128], too_long[2 * NAME_MAX] = {};

	(void)state;
	make_directory("d", 0700);
	make_file("d/f", 0600);
	(void)snprintf(absolute, sizeof(absolute), "%s/d", top);
	assert_int_equal(symlink(absolute, "absolute"), 0);
	assert_int_equal(symlink("../d/./f", "d/relative"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	(void)snprintf(absolute, sizeof(absolute), "%s/absolute//relative", top);

	finds(absolute, "d/f", false);
	finds("d/../absolute/relative", "d/f", false);
	finds("./d/f", "d/f", false);
	finds("d/", "d", false);
	assert_int_equal(find_error("d/g", &why), -ENOENT);
	assert_int_equal(find_error("", &why), -ENOENT);
	assert_int_equal(find_error("d/f/", &why), -ENOTDIR);
	assert_int_equal(find_error("d/f/g", &why), -ENOTDIR);
	assert_int_equal(find_error("d/f/.", &why), -ENOTDIR);
	assert_int_equal(find_error("d/f/..", &why), -ENOTDIR);
	memset(too_long, 'x', sizeof(too_long) - 1);
	assert_int_equal(find_error(too_long, &why), -ENAMETOOLONG);
	assert_int_equal(find_error("loop", &why), -ELOOP);
	assert_string_equal(why.text, "");

	assert_int_equal(unlink("absolute") | unlink("loop") | unlink("d/relative") |
				 unlink("d/f") | rmdir("d"),
			 0);
}

static void assert_doubt(const char *path, const char *what, const char *about)
{
	_cleanup_(found_file_clear) struct found_file f = FOUND_FILE_NONE;
	struct file_doubt why = {};
	char text[256];

	assert_int_equal(file_find(path, &f, &why), 0);
	(void)snprintf(text, sizeof(text), "other users can %s (%s/%s has mode ", what, top, about);
	if (strncmp(f.doubt.text, text, strlen(text)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", f.doubt.text, text);
}

static void who_else_can_change_a_file_is_told(void **state)
{
	(void)state;
	make_directory("open", 0777);
	make_directory("open/inner", 0700);
	make_directory("open/other", 0777);
	make_directory("sticky", 01777);
	make_file("private", 0600);
	make_file("writable", 0666);
	make_file("open/f", 0600);
	make_file("open/inner/f", 0600);
	make_file("open/other/f", 0600);
	make_file("sticky/f", 0600);
	make_file("sticky/two", 0600);
	assert_int_equal(link("sticky/two", "sticky/names"), 0);

	finds("private", "private", false);
	finds("writable", "writable", true);
	finds("open/f", "open/f", true);
	finds("open/inner/f", "open/inner/f", true);
	finds("sticky/f", "sticky/f", false);
	finds("sticky/two", "sticky/two", true);
	assert_doubt("writable", "write to it", "writable");
	assert_doubt("open/f", "replace it", "open");
	assert_doubt("open/other/f", "replace it", "open");
	assert_doubt("sticky/two", "replace it or write to it under another name", "sticky/two");

	assert_int_equal(unlink("private") | unlink("writable") | unlink("open/f") |
				 unlink("open/inner/f") | unlink("open/other/f") |
				 unlink("sticky/f") | unlink("sticky/two") |
				 unlink("sticky/names") | rmdir("open/inner") |
				 rmdir("open/other") | rmdir("open") | rmdir("sticky"),
			 0);
}

static void a_link_that_others_control_is_not_followed(void **state)
{
	struct file_doubt why = {};

	(void)state;
	make_directory("open", 0777);
	make_file("f", 0600);
	assert_int_equal(symlink("../f", "open/link"), 0);
	assert_int_equal(find_error("open/link", &why), -EACCES);
	assert_non_null(strstr(why.text, "open/link"));
	assert_int_equal(symlink("open", "to-open"), 0);
	assert_int_equal(find_error("to-open/link", &why), -EACCES);

	if (geteuid() == 0) {
		assert_int_equal(symlink("f", "theirs"), 0);
		assert_int_equal(lchown("theirs", OTHER, OTHER), 0);
		assert_int_equal(find_error("theirs", &why), -EACCES);
		assert_int_equal(unlink("theirs"), 0);
	}
	assert_int_equal(unlink("open/link") | unlink("to-open") | unlink("f") | rmdir("open"), 0);
}

static struct file_identity identity_of(const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct file_identity f;

	assert_true(fd >= 0);
	assert_int_equal(file_identify(fd, &f), 0);
	return f;
}

static void a_file_stays_the_same_under_another_name_only(void **state)
{
	struct file_identity a, b;
	char text[FILE_TEXT_SIZE];

	(void)state;
	make_file("a", 0600);
	make_file("b", 0600);
	a = identity_of("a");
	b = identity_of("b");
	assert_true(file_is_same(&a, &a));
	assert_false(file_is_same(&a, &b));
	assert_int_equal(rename("a", "c"), 0);
	b = identity_of("c");
	assert_true(file_is_same(&a, &b));
	assert_non_null(strstr(file_text(&a, text), "inode"));

	/* A file that got the inode number of a removed one was born later. */
	b.since++;
	assert_false(file_is_same(&a, &b));
	b.since = 0;
	assert_true(file_is_same(&a, &b));
	/* The number of a block device is one of another kind than that of a file system. */
	assert_int_equal(b.kind, S_IFREG);
	b.kind = S_IFBLK;
	assert_false(file_is_same(&a, &b));
	assert_int_equal(unlink("b") | unlink("c"), 0);
}

static void what_was_found_is_opened_wherever_its_name_leads(void **state)
{
	_cleanup_(found_file_clear) struct found_file f = FOUND_FILE_NONE;
	_cleanup_close_ int fd = -1;
	struct file_identity opened;
	struct file_doubt why;

	(void)state;
	make_file("f", 0600);
	make_file("victim", 0600);
	assert_int_equal(file_find("f", &f, &why), 0);
	assert_int_equal(unlink("f"), 0);
	assert_int_equal(symlink("victim", "f"), 0);
	fd = file_open(f.fd, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(file_identify(fd, &opened), 0);
	assert_true(file_is_same(&opened, &f.identity));
	assert_int_equal(unlink("f") | unlink("victim"), 0);
}

static void a_copy_leads_to_the_same_file(void **state)
{
	_cleanup_(found_file_clear) struct found_file f = FOUND_FILE_NONE, copy = FOUND_FILE_NONE;
	struct file_doubt why;
	struct stat a, b;

	(void)state;
	make_file("f", 0666);
	assert_int_equal(file_find("f", &f, &why), 0);
	assert_int_equal(found_file_copy(&f, &copy), 0);
	assert_true(copy.fd >= FILE_FD_MIN && copy.fd != f.fd);
	assert_int_equal(fcntl(copy.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(f.fd, &a) | fstat(copy.fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_ptr_not_equal(copy.path, f.path);
	assert_string_equal(copy.path, f.path);
	assert_string_equal(copy.doubt.text, f.doubt.text);
	assert_int_equal(unlink("f"), 0);
}

static void a_descriptor_is_read_from_its_own_names_only(void **state)
{
	static const char *const none[] = {
		"",
		"/proc/self/fd/",
		"/proc/self/fd/x",
		"/proc/self/fd/-1",
		"/proc/self/fd/ 1",
		"/proc/self/fd/2147483648",
		"/proc/self/fd/9223372036854775808",
		"/dev/fd/3",
		"/proc/self/fd/3/x",
		"/proc/self/fd/3x",
	};
	char path[FILE_PATH_SIZE];
	const char *end;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (file_path_fd(none[i], NULL) != -1)
			fail_msg("%s", none[i]);
	assert_int_equal(file_path_fd(file_path(17, path), NULL), 17);
	assert_int_equal(file_path_fd("/proc/self/fd/3: x", &end), 3);
	assert_string_equal(end, ": x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_is_safe_where_others_cannot_rename),
		cmocka_unit_test(an_entry_is_safe_where_others_cannot_replace_it),
		cmocka_unit_test(a_file_is_private_where_others_cannot_write),
		cmocka_unit_test(a_name_is_followed_like_the_kernel_does),
		cmocka_unit_test(who_else_can_change_a_file_is_told),
		cmocka_unit_test(a_link_that_others_control_is_not_followed),
		cmocka_unit_test(a_file_stays_the_same_under_another_name_only),
		cmocka_unit_test(what_was_found_is_opened_wherever_its_name_leads),
		cmocka_unit_test(a_copy_leads_to_the_same_file),
		cmocka_unit_test(a_descriptor_is_read_from_its_own_names_only),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
