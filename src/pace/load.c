/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pace/load.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/io.h"

#define CGROUPS "/sys/fs/cgroup"

int load_parse_stat(const char *text, struct load_figures *ret)
{
	uint64_t reads, read_ms, writes, write_ms, in_flight;

	if (sscanf(text, "%" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64,
		   &reads, &read_ms, &writes, &write_ms, &in_flight) != 5)
		return -EBADMSG;
	ret->requests = reads + writes;
	ret->waited_usec = (read_ms + write_ms) * 1000;
	ret->in_flight = in_flight;
	return 0;
}

int load_parse_pressure(const char *text, uint64_t *ret_usec)
{
	const char *total = strstr(text, "total=");

	if (strncmp(text, "some ", 5) != 0 || !total ||
	    sscanf(total, "total=%" SCNu64, ret_usec) != 1)
		return -EBADMSG;
	return 0;
}

/* The name of our own group at the top of the tree; "" where we are in the root, or there is none.
 */
static int own_group(char *ret, size_t size)
{
	char text[PATH_MAX];
	const char *line;
	int r;
	_cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = read_kernel_text(fd, text, sizeof(text));
	if (r < 0)
		return r;
	line = strstr(text, "0::/"); /* version 2 */
	if (!line)
		return -ENOENT;
	line += strlen("0::/");
	(void)snprintf(ret, size, "%.*s", (int)strcspn(line, "/\n"), line);
	return 0;
}

static void open_pressures(struct load *l)
{
	char own[NAME_MAX + 1], path[sizeof(CGROUPS) + NAME_MAX + sizeof("/io.pressure") + 1];
	struct dirent *entry;
	DIR *groups;

	if (own_group(own, sizeof(own)) < 0 || !*own)
		return;
	groups = opendir(CGROUPS);
	if (!groups)
		return;
	while (l->n_pressures < LOAD_PRESSURES_MAX && (entry = readdir(groups))) {
		int fd;

		if (*entry->d_name == '.' || strcmp(entry->d_name, own) == 0)
			continue;
		(void)snprintf(path, sizeof(path), CGROUPS "/%s/io.pressure", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			l->pressure_fd[l->n_pressures++] = fd;
	}
	(void)closedir(groups);
}

int load_open(dev_t device, struct load *ret)
{
	struct load l = LOAD_NONE;
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(device),
		       minor(device));
	l.stat_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (l.stat_fd < 0)
		return -errno;
	open_pressures(&l);
	*ret = l;
	return 0;
}

void load_close(struct load *l)
{
	cleanup_close(&l->stat_fd);
	while (l->n_pressures > 0)
		(void)close(l->pressure_fd[--l->n_pressures]);
	l->stat_fd = -1;
}

int load_read(const struct load *l, struct load_figures *ret)
{
	struct load_figures f = {};
	char text[512];
	int r;

	assert(l->stat_fd >= 0);
	r = read_kernel_text(l->stat_fd, text, sizeof(text));
	if (r < 0)
		return r;
	r = load_parse_stat(text, &f);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < l->n_pressures; i++) {
		uint64_t usec;

		/* A group may have gone away: its file fails from then on. */
		if (read_kernel_text(l->pressure_fd[i], text, sizeof(text)) == 0 &&
		    load_parse_pressure(text, &usec) == 0)
			f.pressure_usec += usec;
	}
	*ret = f;
	return 0;
}
