/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Realtime at which each order of events begins, and how long the host has been up then. */
#define START_REALTIME  UINT64_C(1800000000000000)
#define START_MONOTONIC UINT64_C(100000000)

enum source_kind { SOURCE_DEFER, SOURCE_TIME, SOURCE_IO, SOURCE_SILENT };

struct sd_event_source {
	enum source_kind kind;
	struct sd_event_source *next;
	sd_event *event;
	unsigned refs;
	int enabled;
	bool floating, owns_fd;
	uint64_t when; /* monotonic */
	int fd;
	sd_event_handler_t on_turn;
	sd_event_time_handler_t on_time;
	sd_event_io_handler_t on_io;
	void *userdata;
};

struct sd_event {
	unsigned refs;
	sd_event_source *sources;
};

static uint64_t elapsed; /* since the start */

/* The timer of the clock on the wall; the manager has one at most. */
static struct {
	int fd;        /* -1: none */
	uint64_t when; /* realtime; 0: off */
} wall = {.fd = -1};

void loop_reset(void)
{
	elapsed = 0;
	wall.fd = -1;
	wall.when = 0;
}

/* Their own headers name the parameters otherwise. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* --- in place of libc --- */

int clock_gettime(clockid_t id, struct timespec *t)
{
	uint64_t now = elapsed;

	if (id == CLOCK_REALTIME)
		now += START_REALTIME;
	else if (id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME)
		now += START_MONOTONIC;
	else
		return (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec = (time_t)(now / 1000000);
	t->tv_nsec = (long)(now % 1000000 * 1000);
	return 0;
}

int timerfd_create(int clock, int flags)
{
	assert(clock == CLOCK_REALTIME);
	(void)flags;
	wall.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	wall.when = 0;
	return wall.fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	assert(fd == wall.fd && !old);
	(void)flags;
	wall.when =
		(uint64_t) new->it_value.tv_sec * 1000000 + (uint64_t) new->it_value.tv_nsec / 1000;
	return 0;
}

/* --- in place of sd-event --- */

sd_event *loop_new(void)
{
	sd_event *e = calloc(1, sizeof(*e));

	assert(e);
	e->refs = 1;
	return e;
}

sd_event *sd_event_ref(sd_event *event)
{
	event->refs++;
	return event;
}

sd_event *sd_event_unref(sd_event *event)
{
	event->refs--;
	return NULL;
}

static void source_free(sd_event_source *s)
{
	for (sd_event_source **p = &s->event->sources; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	if (s->owns_fd)
		(void)close(s->fd);
	free(s);
}

void loop_free(sd_event *event)
{
	while (event->sources) {
		assert(event->sources->floating);
		source_free(event->sources);
	}
	assert(event->refs == 1);
	free(event);
	wall.fd = -1;
	wall.when = 0;
}

static int add(sd_event *event, sd_event_source **ret, const sd_event_source *like)
{
	sd_event_source *s = malloc(sizeof(*s)), **end = &event->sources;

	assert(s && ret);
	*s = *like;
	s->event = event;
	s->refs = 1;
	while (*end)
		end = &(*end)->next;
	*end = s;
	*ret = s;
	return 0;
}

int sd_event_add_defer(sd_event *event, sd_event_source **ret, sd_event_handler_t callback,
		       void *userdata)
{
	return add(event, ret,
		   &(sd_event_source){.kind = SOURCE_DEFER,
				      .enabled = SD_EVENT_ONESHOT,
				      .on_turn = callback,
				      .userdata = userdata});
}

int sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock,
			       uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback,
			       void *userdata)
{
	assert(clock == CLOCK_MONOTONIC);
	(void)accuracy;
	return add(event, ret,
		   &(sd_event_source){.kind = SOURCE_TIME,
				      .enabled = SD_EVENT_ONESHOT,
				      .when = START_MONOTONIC + elapsed + usec,
				      .on_time = callback,
				      .userdata = userdata});
}

int sd_event_add_io(sd_event *event, sd_event_source **ret, int fd, uint32_t events,
		    sd_event_io_handler_t callback, void *userdata)
{
	(void)events;
	return add(event, ret,
		   &(sd_event_source){.kind = SOURCE_IO,
				      .enabled = SD_EVENT_ON,
				      .fd = fd,
				      .on_io = callback,
				      .userdata = userdata});
}

/* The time zone stays as it is. */
int sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path, uint32_t mask,
			 sd_event_inotify_handler_t callback, void *userdata)
{
	(void)path;
	(void)mask;
	(void)callback;
	(void)userdata;
	return add(event, ret, &(sd_event_source){.kind = SOURCE_SILENT});
}

