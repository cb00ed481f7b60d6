/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/stuck.h"

#include <assert.h>
#include <sys/epoll.h>

#include "util/cleanup.h"

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct stuck *s = userdata;

	(void)fd;
	(void)events;
	assert(s->n > 0);
	s->n--;
	(void)sd_event_source_set_floating(source, 0); /* the loop's reference was the last */
	return 0;
}

void stuck_add(struct stuck *s, sd_event *event, int pidfd)
{
	_cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;
	_cleanup_close_ int fd = pidfd;

	assert(pidfd >= 0);
	if (sd_event_add_io(event, &source, fd, EPOLLIN, on_ended, s) < 0 ||
	    sd_event_source_set_io_fd_own(source, 1) < 0)
		return;
	(void)TAKE_FD(fd);
	if (sd_event_source_set_floating(source, 1) >= 0)
		s->n++;
}
