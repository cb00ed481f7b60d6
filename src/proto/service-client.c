/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a connection to a worker is made. */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "proto/fd-packet.h"
#include "proto/service-bus.h"

int service_connect(int control_fd, sd_bus **ret)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], r;

	assert(control_fd >= 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	r = fd_packet_send(control_fd, theirs);
	if (r < 0)
		return r;
	r = sd_bus_new(&bus);
	if (r < 0)
		return r;
	r = sd_bus_set_description(bus, "worker");
	if (r < 0)
		return r;
	r = sd_bus_set_fd(bus, ours, ours);
	if (r < 0)
		return r;
	ours = -1; /* the bus has it */
	r = sd_bus_negotiate_fds(bus, 1);
	if (r < 0)
		return r;
	r = sd_bus_start(bus);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}
