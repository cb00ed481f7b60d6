/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connection to the bus, and what the manager tells through it.
 *
 *   bus_start -> connecting -> name asked for -> there
 *                    ^                             |
 *                    +---- RETRY_USEC ---- connection lost (the work goes on)
 */
#include "daemon/bus/bus.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/control/inhibit.h"
#include "daemon/bus/log-control.h"
#include "util/clock.h"
#include "util/log.h"

#define RETRY_USEC    (5 * UINT64_C(1000000))
#define PROGRESS_USEC (UINT64_C(1000000) / 2) /* between two signals of progress of a volume */

static void connect_later(struct bus *b);

/* --- what the manager tells --- */

static void manager_changed(struct manager *m, uint64_t what, void *userdata)
{
	static const struct {
		uint64_t what;
		const char *name;
	} properties[] = {
		{MANAGER_CHANGED_RATE_LIMIT, "RateLimit"},
		{MANAGER_CHANGED_VOLUMES, "Volumes"},
		{MANAGER_CHANGED_JOBS_RUNNING, "JobsRunning"},
	};
	const char *names[4] = {};
	struct bus *b = userdata;
	size_t n = 0;

	(void)m;
	for (size_t i = 0; i < 3; i++)
		if (what & properties[i].what)
			names[n++] = properties[i].name;
	if (b->bus && n > 0)
		told(b, sd_bus_emit_properties_changed_strv(b->bus, BUS_PATH, BUS_MANAGER_INTERFACE,
							    (void *)names));
}

static void volume_added(struct volume *v, void *userdata)
{
	struct bus *b = userdata;
	struct volume_slot *slot = calloc(1, sizeof(*slot));

	if (slot)
		slot->bus = b;
	else
		log_error("%s: no memory, its changes are not told on the bus", v->uuid);
	assert(!v->bus_slot);
	v->bus_slot = slot;
	if (b->bus)
		told(b, sd_bus_emit_object_added(b->bus, volume_path(v->uuid).text));
}

static void volume_removed(struct volume *v, void *userdata)
{
	struct bus *b = userdata;

	free(v->bus_slot);
	v->bus_slot = NULL;
	if (b->bus)
		told(b, sd_bus_emit_object_removed(b->bus, volume_path(v->uuid).text));
}

/* Tells held back progress that is due; when the next will be, 0: none is held. */
static uint64_t flush_progress(struct bus *b, uint64_t now)
{
	uint64_t next = 0;

	for (struct volume *v = b->manager->volumes; v; v = v->next) {
		struct volume_slot *slot = v->bus_slot;
		uint64_t due;

		if (!slot || !slot->held)
			continue;
		due = slot->told_usec + PROGRESS_USEC;
		if (due <= now) {
			slot->held = false;
			slot->told_usec = now;
			volume_emit(v, VOLUME_CHANGED_PROGRESS);
		} else if (next == 0 || due < next) {
			next = due;
		}
	}
	return next;
}

static int wake_at(sd_event_source *s, uint64_t usec)
{
	int r = sd_event_source_set_time(s, usec);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* Leaves a timer alone that is on already. */
static int wake_once_at(sd_event_source *s, uint64_t usec)
{
	int enabled, r = sd_event_source_get_enabled(s, &enabled);

	return r < 0 || enabled != SD_EVENT_OFF ? r : wake_at(s, usec);
}

static int on_flush(sd_event_source *s, uint64_t usec, void *userdata)
{
	uint64_t next = flush_progress(userdata, now_usec());

	(void)usec;
	return next ? wake_at(s, next) : 0;
}

/* Wakes up when there is something to tell, and never otherwise. */
static void hold_progress(struct bus *b, struct volume_slot *slot)
{
	int r;

	slot->held = true;
	r = wake_once_at(b->flush, slot->told_usec + PROGRESS_USEC);
	if (r < 0)
		log_warning_errno(r, "progress is told late");
}

static void volume_changed(struct volume *v, uint64_t what, void *userdata)
{
	struct volume_slot *slot = v->bus_slot;
	struct bus *b = userdata;
	uint64_t now = now_usec();

	if (b->inhibit && (what & VOLUME_CHANGED_STATE))
		inhibit_work_changed(b->inhibit);
	if (!slot || !b->bus)
		return;
	if (what & VOLUME_CHANGED_PROGRESS) {
		if (now - slot->told_usec < PROGRESS_USEC) {
			what &= ~VOLUME_CHANGED_PROGRESS;
			hold_progress(b, slot);
		} else {
			slot->told_usec = now;
		}
	}
	volume_emit(v, what);
}

static void emit_members_state(const struct job *j)
{
	for (size_t i = 0; i < j->n_members; i++)
		if (j->members[i].volume && j->members[i].volume->bus_slot)
			volume_emit(j->members[i].volume, VOLUME_CHANGED_STATE);
}

static void job_added(struct job *j, void *userdata)
{
	struct bus *b = userdata;

	assert(!j->bus_slot);
	j->bus_slot = b;
	if (!b->bus)
		return;
	told(b, sd_bus_emit_object_added(b->bus, job_path(j).text));
	told(b, sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER_INTERFACE, "JobNew", "too", j->id,
				   job_path(j).text, job_volume_path(j).text));
}

