/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a host remembers of a state token, also where its file is not what we wrote. */
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
#include <unistd.h>

#include "daemon/state/remembered.h"
#include "util/io.h"
#include "util/log.h"

#define UUID  "6a0a6c3e-0e6f-4ea5-9a25-000000000001"
#define OTHER "6a0a6c3e-0e6f-4ea5-9a25-000000000002"

static char top[] = "/tmp/test-remembered-XXXXXX", dir[64], file[128];

static int begin(void **state)
{
	(void)state;
	strcpy(top, "/tmp/test-remembered-XXXXXX");
	assert_non_null(mkdtemp(top));
	(void)snprintf(dir, sizeof(dir), "%s/state", top); /* which is made by the first save */
	(void)snprintf(file, sizeof(file), "%s/volumes/" UUID, dir);
	return 0;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void save(const char *uuid, char *written, char *pending, uint64_t serial)
{
	const struct remembered r = {
		.written = written, .pending = pending, .serial = serial, .sequence = serial * 2};

	assert_int_equal(remembered_save(dir, uuid, &r), 0);
}

/* Of somebody else: @text is all that there is in the file. */
static void forge(const char *text, size_t size)
{
	FILE *f;

	save(UUID, NULL, NULL, 1);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void expect_nothing(const char *where, const char *uuid)
{
	struct remembered r = {.written = file, .pending = file, .serial = 7, .sequence = 7};

	remembered_load(where, uuid, &r);
	assert_null(r.written);
	assert_null(r.pending);
	assert_true(r.serial == 0 && r.sequence == 0);
	remembered_clear(&r);
}

static void what_was_saved_is_there_after_a_restart(void **state)
{
	char text[] = "{\"a\":\"\\u0041 \\\\ \\\" and a\nline \303\274\"}", next[] = "{}";
	struct remembered r;

	(void)state;
	save(UUID, text, next, UINT64_MAX / 2);
	save(OTHER, next, NULL, 3);
	remembered_load(dir, UUID, &r);
	assert_string_equal(r.written, text); /* word for word, or the token is not ours */
	assert_string_equal(r.pending, next);
	assert_true(r.serial == UINT64_MAX / 2 && r.sequence == UINT64_MAX / 2 * 2);
	remembered_clear(&r);
	assert_null(r.written);
}

/* No token, and no token that this host has ever seen, are two things. */
static void no_token_is_not_the_same_as_never_seen(void **state)
{
	char none[] = "";
	struct remembered r;

	(void)state;
	save(UUID, none, NULL, 1);
	remembered_load(dir, UUID, &r);
	assert_string_equal(r.written, "");
	assert_null(r.pending);
	remembered_clear(&r);
	save(UUID, NULL, none, 1);
	remembered_load(dir, UUID, &r);
	assert_null(r.written);
	assert_string_equal(r.pending, "");
	remembered_clear(&r);
}

static void what_is_forgotten_is_gone_and_no_other_volume_with_it(void **state)
{
	char text[] = "{}";
	struct remembered r;

	(void)state;
	save(UUID, text, NULL, 1);
	save(OTHER, text, NULL, 1);
	remembered_forget(dir, UUID);
	remembered_forget(dir, UUID); /* which is no error */
	expect_nothing(dir, UUID);
	remembered_load(dir, OTHER, &r);
	assert_string_equal(r.written, text);
	remembered_clear(&r);
}

static void without_a_directory_nothing_is_kept(void **state)
{
	const struct remembered r = {.serial = 1};

	(void)state;
	assert_int_equal(remembered_save(NULL, UUID, &r), 0);
	expect_nothing(NULL, UUID);
	remembered_forget(NULL, UUID);
	expect_nothing(dir, UUID); /* the directory is not there yet */
}

/* The UUID comes from a header, and becomes a part of a path. */
static void a_uuid_that_is_a_path_leads_nowhere(void **state)
{
	static const char *const hostile[] = {
		"",
		".",
		"..",
		"../../../../../../../../../../tmp/x",
		"6a0a6c3e/0e6f-4ea5-9a25-000000000001",
		"6a0a6c3e-0e6f-4ea5-9a25-00000000000",
		"6a0a6c3e-0e6f-4ea5-9a25-0000000000012",
		"6a0a6c3e-0e6f-4ea5-9a25-00000000000g",
		"6a0a6c3e-0e6f-4ea5-9a25-00000000000\n",
		"../xxx",
		"./././././././././././././././../xxx", /* 36 bytes */
	};
	const struct remembered r = {.serial = 1};
	char inside[160];

	(void)state;
	save(UUID, NULL, NULL, 1);
	(void)snprintf(inside, sizeof(inside), "%s/xxx", dir);
	assert_int_equal(close(creat(inside, 0600)), 0);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		assert_int_equal(remembered_save(dir, hostile[i], &r), -EINVAL);
		expect_nothing(dir, hostile[i]);
		remembered_forget(dir, hostile[i]);
	}
	assert_int_equal(access(inside, F_OK), 0);
	assert_int_equal(access(file, F_OK), 0);
}

static void a_file_that_is_none_of_ours_is_not_used(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "\"text\"", "7", "null", "\xff\xfe"};
	static const char json[] = "{\"serial\":5}";
	static char large[(64 << 10) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		forge(texts[i], strlen(texts[i]));
		expect_nothing(dir, UUID);
	}
	memset(large, ' ', sizeof(large));
	for (size_t i = 0; i < strlen(json); i++) /* right, but for its size */
		large[i] = json[i];
	forge(large, sizeof(large));
	expect_nothing(dir, UUID);
}

