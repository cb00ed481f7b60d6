/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order in which the state file becomes durable, seen by the calls that make it so. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/state/config.h"
#include "util/cleanup.h"
#include "util/log.h"

static char calls[64]; /* a letter for each */

static void note(const char *letter)
{
	assert_true(strlen(calls) + 1 < sizeof(calls));
	strcat(calls, letter);
}

/* These two take the place of the C library's in this program. */
int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	note(S_ISDIR(st.st_mode) ? "d" : st.st_size > 0 ? "f" : "0");
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *old, const char *new)
{
	note("r");
	return (int)syscall(SYS_rename, old, new);
}

static void each_step_is_durable_before_the_next(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char dir[] = "/tmp/test-state-file-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	assert_int_equal(config_load("/nonexistent", path, &c), 0);
	assert_int_equal(
		config_remember(c, "11111111-2222-3333-4444-555555555555", "/dev/a", NULL, NULL),
		0);
	assert_int_equal(config_write_state(c, path), 0);
	assert_string_equal(calls, "frd");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_durable_before_the_next),
	};

	log_init("test-state-file", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