int sd_event_source_set_enabled(sd_event_source *s, int enabled)
{
	s->enabled = enabled;
	return 0;
}

int sd_event_source_set_time(sd_event_source *s, uint64_t usec)
{
	s->when = usec;
	return 0;
}

int sd_event_source_set_io_fd_own(sd_event_source *s, int own)
{
	s->owns_fd = own;
	return 0;
}

int sd_event_source_set_floating(sd_event_source *s, int floating)
{
	s->floating = floating;
	if (!floating && s->refs == 0)
		source_free(s);
	return 0;
}

sd_event_source *sd_event_source_unref(sd_event_source *s)
{
	if (s && --s->refs == 0 && !s->floating)
		source_free(s);
	return NULL;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *s)
{
	if (s)
		s->enabled = SD_EVENT_OFF;
	return sd_event_source_unref(s);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* --- what is next --- */

static void begin_dispatch(sd_event_source *s)
{
	s->refs++;
	if (s->enabled == SD_EVENT_ONESHOT)
		s->enabled = SD_EVENT_OFF;
}

static sd_event_source *find_turn(const sd_event *event)
{
	for (sd_event_source *s = event->sources; s; s = s->next)
		if (s->kind == SOURCE_DEFER && s->enabled != SD_EVENT_OFF)
			return s;
	return NULL;
}

bool loop_turn_is_due(const sd_event *event)
{
	return find_turn(event);
}

void loop_take_turn(sd_event *event)
{
	sd_event_source *s = find_turn(event);

	assert(s);
	begin_dispatch(s);
	(void)s->on_turn(s, s->userdata);
	(void)sd_event_source_unref(s);
}

static sd_event_source *find_input(const sd_event *event)
{
	for (sd_event_source *s = event->sources; s; s = s->next) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};

		if (s->kind == SOURCE_IO && s->enabled != SD_EVENT_OFF && poll(&p, 1, 0) > 0)
			return s;
	}
	return NULL;
}

bool loop_has_input(const sd_event *event)
{
	return find_input(event);
}

void loop_take_input(sd_event *event)
{
	sd_event_source *s = find_input(event);

	assert(s);
	begin_dispatch(s);
	(void)s->on_io(s, s->fd, POLLIN, s->userdata);
	(void)sd_event_source_unref(s);
}

static sd_event_source *find_timer(const sd_event *event)
{
	sd_event_source *first = NULL;

	for (sd_event_source *s = event->sources; s; s = s->next)
		if (s->kind == SOURCE_TIME && s->enabled != SD_EVENT_OFF &&
		    (!first || s->when < first->when))
			first = s;
	return first;
}

bool loop_has_timer(const sd_event *event)
{
	return find_timer(event) || wall.when > 0;
}

uint64_t loop_elapsed(void)
{
	return elapsed;
}

static void move_clock(uint64_t to)
{
	if (to > elapsed)
		elapsed = to;
}

void loop_pass_time(sd_event *event)
{
	sd_event_source *s = find_timer(event);
	const uint64_t at_wall = wall.when == 0               ? UINT64_MAX
				 : wall.when > START_REALTIME ? wall.when - START_REALTIME
							      : 0;
	const uint64_t at_timer = s ? s->when - START_MONOTONIC : UINT64_MAX;

	if (at_wall < at_timer) {
		move_clock(at_wall);
		wall.when = 0;
		(void)eventfd_write(wall.fd, 1);
		return;
	}
	assert(s);
	move_clock(at_timer);
	begin_dispatch(s);
	(void)s->on_time(s, s->when, s->userdata);
	(void)sd_event_source_unref(s);
}
