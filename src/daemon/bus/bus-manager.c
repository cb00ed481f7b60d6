/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.recryptd1.Manager: its vtable, and the verbs behind it. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "util/text.h"
#include "util/device-name.h"

/* --- finding volumes: reads, so nobody is asked --- */

static int compare_uuid(const void *a, const void *b)
{
	const struct volume *const *v = a, *const *w = b;

	return strcmp((*v)->uuid, (*w)->uuid);
}

/* The caller's to free; NULL: out of memory. */
static struct volume **sorted_volumes(const struct manager *m)
{
	struct volume **all = calloc(m->n_volumes + 1, sizeof(struct volume *));
	size_t n = 0;

	if (!all)
		return NULL;
	for (struct volume *v = m->volumes; v; v = v->next) {
		assert(n < m->n_volumes);
		all[n++] = v;
	}
	qsort(all, n, sizeof(*all), compare_uuid);
	return all;
}

static int append_volume(sd_bus_message *reply, const struct volume *v)
{
	int r;

	r = sd_bus_message_open_container(reply, 'r', "sssso");
	if (r < 0)
		return r;
	r = bus_append_text(reply, v->uuid);
	if (r < 0)
		return r;
	r = bus_append_text(reply, v->place.name);
	if (r < 0)
		return r;
	r = bus_append_path(reply, v->place.device);
	if (r < 0)
		return r;
	r = sd_bus_message_append(reply, "so", volume_state_name(v->status.state),
				  volume_path(v->uuid).text);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* @all ends with NULL. */
static int append_volumes(sd_bus_message *reply, struct volume *const *all)
{
	int r = sd_bus_message_open_container(reply, 'a', "(sssso)");

	for (size_t i = 0; r >= 0 && all[i]; i++)
		r = append_volume(reply, all[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ struct volume **all = NULL;
	struct bus *b = userdata;
	struct failure f = {};
	int r;

	r = read_options(m, no_settings, NULL, &f);
	if (r < 0)
		return set_failure(error, r, &f);
	all = sorted_volumes(b->manager);
	if (!all)
		return -ENOMEM;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r < 0)
		return r;
	r = append_volumes(reply, all);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The volume that the arguments of @m name. */
static int read_which(struct manager *manager, sd_bus_message *m, struct failure *f,
		      struct volume **ret)
{
	const char *which;
	int r;

	r = read_arguments(m, f, "s", &which);
	if (r < 0)
		return r;
	r = read_options(m, no_settings, NULL, f);
	return r < 0 ? r : manager_find_volume(manager, which, f, ret);
}

static int get_volume(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;
	struct volume *v;
	struct failure f = {};
	int r = read_which(b->manager, m, &f, &v);

	if (r < 0)
		return set_failure(error, r, &f);
	return sd_bus_reply_method_return(m, "o", volume_path(v->uuid).text);
}

static int get_configuration(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return bus_get_configuration(m, ((struct bus *)userdata)->manager, NULL, error);
}

/* --- finding jobs --- */

static int read_request(sd_bus_message *m, struct request_id *ret, struct failure *f)
{
	const char *text;
	int r = read_arguments(m, f, "s", &text);

	if (r < 0)
		return r;
	r = read_options(m, no_settings, NULL, f);
	if (r < 0)
		return r;
	return text_copy(ret->text, sizeof(ret->text), text) && *text
		       ? request_id_check(ret, f)
		       : failure_set(f, -EINVAL, "a RequestId has 1 to %zu characters",
				     sizeof(ret->text) - 1);
}

static int get_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus *b = userdata;
	const struct accepted_call *call;
	struct request_id id;
	struct failure f = {};
	int r = read_request(m, &id, &f);

	if (r < 0)
		return set_failure(error, r, &f);
	call = accepted_find(&b->manager->jobs.accepted, &id);
	if (!call) {
		r = failure_set(&f, -ENODEV, "no call with the RequestId \"%s\" is known", id.text);
		return set_failure(error, r, &f);
	}
	return sd_bus_reply_method_return(m, "o", call->job ? job_path_of(call->job).text : "/");
}

/* --- verbs --- */

static int check_path(const char *text, struct failure *f)
{
	_cleanup_free_ char *path = NULL;
	int r = device_name_path(text, &path);

	return r == -EINVAL
		       ? failure_set(f, r, "%.64s: a device must be given with its absolute path",
				     text)
		       : r;
}

static int parse_add_volume(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	static const struct setting keys[] = {
		{.name = "HeaderDevice",
		 .kind = SETTING_TEXT,
		 .where = offsetof(struct arguments, header_device),
		 .size = (size_t)4 * PATH_MAX},
		{.name = "Name",
		 .kind = SETTING_TEXT,
		 .where = offsetof(struct arguments, name),
		 .size = NAME_MAX},
		{},
	};
	int r;

	r = read_arguments(m, f, "s", &a->text);
	if (r < 0)
		return r;
	r = read_options(m, keys, a, f);
	if (r < 0)
		return r;
	r = check_path(a->text, f);
	return r < 0 || !a->header_device ? r : check_path(a->header_device, f);
}

static void volume_added(struct volume *v, int error, const struct failure *f, void *userdata)
{
	if (error < 0)
		call_reply_failure(userdata, error, f);
	else
		call_reply_path(userdata, volume_path(v->uuid).text);
}

static int run_add_volume(struct call *c, const struct arguments *a, struct failure *f)
{
	const struct add_options options = {.header_device = a->header_device, .name = a->name};

	return manager_add_volume(c->bus->manager, a->text, &options, f, volume_added, c);
}

static int parse_remove_volume(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	static const struct setting keys[] = {
		{.name = "Force",
		 .kind = SETTING_BOOL,
		 .where = offsetof(struct arguments, force),
		 .size = sizeof(a->force)},
		{},
	};
	int r = read_arguments(m, f, "o", &a->text);

	return r < 0 ? r : read_options(m, keys, a, f);
}

static int run_remove_volume(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v = volume_at(c->bus, a->text);
	int r;

	if (!v)
		return failure_set(f, -ENODEV, "%s: no such volume is known", a->text);
	r = manager_remove_volume(c->bus->manager, v, a->force, f);
	if (r < 0)
		return r;
	call_reply(c);
	return 0;
}

static int parse_filter(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	static const struct setting keys[] = {
		{.name = "Group",
		 .kind = SETTING_TEXT,
		 .where = offsetof(struct arguments, group),
		 .size = NAME_MAX},
		{.name = "State",
		 .kind = SETTING_TEXT,
		 .where = offsetof(struct arguments, state),
		 .size = NAME_MAX},
		{.name = "Volumes",
		 .kind = SETTING_TEXTS,
		 .where = offsetof(struct arguments, volumes),
		 .size = sizeof(a->volumes) / sizeof(a->volumes[0])},
		{},
	};

	return read_options(m, keys, a, f);
}

/* @uuids is as long as a->volumes. */
static int make_filter(struct bus *b, const struct arguments *a, const char **uuids,
		       struct volume_filter *ret, struct failure *f)
{
	struct volume *v;
	int r;

	for (size_t i = 0; a->volumes[i]; i++) {
		assert(i + 1 < sizeof(a->volumes) / sizeof(a->volumes[0]));
		r = manager_find_volume(b->manager, a->volumes[i], f, &v);
		if (r < 0)
			return r;
		uuids[i] = v->uuid;
		uuids[i + 1] = NULL;
	}
	*ret = (struct volume_filter){
		.group = a->group,
		.state = a->state,
		.uuids = a->volumes[0] ? uuids : NULL,
	};
	return 0;
}

static int parse_rotate_all(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r = parse_filter(m, a, f);

	return r < 0 ? r : read_rotate_options(m, &a->rotate, &a->request, f);
}

static int run_rotate_all(struct call *c, const struct arguments *a, struct failure *f)
{
	const char *uuids[sizeof(a->volumes) / sizeof(a->volumes[0])];
	struct volume_filter filter;
	struct job *j;
	int r;

	r = make_filter(c->bus, a, uuids, &filter, f);
	if (r < 0)
		return r;
	r = manager_rotate_all(c->bus->manager, &filter, &a->rotate, f, &j);
	if (r < 0)
		return r;
	call_reply_job(c, j);
	return 0;
}

static int parse_suspend_all(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r;

	r = parse_filter(m, a, f);
	if (r < 0)
		return r;
	r = read_reason(m, f, &a->text);
	return r < 0 ? r : read_request_id(m, &a->request, f);
}

/* @suspend: else they are resumed. */
static int run_for_all(struct call *c, const struct arguments *a, bool suspend, struct failure *f)
{
	const char *uuids[sizeof(a->volumes) / sizeof(a->volumes[0])];
	struct manager *m = c->bus->manager;
	struct volume_filter filter;
	size_t count;
	int r = make_filter(c->bus, a, uuids, &filter, f);

	if (r < 0)
		return r;
	return suspend ? manager_suspend_all(m, &filter, a->text, f, call_done, c, &count)
		       : manager_resume_all(m, &filter, &a->resume, f, call_done, c, &count);
}

static int run_suspend_all(struct call *c, const struct arguments *a, struct failure *f)
{
	return run_for_all(c, a, true, f);
}

static int parse_resume_all(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r = parse_filter(m, a, f);

	return r < 0 ? r : read_resume_options(m, &a->resume, &a->request, f);
}

static int run_resume_all(struct call *c, const struct arguments *a, struct failure *f)
{
	return run_for_all(c, a, false, f);
}

/* Set() of org.freedesktop.DBus.Properties. */
static int parse_set_rate_limit(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	const char *interface, *property;

	return read_arguments(m, f, "ssv", &interface, &property, "t", &a->rate);
}

static int run_set_rate_limit(struct call *c, const struct arguments *a, struct failure *f)
{
	int r = manager_set_rate_limit(c->bus->manager, a->rate, f);

	if (r < 0)
		return r;
	call_reply(c);
	return 0;
}

static const struct verb verbs[] = {
	{"AddVolume", ACTION_ADD_VOLUME, parse_add_volume, run_add_volume},
	{"RemoveVolume", "org.recryptd1.remove-volume", parse_remove_volume, run_remove_volume},
	{"RotateAll", "org.recryptd1.rotate", parse_rotate_all, run_rotate_all},
	{"SuspendAll", "org.recryptd1.suspend", parse_suspend_all, run_suspend_all},
	{"ResumeAll", "org.recryptd1.resume", parse_resume_all, run_resume_all},
};

static const struct verb set_rate_limit = {"Set(RateLimit)", "org.recryptd1.set-rate-limit",
					   parse_set_rate_limit, run_set_rate_limit};

static int on_verb(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].member, sd_bus_message_get_member(m)) == 0)
			return call_begin(userdata, m, &verbs[i], error);
	return 0;
}

