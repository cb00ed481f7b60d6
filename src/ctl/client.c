/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/agent.h"
#include "ctl/bus-json.h"
#include "proto/error-name.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"

/* A person may have to find a password, and a slow disk to end its hotzone. */
#define CALL_TIMEOUT_USEC (UINT64_C(600) * 1000000)

static bool changes_something(enum verb verb)
{
	switch (verb) {
	case VERB_STATUS:
	case VERB_HELP:
	case VERB_VERSION:
	case VERB_LIST:
	case VERB_KEYS:
	case VERB_CONFIG:
	case VERB_HISTORY:
	case VERB_CHECK:
	case VERB_MONITOR:
	case VERB_WAIT:
	case VERB_COMPLETE:
		return false;
	case VERB_REENCRYPT:
	case VERB_RECOVER:
	case VERB_CANCEL:
	case VERB_ROTATE:
	case VERB_SUSPEND:
	case VERB_RESUME:
	case VERB_RATE:
	case VERB_UNLOCK:
	case VERB_LOCK:
	case VERB_ACCEPT:
	case VERB_ADD:
	case VERB_REMOVE:
		return true;
	}
	return false;
}

int client_open(const struct options *o, struct client *ret)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	int r;

	assert(!ret->bus);
	r = o->daemon.remote ? sd_bus_open_system_remote(&bus, o->daemon.remote)
			     : sd_bus_open_system(&bus);
	if (r < 0)
		return r;
	r = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_USEC);
	if (r < 0)
		return r;
	r = sd_bus_set_allow_interactive_authorization(bus, !o->daemon.no_ask_password);
	if (r < 0)
		return r;
	*ret = (struct client){.bus = TAKE_PTR(bus),
			       .remote = o->daemon.remote,
			       .may_start = changes_something(o->verb),
			       .may_ask = !o->daemon.no_ask_password && !o->daemon.remote};
	return 0;
}

void client_close(struct client *c)
{
	c->bus = c->bus ? sd_bus_flush_close_unref(c->bus) : NULL;
	agent_stop(c->agent);
	c->agent = 0;
}

bool client_has_daemon(struct client *c)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int owned = 0;

	if (sd_bus_call_method(c->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
			       "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
			       BUS_NAME) < 0)
		return false;
	return sd_bus_message_read(reply, "b", &owned) >= 0 && owned;
}

int client_errno_of(const char *error)
{
	const size_t prefix = strlen(BUS_ERROR_PREFIX);

	return (strncmp(error, BUS_ERROR_PREFIX, prefix) == 0 ? error_of_name(error + prefix) : 0)
		       ?: -EIO;
}

static int errno_of(const sd_bus_error *e, int r)
{
	const int named = client_errno_of(e->name ?: "");

	return named == -EIO && r < 0 ? r : named;
}

static bool is_disconnect(int error)
{
	return error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE || error == -ESHUTDOWN;
}

int client_log_lost(const struct client *c, int error)
{
	return log_error_errno(error, "%s: the connection is lost", c->remote ?: "the system bus");
}

static void log_failure(const struct client *c, const sd_bus_error *e, int error)
{
	if (c->log_off)
		return;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
		log_error("recryptd does not run; start it with: systemctl start recryptd");
		return;
	}
	if (c->remote && !c->reached && is_disconnect(error)) {
		log_error("%s: its bus cannot be reached; ssh must get there without asking, and "
			  "the host needs systemd-stdio-bridge",
			  c->remote);
		return;
	}
	if (is_disconnect(error)) {
		(void)client_log_lost(c, error);
		return;
	}
	log_error("%s", e->message ?: e->name ?: "the call failed");
}

/* Whatever changes something may have to be allowed by somebody who knows a password. */
static bool only_reads(sd_bus_message *call)
{
	static const char *const members[] = {"GetAll", "GetManagedObjects", "GetVolume",
					      "GetJob", "GetConfiguration",  "History"};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strcmp(sd_bus_message_get_member(call), members[i]) == 0)
			return true;
	return false;
}

struct awaited_reply {
	sd_bus_message *reply;
	bool here;
};

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct awaited_reply *a = userdata;

	(void)e;
	a->reply = sd_bus_message_ref(m);
	a->here = true;
	return 0;
}

