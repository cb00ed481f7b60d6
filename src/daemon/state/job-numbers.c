/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/job-numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/state/whole-file.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define AHEAD     1000U
#define FILE_SIZE 32U /* bytes, at most */

static int parse(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *text < '0' || *text > '9' || strcmp(end, "\n") != 0 || *ret > INT64_MAX
		       ? -EBADMSG
		       : 0;
}

static int read_reserved(const char *path, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = whole_file_read(path, FILE_SIZE, &text);

	*ret = 0;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : parse(text, ret);
}

int job_numbers_init(struct job_numbers *n, const char *dir)
{
	int r;

	*n = (struct job_numbers){};
	if (!dir)
		return 0;
	if (asprintf(&n->path, "%s/jobs", dir) < 0) {
		n->path = NULL;
		return -ENOMEM;
	}
	r = read_reserved(n->path, &n->last);
	if (r < 0) {
		log_warning_errno(r, "%s: cannot be read; jobs get larger numbers", n->path);
		n->last = wall_clock_usec() / 1000000;
	}
	n->reserved = n->last;
	return 0;
}

void job_numbers_clear(struct job_numbers *n)
{
	free(n->path);
	n->path = NULL;
}

static int write_reserved(const struct job_numbers *n)
{
	_cleanup_free_ char *dir = strndup(n->path, strlen(n->path) - strlen("/jobs"));
	char text[FILE_SIZE];

	if (!dir)
		return -ENOMEM;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	(void)snprintf(text, sizeof(text), "%" PRIu64 "\n", n->reserved);
	return whole_file_replace(n->path, text);
}

uint64_t job_numbers_next(struct job_numbers *n)
{
	int r;

	if (n->last < n->reserved || !n->path)
		return ++n->last;
	n->reserved = n->last + AHEAD;
	r = write_reserved(n);
	if (r < 0)
		log_warning_errno(r, "%s: cannot be written; numbers of jobs may repeat", n->path);
	return ++n->last;
}

void job_numbers_seen(struct job_numbers *n, uint64_t number)
{
	if (number > n->last)
		n->last = number;
}
