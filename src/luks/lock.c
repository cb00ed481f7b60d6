/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A lock file may vanish between our open() and our flock(): the last user takes it away. So after
 * the lock is had, the path must still lead to the file that was locked:
 *
 *   open -> flock -> same inode? -> held -> unlock -> nobody waits? same inode? -> unlink
 *             ^         no: again
 */
#include "luks/lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"

#define LOCK_DIRECTORY "/run/cryptsetup"

/* Microseconds: how long a lock is waited for, and how often it is tried meanwhile. */
#define WAIT_MAX     UINT64_C(10000000)
#define WAIT_FOREVER UINT64_MAX
#define TRY_EACH     5000

struct luks_lock {
	int fd;
	int dir_fd; /* -1: the header file itself, which stays */
	char name[NAME_MAX + 1];
};

static struct luks_lock *lock_new(void)
{
	struct luks_lock *lock = calloc(1, sizeof(*lock));

	if (lock)
		lock->fd = lock->dir_fd = -1;
	return lock;
}

static int open_directory(int *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdir(LOCK_DIRECTORY, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(LOCK_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EPERM : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Whoever may write there can take the lock files away. */
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	*ret = TAKE_FD(fd);
	return 0;
}

static int flock_once(int fd, int operation)
{
	while (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return -EBUSY;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* flock(2) waits for ever or not at all. */
static int flock_within(int fd, int operation, uint64_t usec)
{
	const struct timespec moment = {.tv_nsec = TRY_EACH * 1000L};
	const uint64_t begin = now_usec();
	int r;

	if (usec == WAIT_FOREVER)
		return flock_once(fd, operation);
	while ((r = flock_once(fd, operation | LOCK_NB)) == -EBUSY && now_usec() - begin < usec)
		(void)nanosleep(&moment, NULL);
	return r;
}

/* Does the name in the lock directory lead to the file that we have open? */
static bool is_same_file(const struct luks_lock *lock)
{
	struct stat ours, theirs;

	return fstat(lock->fd, &ours) == 0 &&
	       fstatat(lock->dir_fd, lock->name, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static int acquire(const char *name, int operation, uint64_t usec, struct luks_lock **ret)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = lock_new();
	int r;

	assert(*name && strlen(name) <= NAME_MAX && !strchr(name, '/'));
	if (!lock)
		return -ENOMEM;
	(void)snprintf(lock->name, sizeof(lock->name), "%s", name);
	r = open_directory(&lock->dir_fd);
	if (r < 0)
		return r;

	for (;;) {
		lock->fd =
			openat(lock->dir_fd, name, O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
		if (lock->fd < 0)
			return -errno;
		r = flock_within(lock->fd, operation, usec);
		if (r == 0 && is_same_file(lock))
			break;
		(void)close(lock->fd);
		lock->fd = -1;
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(lock);
	return 0;
}

int luks_lock_reencryption(const char *uuid, struct luks_lock **ret)
{
	char name[NAME_MAX + 1];
	const int n = snprintf(name, sizeof(name), "LN_LUKS2-reencryption-%s", uuid);

	if (!uuid[0] || strchr(uuid, '/') || n < 0 || (size_t)n >= sizeof(name))
		return -EINVAL;
	return acquire(name, LOCK_EX, 0, ret);
}

/* A file is locked itself; through an open file of its own, as flock() belongs to that. */
static int lock_file(int fd, int operation, uint64_t usec, struct luks_lock **ret)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = lock_new();
	int r;

	if (!lock)
		return -ENOMEM;
	lock->fd = file_open(fd, O_RDWR | O_NONBLOCK);
	if (lock->fd == -EACCES || lock->fd == -EROFS || lock->fd == -EPERM)
		lock->fd = file_open(fd, O_RDONLY | O_NONBLOCK);
	if (lock->fd < 0)
		return lock->fd;
	r = flock_within(lock->fd, operation, usec);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(lock);
	return 0;
}

static int lock_metadata(int fd, enum luks_lock_mode mode, uint64_t usec, struct luks_lock **ret)
{
	const int operation = mode == LUKS_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH;
	char name[NAME_MAX + 1];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return lock_file(fd, operation, usec, ret);
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	(void)snprintf(name, sizeof(name), "L_%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return acquire(name, operation, usec, ret);
}

int luks_lock_metadata(int fd, enum luks_lock_mode mode, struct luks_lock **ret)
{
	return lock_metadata(fd, mode, WAIT_MAX, ret);
}

int luks_lock_metadata_patiently(int fd, enum luks_lock_mode mode, struct luks_lock **ret)
{
	return lock_metadata(fd, mode, WAIT_FOREVER, ret);
}

const char *luks_lock_why(int error)
{
	return error == -EBUSY ? "another process has had it for ten seconds; try again when "
				 "that one has ended"
			       : error_text(error);
}

struct luks_lock *luks_lock_free(struct luks_lock *lock)
{
	if (!lock)
		return NULL;
	/* Not by close(): a child may have inherited the descriptor. */
	if (lock->fd >= 0)
		(void)flock(lock->fd, LOCK_UN);
	if (lock->fd >= 0 && lock->dir_fd >= 0) {
		if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0 && is_same_file(lock))
			(void)unlinkat(lock->dir_fd, lock->name, 0);
	}
	if (lock->fd >= 0)
		(void)close(lock->fd);
	if (lock->dir_fd >= 0)
		(void)close(lock->dir_fd);
	free(lock);
	return NULL;
}
