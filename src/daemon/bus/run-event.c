/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/run-event.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/state/config.h"
#include "daemon/state/on-event.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/text.h"
#include "worker/run-event.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define LATER_USEC UINT64_C(2000000)
#define LIMIT_USEC UINT64_C(60000000) /* that a program has */

/* An event that has not been handed over. */
struct event_run {
	struct event_run *next;
	char *what; /* the value of OnEvent= */
	const char *event;
	char uuid[37], name[128], text[512];
	char *device;
	uint32_t generation;
	unsigned slot; /* of a program: the unit that is tried */
};

struct event_queue {
	struct bus *bus;
	struct event_run *first;
	size_t n;
	sd_bus_slot *call; /* for the first; NULL: none is open */
	sd_event_source *later;
	bool complained; /* until something can be started again */
};

static void pump(struct event_queue *q);

static void event_run_free(struct event_run *run)
{
	free(run->what);
	free(run->device);
	free(run);
}

static void drop_first(struct event_queue *q)
{
	struct event_run *run = q->first;

	assert(run && q->n > 0);
	q->first = run->next;
	q->n--;
	event_run_free(run);
}

/* --- the call --- */

/* The name, and within it an open value of this type: two containers. */
static int open_property(sd_bus_message *m, const char *name, const char *type)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "s", name);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

static int close_property(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* One property with a value of a basic type. */
static int append_property(sd_bus_message *m, const char *name, const char *type, ...)
{
	va_list ap;
	int r = open_property(m, name, type);

	if (r < 0)
		return r;
	va_start(ap, type);
	r = sd_bus_message_appendv(m, type, ap);
	va_end(ap);
	return r < 0 ? r : close_property(m);
}

static int append_variable(sd_bus_message *m, const char *name, const char *value)
{
	char text[PATH_MAX * 3 + 64];

	(void)text_format(text, sizeof(text), "%s=%s", name, value);
	text_mask(text);
	return sd_bus_message_append(m, "s", text);
}

static int append_variables(sd_bus_message *m, const struct event_run *run)
{
	char generation[16];
	const struct {
		const char *name, *value;
	} variables[] = {
		{RUN_EVENT_PROGRAM, run->what},   {"RECRYPTD_EVENT", run->event},
		{"RECRYPTD_UUID", run->uuid},     {"RECRYPTD_NAME", run->name},
		{"RECRYPTD_DEVICE", run->device}, {"RECRYPTD_KEY_GENERATION", generation},
		{"RECRYPTD_MESSAGE", run->text},
	};
	int r = 0;

	(void)snprintf(generation, sizeof(generation), "%" PRIu32, run->generation);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(variables); i++)
		r = append_variable(m, variables[i].name, variables[i].value);
	return r;
}

static int append_environment(sd_bus_message *m, const struct event_run *run)
{
	int r = open_property(m, "Environment", "as");

	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "s");
	if (r < 0)
		return r;
	r = append_variables(m, run);
	if (r < 0)
		return r;
	r = sd_bus_message_close_container(m);
	return r < 0 ? r : close_property(m);
}

static int append_command(sd_bus_message *m)
{
	char worker[PATH_MAX];
	int r = program_find_worker(worker, sizeof(worker));

	if (r < 0)
		return r;
	r = open_property(m, "ExecStart", "a(sasb)");
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "a(sasb)", 1, worker, 2, "recrypt-worker", RUN_EVENT_VERB, 0);
	return r < 0 ? r : close_property(m);
}

/* What a message to an administrator needs is left open: the network, programs that are setgid. */
static int append_sandbox(sd_bus_message *m)
{
	static const struct {
		const char *name, *type, *text;
		uint64_t number;
	} rows[] = {
		{"Type", "s", "exec", 0},
		{"CollectMode", "s", "inactive-or-failed", 0},
		{"RuntimeMaxUSec", "t", NULL, LIMIT_USEC},
		{"CapabilityBoundingSet", "t", NULL, 0},
		{"MemoryMax", "t", NULL, UINT64_C(256) << 20},
		{"TasksMax", "t", NULL, 64},
		{"LimitCORE", "t", NULL, 0},
		{"ProtectSystem", "s", "full", 0},
		{"ProtectHome", "s", "read-only", 0},
	};
	static const char *const on[] = {"PrivateDevices",        "PrivateTmp",
					 "ProtectKernelTunables", "ProtectKernelModules",
					 "ProtectControlGroups",  "RestrictRealtime",
					 "LockPersonality"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		r = rows[i].text ? append_property(m, rows[i].name, rows[i].type, rows[i].text)
				 : append_property(m, rows[i].name, rows[i].type, rows[i].number);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(on); i++)
		r = append_property(m, on[i], "b", 1);
	return r;
}

static int append_program(sd_bus_message *m, const struct event_run *run)
{
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "recryptd-event-%u.service", run->slot);
	r = sd_bus_message_append(m, "ss", name, "fail");
	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r < 0)
		return r;
	r = append_property(m, "Description", "s", "OnEvent= of recryptd");
	if (r < 0)
		return r;
	r = append_command(m);
	if (r < 0)
		return r;
	r = append_environment(m, run);
	if (r < 0)
		return r;
	r = append_sandbox(m);
	if (r < 0)
		return r;
	r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

