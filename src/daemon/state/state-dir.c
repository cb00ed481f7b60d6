/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/state-dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/state/whole-file.h"
#include "util/cleanup.h"
#include "util/log.h"

/* NULL: out of memory. */
static char *path_of(const struct state_dir_file *file, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", file->dir, file->name, suffix) < 0 ? NULL : path;
}

char *state_dir_read(const struct state_dir_file *file)
{
	_cleanup_free_ char *path = file->dir ? path_of(file, "") : NULL;
	char *text = NULL;
	int r;

	if (!file->dir)
		return NULL;
	r = path ? whole_file_read(path, file->max, &text) : -ENOMEM;
	if (r < 0 && r != -ENOENT)
		log_warning_errno(r, "%s/%s: cannot be read; %s", file->dir, file->name,
				  file->what);
	return r < 0 ? NULL : text;
}

static int write_text(const struct state_dir_file *file, const char *text)
{
	_cleanup_free_ char *path = path_of(file, "");

	if (!path)
		return -ENOMEM;
	if (strlen(text) > file->max)
		return -EFBIG;
	if (mkdir(file->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return whole_file_replace(path, text);
}

void state_dir_write(const struct state_dir_file *file, const char *text)
{
	int r = file->dir ? write_text(file, text) : 0;

	if (r < 0)
		log_warning_errno(r, "%s/%s: cannot be written; %s", file->dir, file->name,
				  file->what);
}

void state_dir_put_aside(const struct state_dir_file *file)
{
	_cleanup_free_ char *path = path_of(file, ""), *aside = path_of(file, ".bad");

	if (path && aside && rename(path, aside) == 0)
		log_warning("%s: cannot be understood, and is %s.bad from now on; %s", path, path,
			    file->what);
}
