/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes the state file: to a file beside it, which then takes its name.
 *
 *     write NEW -> fsync NEW -> rename NEW -> fsync the directory
 *
 * After a power cut at any of these the old file is there, or the new one, whole.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/state/config.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/path-text.h"

static int print_path(FILE *f, const char *key, const char *path)
{
	_cleanup_free_ char *text = path_to_text(path);

	if (!text)
		return -ENOMEM;
	fprintf(f, "%s=%s\n", key, text);
	return 0;
}

static int print_volume(FILE *f, const struct volume_config *v)
{
	int r;

	assert(*v->uuid);
	fprintf(f, "\n[Volume %s]\n", v->uuid);
	if (v->device_id)
		fprintf(f, "DeviceId=%s\n", v->device_id);
	if (!v->remembered)
		return 0;
	r = v->device ? print_path(f, "Device", v->device) : 0;
	if (r < 0)
		return r;
	r = v->header_device ? print_path(f, "HeaderDevice", v->header_device) : 0;
	if (r < 0)
		return r;
	if (v->name)
		fprintf(f, "Name=%s\n", v->name);
	return 0;
}

static int print_state(FILE *f, const struct config *c)
{
	fputs("# Written by recryptd: what was asked for over the bus, and where volumes were "
	      "seen.\n",
	      f);
	if (c->has_kept_rate)
		fprintf(f, "[Manager]\nRateLimit=%llu\n", (unsigned long long)c->kept_rate_limit);
	for (size_t i = 0; i < c->n_volumes; i++) {
		int r;

		if (!c->volumes[i].remembered && !c->volumes[i].device_id)
			continue;
		r = print_volume(f, &c->volumes[i]);
		if (r < 0)
			return r;
	}
	return fflush(f) != 0 || fsync(fileno(f)) < 0 ? -errno : 0;
}

/* Writes and closes @f, which is the file @path, and renames it to @state_path. */
static int finish_file(FILE *f, const struct config *c, const char *path, const char *state_path)
{
	const int r = print_state(f, c);
	const int closed = fclose(f) == 0 ? 0 : -errno;

	if (r < 0 || closed < 0)
		return r < 0 ? r : closed;
	return rename(path, state_path) < 0 ? -errno : 0;
}

/* Makes the new name durable. @path: of a file in the directory. */
static int flush_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = NULL;
	_cleanup_close_ int fd = -1;

	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, (size_t)(slash - path) + 1);
	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int config_write_state(const struct config *c, const char *state_path)
{
	char path[PATH_MAX];
	FILE *f;
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s.new", state_path) >= sizeof(path))
		return log_error_errno(-ENAMETOOLONG, "%s: cannot be written", state_path);
	f = fopen(path, "we");
	if (!f)
		return log_error_errno(-errno, "%s: cannot be written", path);
	r = finish_file(f, c, path, state_path);
	if (r < 0) {
		(void)unlink(path);
		return log_error_errno(r, "%s: cannot be written", state_path);
	}
	r = flush_directory(state_path);
	return r < 0 ? log_error_errno(r, "%s: cannot flush its directory", state_path) : 0;
}
