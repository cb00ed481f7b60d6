/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/io.h"

int whole_file_read(const char *path, size_t max, char **ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max)
		return -EFBIG;
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	r = pread_full(fd, text, (size_t)st.st_size, 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(text);
	return 0;
}

static int write_new(const char *path, const char *text)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = pwrite_full(fd, text, strlen(text), 0);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int whole_file_flush_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory =
		slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	_cleanup_close_ int fd = -1;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int whole_file_replace(const char *path, const char *text)
{
	char new_path[PATH_MAX];
	int r;

	if ((size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path))
		return -ENAMETOOLONG;
	r = write_new(new_path, text);
	if (r == 0 && rename(new_path, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(new_path);
		return r;
	}
	return whole_file_flush_name(path);
}
