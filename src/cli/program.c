/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/io.h"
#include "util/log.h"

static void cut_last_part(char *path)
{
	char *end = strrchr(path, '/');

	if (end)
		*end = '\0';
}

int program_find_worker(char *path, size_t size)
{
	char self[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		const char *folder;

		self[n] = '\0';
		cut_last_part(self);
		cut_last_part(self);
		folder = strrchr(self, '/');
		if (folder && strcmp(folder, "/src") == 0 &&
		    (size_t)snprintf(path, size, "%s/worker/recrypt-worker", self) < size &&
		    access(path, X_OK) == 0)
			return 0;
	}
	return (size_t)snprintf(path, size, "%s/recrypt-worker", PKGLIBEXECDIR) < size
		       ? 0
		       : -ENAMETOOLONG;
}

int program_log_level(const struct options *o)
{
	return o->output.debug ? LOG_DEBUG : o->output.verbose ? LOG_INFO : LOG_NOTICE;
}

int program_start(int argc, char **argv, struct options *ret)
{
	int r = open_standard_streams();

	if (r < 0)
		return r;
	/* The worker is a part of recryptctl to whoever reads the messages. */
	log_init("recryptctl", LOG_NOTICE);
	r = options_parse(argc, argv, ret);
	if (r < 0)
		return r;
	log_init("recryptctl", program_log_level(ret));
	return 0;
}
