/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The locks, between processes of ours. Needs root: the lock directory is root's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/lock.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define WAIT_MSEC 10000

/* No volume has this one, as it is made for this process. */
static char uuid[40], lock_path[128];

static void reencryption_lock_is_exclusive_and_leaves_nothing(void **state)
{
	struct luks_lock *lock, *second;

	(void)state;
	assert_int_equal(luks_lock_reencryption(uuid, &lock), 0);
	assert_int_equal(access(lock_path, F_OK), 0);
	assert_int_equal(luks_lock_reencryption(uuid, &second), -EBUSY);
	assert_int_equal(access(lock_path, F_OK), 0);
	luks_lock_free(lock);
	assert_int_equal(access(lock_path, F_OK), -1);
	assert_int_equal(luks_lock_reencryption(uuid, &lock), 0);
	luks_lock_free(lock);
}

static void leftover_lock_file_does_no_harm(void **state)
{
	struct luks_lock *lock;
	const int fd = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(luks_lock_reencryption(uuid, &lock), 0);
	luks_lock_free(lock);
	assert_int_equal(access(lock_path, F_OK), -1);
}

static void uuid_that_is_a_path_is_refused(void **state)
{
	struct luks_lock *lock;

	(void)state;
	assert_int_equal(luks_lock_reencryption("", &lock), -EINVAL);
	assert_int_equal(luks_lock_reencryption("../x", &lock), -EINVAL);
}

/* Takes the lock @rounds times; exits with 1 where it is not alone with it. */
static void __attribute__((noreturn)) contend(const char *mark, int rounds)
{
	while (rounds > 0) {
		struct luks_lock *lock;
		const int r = luks_lock_reencryption(uuid, &lock);
		int fd;

		if (r == -EBUSY)
			continue;
		if (r < 0)
			_exit(2);
		fd = open(mark, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0)
			_exit(1);
		(void)close(fd);
		(void)unlink(mark);
		luks_lock_free(lock);
		rounds--;
	}
	_exit(0);
}

/* Each release takes the file away, while others have it open: they must not keep a dead one. */
static void lock_is_held_by_one_however_many_want_it(void **state)
{
	char dir[] = "/tmp/test-lock-XXXXXX", mark[64];
	pid_t pids[4];
	int status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(mark, sizeof(mark), "%s/mark", dir);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			contend(mark, 500);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(access(lock_path, F_OK), -1);
	(void)unlink(mark);
	assert_int_equal(rmdir(dir), 0);
}

/* A child that takes the metadata lock of @path in @mode and says so. */
static pid_t take_in_child(const char *path, enum luks_lock_mode mode, int *ret_pipe)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct luks_lock *lock;

		/* A test that fails forgets us. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd < 0 || luks_lock_metadata(fd, mode, &lock) < 0 || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(fds[1]);
	*ret_pipe = fds[0];
	return pid;
}

static bool has_it(int pipe_fd, int msec)
{
	struct pollfd p = {.fd = pipe_fd, .events = POLLIN};

	return poll(&p, 1, msec) == 1 && (p.revents & POLLIN);
}

static void reap(pid_t pid, int pipe_fd)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(pipe_fd);
}

static void metadata_lock_of_a_file_is_shared_or_exclusive(void **state)
{
	char path[] = "/tmp/test-lock-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct luks_lock *lock;
	int said;
	pid_t child;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(luks_lock_metadata(fd, LUKS_LOCK_SHARED, &lock), 0);
	child = take_in_child(path, LUKS_LOCK_SHARED, &said);
	assert_true(has_it(said, WAIT_MSEC));
	reap(child, said);

	/* Exclusive waits for us; 100 ms prove little, but a lock that is no lock fails here. */
	child = take_in_child(path, LUKS_LOCK_EXCLUSIVE, &said);
	assert_false(has_it(said, 100));
	luks_lock_free(lock);
	assert_true(has_it(said, WAIT_MSEC));
	reap(child, said);

	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

/* Who has it may be stopped. Whoever wants it says so then, and does not hang. */
static void metadata_lock_is_not_waited_for_for_ever(void **state)
{
	char path[] = "/tmp/test-lock-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct luks_lock *lock;
	int said;
	pid_t child;

	(void)state;
	assert_true(fd >= 0);
	child = take_in_child(path, LUKS_LOCK_EXCLUSIVE, &said);
	assert_true(has_it(said, WAIT_MSEC));
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_int_equal(luks_lock_metadata(fd, LUKS_LOCK_SHARED, &lock), -EBUSY);
	assert_non_null(strstr(luks_lock_why(-EBUSY), "another process"));
	reap(child, said);
	assert_int_equal(luks_lock_metadata(fd, LUKS_LOCK_SHARED, &lock), 0);
	luks_lock_free(lock);
	assert_int_equal(unlink(path), 0);
}

static void the_open_file_is_locked_whatever_its_name_leads_to(void **state)
{
	char path[] = "/tmp/test-lock-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path), other = -1;
	struct luks_lock *lock;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	other = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(luks_lock_metadata(fd, LUKS_LOCK_EXCLUSIVE, &lock), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	luks_lock_free(lock);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reencryption_lock_is_exclusive_and_leaves_nothing),
		cmocka_unit_test(leftover_lock_file_does_no_harm),
		cmocka_unit_test(uuid_that_is_a_path_is_refused),
		cmocka_unit_test(lock_is_held_by_one_however_many_want_it),
		cmocka_unit_test(metadata_lock_of_a_file_is_shared_or_exclusive),
		cmocka_unit_test(metadata_lock_is_not_waited_for_for_ever),
		cmocka_unit_test(the_open_file_is_locked_whatever_its_name_leads_to),
	};

	if (geteuid() != 0) {
		(void)fputs("needs root\n", stderr);
		return 77;
	}
	(void)snprintf(uuid, sizeof(uuid), "test-%d", (int)getpid());
	(void)snprintf(lock_path, sizeof(lock_path), "/run/cryptsetup/LN_LUKS2-reencryption-%s",
		       uuid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
