/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include "daemon/state/config.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/uuid.h"

static struct {
	int n;
	char **names; /* NULL once the descriptor is taken */
} inherited;

int store_open(void)
{
	int r;

	assert(inherited.n == 0 && !inherited.names);
	r = sd_listen_fds_with_names(1, &inherited.names);
	if (r < 0)
		return log_error_errno(r, "cannot get the inherited descriptors");
	inherited.n = r;
	return 0;
}

void store_close(void)
{
	for (int i = 0; i < inherited.n; i++) {
		if (inherited.names[i])
			(void)close(SD_LISTEN_FDS_START + i);
		free(inherited.names[i]);
	}
	free(inherited.names);
	inherited.names = NULL;
	inherited.n = 0;
}

static int take(int i)
{
	assert(i >= 0 && i < inherited.n && inherited.names[i]);
	free(inherited.names[i]);
	inherited.names[i] = NULL;
	return SD_LISTEN_FDS_START + i;
}

bool store_next(const char *prefix, char uuid[static 37], int *ret_fd)
{
	const size_t n = strlen(prefix);

	for (int i = 0; i < inherited.n; i++)
		if (inherited.names[i] && strncmp(inherited.names[i], prefix, n) == 0 &&
		    uuid_canonical(inherited.names[i] + n, uuid) == 0) {
			*ret_fd = take(i);
			return true;
		}
	return false;
}

int store_take(const char *prefix, const char *uuid)
{
	const size_t n = strlen(prefix);

	for (int i = 0; i < inherited.n; i++)
		if (inherited.names[i] && strncmp(inherited.names[i], prefix, n) == 0 &&
		    strcmp(inherited.names[i] + n, uuid) == 0)
			return take(i);
	return -1;
}

bool store_put(const char *prefix, const char *uuid, int fd)
{
	char text[128];
	int r;

	assert(fd >= 0);
	store_drop(prefix, uuid);
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s%s", prefix, uuid);
	r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	if (r < 0)
		log_warning_errno(r, "%s: cannot be kept by the service manager", uuid);
	return r > 0;
}

void store_drop(const char *prefix, const char *uuid)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s%s", prefix, uuid);
}

void store_notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void store_notify_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_usec());
}

void store_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void store_notify_status(const char *text)
{
	(void)sd_notifyf(0, "STATUS=%s", text);
}
