/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

#define OTHERS_WRITE ((mode_t)(S_IWGRP | S_IWOTH))

static bool is_trusted(uid_t owner, uid_t user)
{
	return owner == 0 || owner == user;
}

bool file_directory_is_safe(const struct stat *directory, uid_t user)
{
	return is_trusted(directory->st_uid, user) &&
	       (!(directory->st_mode & OTHERS_WRITE) || directory->st_mode & S_ISVTX);
}

bool file_entry_is_safe(const struct stat *directory, const struct stat *entry, uid_t user)
{
	if (!file_directory_is_safe(directory, user))
		return false;
	if (S_ISLNK(entry->st_mode))
		return is_trusted(entry->st_uid, user);
	if (!(directory->st_mode & OTHERS_WRITE))
		return true;
	return is_trusted(entry->st_uid, user) && (S_ISDIR(entry->st_mode) || entry->st_nlink == 1);
}

bool file_is_private(const struct stat *file, uid_t user)
{
	return is_trusted(file->st_uid, user) &&
	       !(file->st_mode & (S_ISBLK(file->st_mode) ? (mode_t)S_IWOTH : OTHERS_WRITE));
}

/* The number that no other disk had or will have under this device number, up to a reboot. */
static uint64_t disk_sequence(dev_t device)
{
	/* The directory of a partition lies in that of its disk. */
	static const char *const parents[] = {"", "../"};

	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		char path[64], text[32];
		_cleanup_close_ int fd = -1;

		(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%sdiskseq", major(device),
			       minor(device), parents[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read_kernel_text(fd, text, sizeof(text)) >= 0)
			return strtoull(text, NULL, 10);
	}
	return 0;
}

static uint64_t time_of_birth(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) < 0 || !(x.stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)x.stx_btime.tv_sec * UINT64_C(1000000000) + x.stx_btime.tv_nsec;
}

int file_identify(int fd, struct file_identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct file_identity){
		.kind = st.st_mode & S_IFMT,
		.node = node_of(&st),
		.since = S_ISBLK(st.st_mode) ? disk_sequence(st.st_rdev) : time_of_birth(fd),
	};
	return 0;
}

bool file_is_same(const struct file_identity *a, const struct file_identity *b)
{
	return a->kind == b->kind && node_equal(a->node, b->node) &&
	       (a->since == b->since || !a->since || !b->since);
}

const char *file_text(const struct file_identity *f, char text[static FILE_TEXT_SIZE])
{
	char node[NODE_TEXT_SIZE];

	(void)node_text(f->node, node);
	if (f->kind == S_IFBLK && f->since)
		(void)snprintf(text, FILE_TEXT_SIZE, "%s, disk number %" PRIu64, node, f->since);
	else
		(void)snprintf(text, FILE_TEXT_SIZE, "%s", node);
	return text;
}

const char *file_path(int fd, char path[static FILE_PATH_SIZE])
{
	(void)snprintf(path, FILE_PATH_SIZE, FILE_PATH_PREFIX "%d", fd);
	return path;
}

int file_path_fd(const char *path, const char **ret_end)
{
	const size_t n = strlen(FILE_PATH_PREFIX);
	char *end;
	long fd;

	if (strncmp(path, FILE_PATH_PREFIX, n) != 0 || path[n] < '0' || path[n] > '9')
		return -1;
	fd = strtol(path + n, &end, 10);
	if (fd > INT_MAX || (!ret_end && *end))
		return -1;
	if (ret_end)
		*ret_end = end;
	return (int)fd;
}

int file_name(int fd, char name[static PATH_MAX])
{
	char path[FILE_PATH_SIZE];
	const ssize_t n = readlink(file_path(fd, path), name, PATH_MAX - 1);

	if (n < 0)
		return -errno;
	name[n] = '\0';
	return 0;
}

int file_open(int fd, int flags)
{
	char path[FILE_PATH_SIZE];
	const int opened = open(file_path(fd, path), flags | O_CLOEXEC);

	return opened < 0 ? -errno : opened;
}

void found_file_clear(struct found_file *f)
{
	cleanup_close(&f->fd);
	free(f->path);
	*f = (struct found_file)FOUND_FILE_NONE;
}

int found_file_copy(const struct found_file *f, struct found_file *ret)
{
	_cleanup_free_ char *path = strdup(f->path);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = fcntl(f->fd, F_DUPFD_CLOEXEC, FILE_FD_MIN);
	if (fd < 0)
		return -errno;
	*ret = *f;
	ret->fd = fd;
	ret->path = TAKE_PTR(path);
	return 0;
}
