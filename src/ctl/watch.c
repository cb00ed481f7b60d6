/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/watch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct volume_watch *w = userdata;

	(void)m;
	(void)error;
	w->changed = true;
	return 0;
}

void watch_close(struct volume_watch *w)
{
	w->signals = sd_bus_slot_unref(w->signals);
	w->owner = sd_bus_slot_unref(w->owner);
}

static int add_matches(struct volume_watch *w)
{
	sd_bus *bus = w->client->bus;
	int r = sd_bus_add_match(
		bus, &w->signals,
		"type='signal',sender='" BUS_NAME "',path_namespace='" BUS_PATH "'", on_signal, w);

	if (r < 0)
		return r;
	return sd_bus_add_match(bus, &w->owner,
				"type='signal',sender='org.freedesktop.DBus',"
				"member='NameOwnerChanged',arg0='" BUS_NAME "'",
				on_signal, w);
}

int watch_start(struct client *c, struct volume_watch *ret)
{
	int r;

	assert(!ret->signals && !ret->owner);
	*ret = (struct volume_watch){.client = c};
	r = add_matches(ret);
	if (r < 0) {
		watch_close(ret);
		return log_error_errno(r, "changes cannot be listened to");
	}
	return 0;
}

void watch_pause(uint64_t usec)
{
	const struct timespec span = {.tv_sec = (time_t)(usec / 1000000),
				      .tv_nsec = (long)(usec % 1000000 * 1000)};

	(void)nanosleep(&span, NULL);
}

/* Only a write would tell, and the next one may be hours away. */
static int wait_with_reader(struct volume_watch *w, uint64_t usec)
{
	sd_bus *bus = w->client->bus;
	struct pollfd fds[] = {{.fd = sd_bus_get_fd(bus)}, {.fd = fileno(w->out)}};
	uint64_t until = UINT64_MAX, now = now_usec();
	struct timespec span;
	int events = sd_bus_get_events(bus);

	if (fds[0].fd < 0 || events < 0) /* one that reads and writes by two descriptors has none */
		return sd_bus_wait(bus, usec);
	fds[0].events = (short)events;
	(void)sd_bus_get_timeout(bus, &until);
	usec = MIN(usec, until == UINT64_MAX ? until : until > now ? until - now : 0);
	span = (struct timespec){.tv_sec = (time_t)(usec / 1000000),
				 .tv_nsec = (long)(usec % 1000000 * 1000)};
	if (ppoll(fds, ARRAY_SIZE(fds), usec == UINT64_MAX ? NULL : &span, NULL) < 0)
		return -errno;
	return fds[1].revents & (POLLERR | POLLHUP) ? -EPIPE : 1;
}

static int process_or_wait(struct volume_watch *w, uint64_t usec)
{
	int r = sd_bus_process(w->client->bus, NULL);

	if (r != 0)
		return r;
	return w->out ? wait_with_reader(w, usec) : sd_bus_wait(w->client->bus, usec);
}

int watch_wait(struct volume_watch *w, uint64_t usec, const volatile sig_atomic_t *stop)
{
	uint64_t start = now_usec(), spent = 0;
	int r;

	assert(w->signals && w->owner);
	while (!w->changed && spent < usec) {
		if (stop && *stop)
			return -EINTR;
		r = process_or_wait(w, usec - spent);
		if (r == -EPIPE && w->out)
			return r;
		if (r < 0 && r != -EINTR)
			return client_log_lost(w->client, r);
		spent = now_usec() - start;
	}
	w->changed = false;
	return 0;
}
