/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static int ask_for_signal(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETSIG, SIGTERM) < 0 || fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int parent_watch(int fd)
{
	struct pollfd p = {.fd = fd};
	int r = ask_for_signal(fd);

	if (r < 0)
		return r;
	/* It may have died before the kernel was asked. */
	if (poll(&p, 1, 0) > 0 && p.revents & POLLHUP)
		(void)raise(SIGTERM);
	return 0;
}