/*
 * Comes before the vtables. A setter there would have to answer at once, and sd-bus would let in
 * nobody but the superuser; so the one property that can be written is written as a verb.
 */
static int on_set(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *interface, *property;

	if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Set"))
		return 0;
	if (sd_bus_message_read(m, "ss", &interface, &property) < 0 ||
	    sd_bus_message_rewind(m, true) < 0)
		return -EBADMSG;
	if (strcmp(interface, BUS_MANAGER_INTERFACE) != 0 || strcmp(property, "RateLimit") != 0)
		return 0;
	return call_begin(userdata, m, &set_rate_limit, error);
}

/* --- properties --- */

DEFINE_GETTER(get_rate_limit)
{
	struct bus *b = userdata;

	return sd_bus_message_append(reply, "t", b->manager->rate_limit);
}

/* For the vtable only: on_set() is before it. */
DEFINE_GETTER(set_no_rate_limit)
{
	return -EOPNOTSUPP;
}

DEFINE_GETTER(get_jobs_running)
{
	struct bus *b = userdata;

	return sd_bus_message_append(reply, "u", b->manager->jobs.running);
}

DEFINE_GETTER(get_volumes)
{
	struct bus *b = userdata;
	int r;

	r = sd_bus_message_open_container(reply, 'a', "o");
	for (struct volume *v = b->manager->volumes; v && r >= 0; v = v->next)
		r = sd_bus_message_append(reply, "o", volume_path(v->uuid).text);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

DEFINE_GETTER(get_version)
{
	return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("AddVolume",
		SD_BUS_ARGS("s", device, "a{sv}", options),
		SD_BUS_RESULT("o", volume), on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("RemoveVolume",
		SD_BUS_ARGS("o", volume, "a{sv}", options),
		SD_BUS_NO_RESULT, on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListVolumes",
		SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("a(sssso)", volumes), list_volumes, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetVolume",
		SD_BUS_ARGS("s", which, "a{sv}", options),
		SD_BUS_RESULT("o", volume), get_volume, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetConfiguration",
		SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("a(ssssu)", settings), get_configuration,
		SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetJob",
		SD_BUS_ARGS("s", request, "a{sv}", options),
		SD_BUS_RESULT("o", job), get_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("History",
		SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("aa{sv}", rotations), manager_on_history,
		SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("RotateAll",
		SD_BUS_ARGS("a{sv}", filter, "a{sv}", options),
		SD_BUS_RESULT("o", job), on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("SuspendAll",
		SD_BUS_ARGS("a{sv}", filter, "s", reason, "a{sv}", options),
		SD_BUS_NO_RESULT, on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ResumeAll",
		SD_BUS_ARGS("a{sv}", filter, "a{sv}", options),
		SD_BUS_NO_RESULT, on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("JobNew",
		SD_BUS_ARGS("t", id, "o", job, "o", volume), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobFinished",
		SD_BUS_ARGS("t", id, "o", job, "o", volume, "s", result), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobResult",
		SD_BUS_ARGS("t", id, "o", job, "o", volume, "s", result, "s", error,
			    "s", message, "a{sv}", more), 0),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_WRITABLE_PROPERTY("RateLimit", "t", get_rate_limit, set_no_rate_limit, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Volumes", "ao", get_volumes, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
	SD_BUS_PROPERTY("JobsRunning", "u", get_jobs_running, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};
/* clang-format on */

int bus_add_manager(struct bus *b, sd_bus *bus)
{
	int r;

	r = sd_bus_add_object(bus, NULL, BUS_PATH, on_set, b);
	if (r < 0)
		return r;
	r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_MANAGER_INTERFACE, vtable, b);
	return r < 0 ? r : sd_bus_add_object_manager(bus, NULL, BUS_PATH);
}