static void members_of_another_kind_are_left_out(void **state)
{
	static const char text[] =
		"{\"written\":7,\"pending\":{},\"serial\":\"9\",\"sequence\":[1],\"more\":1}";

	(void)state;
	forge(text, strlen(text));
	expect_nothing(dir, UUID);
}

static void only_the_owner_reads_it_and_no_link_is_followed(void **state)
{
	char other[160], text[] = "{}";
	struct stat st;

	(void)state;
	(void)umask(0);
	save(UUID, text, NULL, 1);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)snprintf(other, sizeof(other), "%s/volumes", dir);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)snprintf(other, sizeof(other), "%s/elsewhere", top);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(symlink(other, file), 0);
	expect_nothing(dir, UUID);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	expect_nothing(dir, UUID);
}

/* The old text stays, and no half of a new one is beside it. */
static void a_failure_leaves_what_there_was(void **state)
{
	const struct remembered r = {.serial = 2};
	char text[] = "{}", blocked[160];
	struct remembered found;

	(void)state;
	save(UUID, text, NULL, 1);
	(void)snprintf(blocked, sizeof(blocked), "%s.new", file);
	assert_int_equal(mkdir(blocked, 0700), 0);
	assert_int_equal(remembered_save(dir, UUID, &r), -EISDIR);
	remembered_load(dir, UUID, &found);
	assert_string_equal(found.written, text);
	assert_int_equal(found.serial, 1);
	remembered_clear(&found);
	assert_int_equal(rmdir(blocked), 0);
	assert_int_equal(remembered_save("/proc/nowhere", UUID, &r), -ENOENT);
}

static void a_directory_whose_name_is_too_long_is_refused(void **state)
{
	const struct remembered r = {.serial = 1};
	static char longest[PATH_MAX];

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	assert_int_equal(remembered_save(longest, UUID, &r), -ENAMETOOLONG);
	expect_nothing(longest, UUID);
	remembered_forget(longest, UUID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_saved_is_there_after_a_restart),
		TEST(no_token_is_not_the_same_as_never_seen),
		TEST(what_is_forgotten_is_gone_and_no_other_volume_with_it),
		TEST(without_a_directory_nothing_is_kept),
		TEST(a_uuid_that_is_a_path_leads_nowhere),
		TEST(a_file_that_is_none_of_ours_is_not_used),
		TEST(members_of_another_kind_are_left_out),
		TEST(only_the_owner_reads_it_and_no_link_is_followed),
		TEST(a_failure_leaves_what_there_was),
		TEST(a_directory_whose_name_is_too_long_is_refused),
	};

	log_init("test-remembered", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