/* NAME@.service -> NAME@EVENT:UUID.service */
static int append_unit(sd_bus_message *m, const struct event_run *run)
{
	const char *unit = run->what + strlen(ON_EVENT_UNIT);
	const int n = (int)(strchr(unit, '@') + 1 - unit);
	char name[256];

	(void)snprintf(name, sizeof(name), "%.*s%s:%s%s", n, unit, run->event, run->uuid, unit + n);
	return sd_bus_message_append(m, "ss", name, "replace");
}

/* --- the answer --- */

static void complain(struct event_queue *q, const char *why)
{
	if (!q->complained)
		log_warning("OnEvent=%s cannot be started: %s; nothing more is said until it can",
			    q->first->what, why);
	q->complained = true;
}

static void wait_for_later(struct event_queue *q)
{
	if (sd_event_source_set_time_relative(q->later, LATER_USEC) < 0 ||
	    sd_event_source_set_enabled(q->later, SD_EVENT_ONESHOT) < 0)
		log_warning("OnEvent=: events wait for the next one");
}

/* Its unit is in use by the program of another event. True: another one may be free now. */
static bool next_slot(struct event_run *run)
{
	run->slot = (run->slot + 1) % EVENTS_AT_ONCE;
	return run->slot > 0;
}

static int on_started(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *e = sd_bus_message_get_error(answer);
	struct event_queue *q = userdata;

	(void)error;
	q->call = sd_bus_slot_unref(q->call);
	if (e && sd_bus_error_has_name(e, SYSTEMD_NAME ".UnitExists") &&
	    !on_event_is_unit(q->first->what)) {
		if (!next_slot(q->first)) {
			wait_for_later(q);
			return 0;
		}
	} else {
		if (e)
			complain(q, e->message ?: e->name);
		q->complained = e;
		drop_first(q);
	}
	pump(q);
	return 0;
}

static int call_systemd(struct event_queue *q)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	const struct event_run *run = q->first;
	const bool unit = on_event_is_unit(run->what);
	int r = sd_bus_message_new_method_call(q->bus->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER,
					       unit ? "StartUnit" : "StartTransientUnit");

	if (r < 0)
		return r;
	r = unit ? append_unit(m, run) : append_program(m, run);
	return r < 0 ? r : sd_bus_call_async(q->bus->bus, &q->call, m, on_started, q, 0);
}

static void pump(struct event_queue *q)
{
	while (q->first && !q->call) {
		int r;

		if (!q->bus->bus) {
			wait_for_later(q);
			return;
		}
		r = call_systemd(q);
		if (r >= 0)
			return;
		complain(q, error_text(r));
		drop_first(q);
	}
}

static int on_later(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	pump(userdata);
	return 0;
}

/* --- the queue --- */

/* The volume's own, or that of the host; NULL: nothing is to be started. */
static const char *what_for(const struct volume *v)
{
	const struct config *c = v->manager->config;
	const char *own = config_for_volume(c, v->uuid)->on_event, *what = own ?: c->on_event;

	return what && strcmp(what, ON_EVENT_NONE) != 0 ? what : NULL;
}

static struct event_run *new_run(const char *what, const struct volume *v,
				 const struct volume_event *e)
{
	struct event_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->what = strdup(what);
	run->device = path_to_text(v->place.device);
	run->event = e->name;
	run->generation = e->generation;
	memcpy(run->uuid, v->uuid, sizeof(run->uuid));
	(void)text_copy(run->name, sizeof(run->name), v->place.name);
	(void)text_copy(run->text, sizeof(run->text), e->text);
	if (run->what && run->device)
		return run;
	event_run_free(run);
	return NULL;
}

void event_queue_add(struct event_queue *q, const struct volume *v, const struct volume_event *e)
{
	struct event_run **end = &q->first, *run;
	const char *what = what_for(v);

	if (!what)
		return;
	run = q->n < EVENTS_WAITING ? new_run(what, v, e) : NULL;
	if (!run) {
		log_warning(
			"%s: OnEvent= is not started for \"%s\": too many events wait, or memory "
			"is short",
			v->uuid, e->name);
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = run;
	q->n++;
	pump(q);
}

void event_queue_disconnect(struct event_queue *q)
{
	q->call = sd_bus_slot_unref(q->call);
	if (q->first)
		wait_for_later(q);
}

int event_queue_new(struct bus *b, struct event_queue **ret)
{
	struct event_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->bus = b;
	r = sd_event_add_time(b->manager->event, &q->later, CLOCK_MONOTONIC, 0, 0, on_later, q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->later, SD_EVENT_OFF);
	if (r < 0) {
		(void)event_queue_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

struct event_queue *event_queue_free(struct event_queue *q)
{
	if (!q)
		return NULL;
	sd_bus_slot_unref(q->call);
	while (q->first)
		drop_first(q);
	sd_event_source_unref(q->later);
	free(q);
	return NULL;
}