static void job_changed(struct job *j, uint64_t what, void *userdata)
{
	struct bus *b = userdata;

	(void)what;
	if (!b->bus)
		return;
	job_emit(b, j);
	emit_members_state(j);
	if (job_ended(j))
		told(b, sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER_INTERFACE, "JobFinished",
					   "toos", j->id, job_path(j).text, job_volume_path(j).text,
					   job_state_name(j->state)));
}

static void job_removed(struct job *j, void *userdata)
{
	struct bus *b = userdata;

	if (b->bus)
		told(b, sd_bus_emit_object_removed(b->bus, job_path(j).text));
}

/* --- the connection --- */

static sd_bus *close_bus(sd_bus *bus)
{
	if (bus)
		(void)sd_bus_detach_event(bus);
	return sd_bus_close_unref(bus);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)m;
	(void)error;
	log_warning("the bus is gone; the work goes on, and so does the search for a bus");
	connect_later(b);
	return 0;
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);
	struct bus *b = userdata;
	uint32_t code = 0;

	(void)error;
	if (!e && sd_bus_message_read(m, "u", &code) >= 0 && code == 1) {
		log_debug("on the bus as " BUS_NAME);
		return 0;
	}
	log_error("the name " BUS_NAME " cannot be had on the bus: %s",
		  e ? e->message : "another recryptd runs");
	return sd_event_exit(b->manager->event, EXIT_FAILURE);
}

int bus_add_objects(struct bus *b, sd_bus *bus)
{
	int r;

	r = bus_add_manager(b, bus);
	if (r < 0)
		return r;
	r = bus_add_volumes(b, bus);
	if (r < 0)
		return r;
	r = bus_add_jobs(b, bus);
	return r < 0 ? r : log_control_add(bus);
}

/*
 * Not before the first look at all devices is over: the bus keeps what is asked of a service that
 * it starts until then, and nobody is told that there are no volumes.
 */
static int request_name(struct bus *b, sd_bus *bus)
{
	return sd_bus_request_name_async(bus, NULL, BUS_NAME, 0, on_name, b);
}

static void manager_ready(struct manager *m, void *userdata)
{
	struct bus *b = userdata;

	(void)m;
	if (b->bus && request_name(b, b->bus) < 0)
		connect_later(b);
}

/* Nothing here waits: what is sent before the connection stands is sent when it does. */
static int connect_bus(struct bus *b)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	int r;

	assert(!b->bus && !b->inhibit);
	r = sd_bus_open_system_with_description(&bus, "system");
	if (r < 0)
		return r;
	r = bus_add_objects(b, bus);
	if (r < 0)
		return r;
	r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
				"org.freedesktop.DBus.Local", "Disconnected", on_disconnected, b);
	if (r < 0)
		return r;
	r = manager_is_ready(b->manager) ? request_name(b, bus) : 0;
	if (r < 0)
		return r;
	r = sd_bus_attach_event(bus, b->manager->event, SD_EVENT_PRIORITY_NORMAL + 10);
	if (r < 0)
		return r;
	if (inhibit_new(b->manager, bus, &b->inhibit) < 0)
		log_warning("sleep and shutdown do not wait for hotzones");
	b->bus = TAKE_PTR(bus);
	return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct bus *b = userdata;

	(void)s;
	(void)usec;
	calls_drop_questions(b);
	b->inhibit = inhibit_free(b->inhibit);
	b->bus = close_bus(b->bus);
	if (connect_bus(b) < 0)
		connect_later(b);
	return 0;
}

static int wake_after(sd_event_source *s, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(s, usec);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void connect_later(struct bus *b)
{
	int r = wake_after(b->retry, RETRY_USEC);

	if (r < 0)
		log_error_errno(r, "cannot look for the bus again");
}

int bus_start(struct bus *b)
{
	int r = connect_bus(b);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warning_errno(r, "there is no bus yet");
		connect_later(b);
	}
	return 0;
}

/* A timer that is off. */
static int add_timer(struct bus *b, sd_event_time_handler_t handler, sd_event_source **ret)
{
	int r = sd_event_add_time(b->manager->event, ret, CLOCK_MONOTONIC, 0, 0, handler, b);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int bus_new(struct manager *m, struct bus **ret)
{
	_cleanup_(bus_freep) struct bus *b = calloc(1, sizeof(*b));
	struct manager_observer observer = {
		.ready = manager_ready,
		.manager_changed = manager_changed,
		.volume_added = volume_added,
		.volume_changed = volume_changed,
		.volume_removed = volume_removed,
		.job_added = job_added,
		.job_changed = job_changed,
		.job_removed = job_removed,
		.userdata = b,
	};
	int r;

	if (!b)
		return -ENOMEM;
	b->manager = m;
	r = add_timer(b, on_retry, &b->retry);
	if (r < 0)
		return r;
	r = add_timer(b, on_flush, &b->flush);
	if (r < 0)
		return r;
	manager_set_observer(m, &observer);
	*ret = TAKE_PTR(b);
	return 0;
}

struct bus *bus_free(struct bus *b)
{
	static const struct manager_observer nobody = {};

	if (!b)
		return NULL;
	calls_free(b);
	b->inhibit = inhibit_free(b->inhibit);
	manager_set_observer(b->manager, &nobody);
	for (struct volume *v = b->manager->volumes; v; v = v->next) {
		free(v->bus_slot);
		v->bus_slot = NULL;
	}
	b->bus = b->bus ? sd_bus_flush_close_unref(b->bus) : NULL;
	sd_event_source_unref(b->retry);
	sd_event_source_unref(b->flush);
	free(b);
	return NULL;
}
