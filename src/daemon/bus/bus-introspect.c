/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the daemon would answer to Introspect(), without a bus: it asks itself, over a socket pair,
 * about objects behind which there is nothing.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus.h"

/* Makes one end of the connection. On success the end owns *@fd. */
static int new_end(int *fd, sd_bus **ret)
{
	int r = sd_bus_new(ret);

	if (r < 0)
		return r;
	r = sd_bus_set_fd(*ret, *fd, *fd);
	if (r < 0)
		return r;
	(void)TAKE_FD(*fd);
	return 0;
}

/* The two ends of a connection to ourselves. */
static int connect_pair(sd_bus **ret_server, sd_bus **ret_client)
{
	_cleanup_close_ int server_fd = -1, client_fd = -1;
	_cleanup_(sd_bus_close_unrefp) sd_bus *server = NULL, *client = NULL;
	sd_id128_t id;
	int fds[2], r;

	r = sd_id128_randomize(&id);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	server_fd = fds[0];
	client_fd = fds[1];
	r = new_end(&server_fd, &server);
	if (r < 0)
		return r;
	r = new_end(&client_fd, &client);
	if (r < 0)
		return r;
	r = sd_bus_set_server(server, 1, id);
	if (r < 0)
		return r;
	r = sd_bus_start(server);
	if (r < 0)
		return r;
	r = sd_bus_start(client);
	if (r < 0)
		return r;
	*ret_server = TAKE_PTR(server);
	*ret_client = TAKE_PTR(client);
	return 0;
}

struct introspection {
	FILE *out;
	bool done;
	int result;
};

static int on_introspected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct introspection *i = userdata;
	const char *xml;

	(void)error;
	i->done = true;
	if (sd_bus_message_is_method_error(m, NULL))
		i->result = -ENOENT;
	else if (sd_bus_message_read(m, "s", &xml) < 0)
		i->result = -EBADMSG;
	else if (fputs(xml, i->out) == EOF || fflush(i->out) == EOF)
		i->result = -EIO;
	return 0;
}

int bus_introspect(const char *path, FILE *out)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *server = NULL, *client = NULL;
	struct introspection i = {.out = out};
	struct bus nothing = {};
	int r;

	r = connect_pair(&server, &client);
	if (r < 0)
		return r;
	r = bus_add_objects(&nothing, server);
	if (r < 0)
		return r;
	r = sd_bus_call_method_async(client, NULL, NULL, path,
				     "org.freedesktop.DBus.Introspectable", "Introspect",
				     on_introspected, &i, NULL);
	if (r < 0)
		return r;
	while (!i.done) {
		r = sd_bus_process(server, NULL);
		if (r < 0)
			return r;
		r = sd_bus_process(client, NULL);
		if (r < 0)
			return r;
	}
	return i.result;
}