static int wait_for_answer(struct client *c, const struct awaited_reply *a)
{
	while (!a->here) {
		int r = sd_bus_process(c->bus, NULL);

		if (r == 0 && !*c->stop)
			r = sd_bus_wait(c->bus, UINT64_MAX);
		if (*c->stop)
			return -EINTR;
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}

/* sd_bus_call() goes on waiting where a signal comes. */
static int call_until_stopped(struct client *c, sd_bus_message *call, sd_bus_error *e,
			      sd_bus_message **ret)
{
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	struct awaited_reply a = {};
	int r = sd_bus_call_async(c->bus, &slot, call, on_answer, &a, 0);

	if (r < 0)
		return r;
	r = wait_for_answer(c, &a);
	if (r < 0)
		return r;
	if (!sd_bus_message_is_method_error(a.reply, NULL)) {
		*ret = a.reply;
		return 0;
	}
	(void)sd_bus_error_copy(e, sd_bus_message_get_error(a.reply));
	r = -sd_bus_message_get_errno(a.reply);
	sd_bus_message_unref(a.reply);
	return r < 0 ? r : -EIO;
}

int client_send(struct client *c, sd_bus_message *call, sd_bus_message **ret_reply)
{
	_cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = call, *reply = NULL;
	int r;

	assert(!ret_reply || !*ret_reply);
	if (c->may_ask && !only_reads(m)) {
		assert(c->agent == 0);
		c->agent = agent_start();
		c->may_ask = false;
	}
	r = sd_bus_message_set_auto_start(m, c->may_start && !c->reached);
	if (r < 0)
		return log_error_errno(r, "recryptd cannot be called");
	r = c->stop ? call_until_stopped(c, m, &e, &reply) : sd_bus_call(c->bus, m, 0, &e, &reply);
	if (r == -EINTR) {
		c->interrupted = true;
		return r;
	}

	*c->last_error = '\0';
	c->reached = c->reached || r >= 0;
	if (r < 0) {
		(void)snprintf(c->last_error, sizeof(c->last_error), "%s", e.name ?: "");
		log_failure(c, &e, r);
		return errno_of(&e, r);
	}
	if (ret_reply)
		*ret_reply = TAKE_PTR(reply);
	return 0;
}

bool client_has_refused_key(const struct client *c)
{
	return strcmp(c->last_error, BUS_ERROR_PREFIX "KeyRejected") == 0;
}

int client_new_call(struct client *c, const char *path, const char *interface, const char *member,
		    sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(c->bus, ret, BUS_NAME, path, interface, member);
}

int client_call(struct client *c, const char *path, const char *interface, const char *member,
		sd_bus_message **ret_reply, const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	va_list ap;
	int r;

	r = client_new_call(c, path, interface, member, &call);
	if (r >= 0 && types) {
		va_start(ap, types);
		r = sd_bus_message_appendv(call, types, ap);
		va_end(ap);
	}
	if (r < 0)
		return log_error_errno(r, "%s cannot be called", member);
	return client_send(c, TAKE_PTR(call), ret_reply);
}

void client_never_start(struct client *c)
{
	c->may_start = false;
}

void client_free_paths(char **paths)
{
	for (char **p = paths; p && *p; p++)
		free(*p);
	free(paths);
}

int client_read_path(sd_bus_message *reply, char **ret)
{
	const char *path;
	int r = sd_bus_message_read(reply, "o", &path);

	if (r < 0)
		return r;
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

int client_find_volume(struct client *c, const char *which, char **ret_path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *path;
	char *copy;
	int r;

	r = client_call(c, BUS_PATH, BUS_MANAGER_INTERFACE, "GetVolume", &reply, "sa{sv}", which,
			0);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return log_error_errno(r, "the answer of recryptd cannot be read");
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*ret_path = copy;
	return 0;
}

int client_properties(struct client *c, const char *path, const char *interface, json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int r;

	r = client_call(c, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, "s",
			interface);
	if (r < 0)
		return r;
	r = json_from_message(reply, ret);
	return r < 0 ? log_error_errno(r, "the answer of recryptd cannot be read") : 0;
}

static int compare_volumes(const void *a, const void *b)
{
	json_object *v = *(json_object *const *)a, *w = *(json_object *const *)b;
	int r = strcmp(json_text(v, "Name"), json_text(w, "Name"));

	return r ?: strcmp(json_text(v, "Device"), json_text(w, "Device"));
}

/* Adds those of @objects that are volumes, with their paths. */
static int collect_volumes(json_object *objects, json_object *volumes)
{
	json_object *volume, *path;

	json_object_object_foreach (objects, key, interfaces) {
		if (!json_object_object_get_ex(interfaces, BUS_VOLUME_INTERFACE, &volume))
			continue;
		path = json_object_new_string(key);
		if (!path || json_object_object_add(volume, "Path", path) < 0 ||
		    json_object_array_add(volumes, json_object_get(volume)) < 0)
			return -ENOMEM;
	}
	return 0;
}

int client_volumes(struct client *c, json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	json_object *objects, *volumes;
	int r;

	r = client_call(c, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
			&reply, NULL);
	if (r < 0)
		return r;
	r = json_from_message(reply, &objects);
	if (r < 0)
		return log_error_errno(r, "the answer of recryptd cannot be read");
	volumes = json_object_new_array();
	r = volumes ? collect_volumes(objects, volumes) : -ENOMEM;
	json_object_put(objects);
	if (r < 0) {
		json_object_put(volumes);
		return r;
	}
	json_object_array_sort(volumes, compare_volumes);
	*ret = volumes;
	return 0;
}

int print_json(json_object *o, enum json_format format, FILE *out)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (format == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN);

	_cleanup_free_ char *text = text_json(json_object_to_json_string_ext(o, flags));

	assert(format != JSON_OFF);
	if (!text)
		return log_error_errno(-ENOMEM, "cannot write to standard output");
	/* What did not fit into the buffer is lost before fflush(), which then succeeds. */
	if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0)
		return log_error_errno(-errno, "cannot write to standard output");
	return 0;
}

const char *json_text(json_object *o, const char *key)
{
	json_object *value;

	return json_object_object_get_ex(o, key, &value) && value ? json_object_get_string(value)
								  : "";
}

uint64_t json_number(json_object *o, const char *key)
{
	json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}
