/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One timer for all that the clock on the wall decides: windows and deadlines of volumes in
 * rotation. It fires at the next of them, and when the clock is set; and a change of the time zone
 * is heard of, too. Where there is nothing to wait for there is no timer.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "util/log.h"

#define SECOND UINT64_C(1000000)
/* The directory is watched, and not the file, which may come, go, or be replaced. */
#define ZONE_DIRECTORY "/etc"
#define ZONE_FILE      "localtime"
#define ZONE_CHANGES                                                                               \
	(IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

static void look_again(struct manager *m)
{
	m->core->clock.due = 0;
	tzset();
	for (struct volume *v = m->volumes; v; v = v->next)
		volume_forget_clock(v);
}

/* It has fired, or (ECANCELED) the clock was set. */
static int on_clock(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	uint64_t count;

	(void)s;
	(void)revents;
	if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return 0;
	look_again(userdata);
	return 0;
}

static int on_zone(sd_event_source *s, const struct inotify_event *e, void *userdata)
{
	(void)s;
	if (e->mask & IN_Q_OVERFLOW || (e->len > 0 && strcmp(e->name, ZONE_FILE) == 0))
		look_again(userdata);
	return 0;
}

static void watch_zone(struct manager *m)
{
	if (sd_event_add_inotify(m->event, &m->core->clock.zone, ZONE_DIRECTORY, ZONE_CHANGES,
				 on_zone, m) < 0)
		log_debug(ZONE_DIRECTORY "/" ZONE_FILE ": its changes cannot be seen");
}

static int make_timer(struct manager *m)
{
	struct manager_clock *c = &m->core->clock;
	int r;

	assert(c->fd < 0 && !c->timer && !c->zone);
	c->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->fd < 0)
		return -errno;
	r = sd_event_add_io(m->event, &c->timer, c->fd, EPOLLIN, on_clock, m);
	if (r < 0) {
		c->fd = (close(c->fd), -1);
		return r;
	}
	watch_zone(m);
	return 0;
}

/* @when 0: off. */
static int set_timer(struct manager *m, uint64_t when)
{
	const struct itimerspec spec = {.it_value = {.tv_sec = (time_t)(when / SECOND),
						     .tv_nsec = (long)(when % SECOND * 1000)}};
	int r = m->core->clock.fd < 0 ? make_timer(m) : 0;

	if (r < 0)
		return r;
	return timerfd_settime(m->core->clock.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			       &spec, NULL) < 0
		       ? -errno
		       : 0;
}

void manager_init_clock(struct manager *m)
{
	m->core->clock = (struct manager_clock){.fd = -1};
}

void manager_set_clock(struct manager *m)
{
	uint64_t next = CALENDAR_NEVER;
	int r;

	for (const struct volume *v = m->volumes; v; v = v->next) {
		const uint64_t look = volume_next_look(v);

		if (look < next)
			next = look;
	}
	next = next == CALENDAR_NEVER ? 0 : next;
	if (next == m->core->clock.due)
		return;
	r = set_timer(m, next);
	if (r < 0)
		(void)log_error_errno(r, "windows of time cannot be waited for");
	m->core->clock.due = next;
}

void manager_free_clock(struct manager *m)
{
	struct manager_clock *c = &m->core->clock;

	c->zone = sd_event_source_disable_unref(c->zone);
	c->timer = sd_event_source_disable_unref(c->timer);
	if (c->fd >= 0)
		c->fd = (close(c->fd), -1);
}
