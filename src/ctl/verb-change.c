/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl rotate, suspend, resume, rate, lock, accept, add, remove. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/interrupt.h"
#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "daemon/state/config.h"
#include "dm/find.h"
#include "util/checked.h"
#include "util/device-name.h"
#include "util/log.h"
#include "util/path-text.h"

/* --- several volumes --- */

static int append_uuid(sd_bus_message *m, struct client *c, const struct options *o,
		       const char *operand)
{
	_cleanup_free_ char *path = NULL;
	json_object *volume;
	int r;

	r = find_volume(c, o, operand, &path);
	if (r < 0)
		return r;
	r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);
	if (r < 0)
		return r;
	r = sd_bus_message_append_basic(m, 's', json_text(volume, "UUID"));
	json_object_put(volume);
	return r;
}

static int append_uuids(sd_bus_message *m, struct client *c, const struct options *o)
{
	int r = sd_bus_message_open_container(m, 'a', "s");

	assert(*o->target.operands); /* an empty filter would mean all volumes */
	for (char **operand = o->target.operands; *operand && r >= 0; operand++)
		r = append_uuid(m, c, o, *operand);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_volumes(sd_bus_message *m, struct client *c, const struct options *o)
{
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r < 0)
		return r;
	r = sd_bus_message_append_basic(m, 's', "Volumes");
	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'v', "as");
	if (r < 0)
		return r;
	r = append_uuids(m, c, o);
	if (r < 0)
		return r;
	r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The filter of the verbs for many. */
static int append_filter(sd_bus_message *m, struct client *c, const struct options *o)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	r = o->daemon.group ? sd_bus_message_append(m, "{sv}", "Group", "s", o->daemon.group) : 0;
	if (r < 0)
		return r;
	r = o->target.device ? append_volumes(m, c, o) : 0;
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/*
 * Calls a method of the manager with the filter of the command line and with what @append adds.
 * @ret_reply may be NULL.
 */
static int call_all(struct client *c, const struct options *o, const char *member, append_fn append,
		    sd_bus_message **ret_reply)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r = client_new_call(c, BUS_PATH, BUS_MANAGER_INTERFACE, member, &call);

	if (r < 0)
		return r;
	r = append_filter(call, c, o);
	if (r < 0)
		return r;
	r = append(call, o);
	return r < 0 ? r : client_send(c, TAKE_PTR(call), ret_reply);
}

typedef int (*each_fn)(struct client *c, const struct options *o, const char *path);

static int for_one(struct client *c, const struct options *o, const char *operand, each_fn each)
{
	_cleanup_free_ char *path = NULL;
	int r = find_volume(c, o, operand, &path);

	return r < 0 ? r : each(c, o, path);
}

/* Does @each for all that are named. */
static int for_each(struct client *c, const struct options *o, each_fn each)
{
	int result = 0;

	assert(*o->target.operands);
	for (char **operand = o->target.operands; *operand; operand++) {
		int r = for_one(c, o, *operand, each);

		if (r < 0)
			result = r;
	}
	return result;
}

/* --- rotate --- */

void tell_if_it_waits(struct client *c, const char *path)
{
	_cleanup_free_ char *text = NULL;
	json_object *volume;

	if (client_properties(c, path, BUS_VOLUME_INTERFACE, &volume) < 0)
		return;
	text = wait_text(volume);
	if (text)
		log_notice("%s", text);
	json_object_put(volume);
}

int wait_for_volumes(struct client *c, const struct options *o, char **paths)
{
	struct wait_for w = wait_of(o);

	w.paths = paths;
	return wait_until_over(c, &w);
}

/* @path is NULL where the job is of several volumes. */
static int wait_for_job(struct client *c, const struct options *o, char *path, const char *job)
{
	char *paths[] = {path, NULL};
	struct wait_for w = wait_of(o);

	w.job = job;
	w.paths = path ? paths : NULL;
	return wait_until_over(c, &w);
}

/* What is asked for is forgotten where it comes to nothing. */
static int rotate_one(struct client *c, const struct options *o, const char *path,
		      sd_bus_message **ret_reply)
{
	struct options agreed = *o;
	int r;

	c->stop = interrupt_catch();
	r = rotation_keys(c, o, path, &agreed.rotation.lose_keyslots);
	if (r == 0)
		r = call_volume(c, &agreed, path, "Rotate", append_rotation, ret_reply);
	c->stop = NULL;
	interrupt_release();
	tell_interrupted(c, o->target.device);
	return r < 0 ? forget_keys(c, path, r) : r;
}

static int rotate_many(struct client *c, const struct options *o, sd_bus_message **ret_reply)
{
	int r = rotation_keys_of_all(c, o);

	return r < 0 ? r : call_all(c, o, "RotateAll", append_rotation, ret_reply);
}

int verb_rotate(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *path = NULL;
	const char *job;
	int r;

	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = o->target.device && !o->target.operands[1] ? find_volume(&c, o, o->target.device, &path)
						       : 0;
	if (r < 0)
		return r;
	r = path ? rotate_one(&c, o, path, &reply) : rotate_many(&c, o, &reply);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "o", &job);
	if (r < 0)
		return log_error_errno(r, "the answer of recryptd cannot be read");
	if (o->daemon.wait)
		return wait_for_job(&c, o, path, job);
	if (path)
		tell_if_it_waits(&c, path);
	return 0;
}

/* --- suspend, resume --- */

static int suspend_one(struct client *c, const struct options *o, const char *path)
{
	return client_call(c, path, BUS_VOLUME_INTERFACE, "Suspend", NULL, "sa{sv}",
			   o->daemon.reason ?: "", 0);
}

static int resume_one(struct client *c, const struct options *o, const char *path)
{
	int r = call_volume(c, o, path, "Resume", append_resume, NULL);

	if (r < 0)
		return r;
	if (!o->daemon.wait)
		tell_if_it_waits(c, path);
	return 0;
}

static int append_reason(sd_bus_message *m, const struct options *o)
{
	return sd_bus_message_append(m, "sa{sv}", o->daemon.reason ?: "", 0);
}

int verb_suspend(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	return o->target.device ? for_each(&c, o, suspend_one)
				: call_all(&c, o, "SuspendAll", append_reason, NULL);
}

/* All of them before any is waited for. */
static int resume(struct client *c, const struct options *o)
{
	return o->target.device ? for_each(c, o, resume_one)
				: call_all(c, o, "ResumeAll", append_resume, NULL);
}

int verb_resume(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	char **paths;
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	r = resume(&c, o);
	if (r < 0 || !o->daemon.wait)
		return r;
	r = o->target.device ? find_volumes(&c, o, &paths) : find_all_volumes(&c, o, &paths);
	if (r < 0)
		return r;
	r = wait_for_volumes(&c, o, paths);
	client_free_paths(paths);
	return r;
}

/* --- rate --- */

static int show_rate(struct client *c, const struct options *o, const char *path)
{
	const char *interface = path ? BUS_VOLUME_INTERFACE : BUS_MANAGER_INTERFACE;
	char text[VIEW_TEXT];
	json_object *properties;
	uint64_t rate;
	int r;

	r = client_properties(c, path ?: BUS_PATH, interface, &properties);
	if (r < 0)
		return r;
	rate = json_number(properties, "RateLimit");
	json_object_put(properties);
	view_rate(rate, text);
	if (o->output.json)
		printf("%" PRIu64 "\n", rate);
	else
		printf("%s\n", rate ? text : "no limit");
	return fflush(stdout) == 0 ? 0 : log_error_errno(-errno, "cannot write to standard output");
}

static int set_rate(struct client *c, const char *path, const char *value)
{
	uint64_t rate;

	if (strcmp(value, "default") == 0) {
		rate = RATE_AS_CONFIGURED;
	} else if (config_parse_bytes(value, &rate) < 0) {
		log_error("\"%s\" is not a rate (such as 2.5M, 500K, 10MB; 0 is no limit, default "
			  "what is configured)",
			  value);
		return -EINVAL;
	}
	if (path)
		return client_call(c, path, BUS_VOLUME_INTERFACE, "SetRateLimit", NULL, "ta{sv}",
				   rate, 0);
	return client_call(c, BUS_PATH, "org.freedesktop.DBus.Properties", "Set", NULL, "ssv",
			   BUS_MANAGER_INTERFACE, "RateLimit", "t", rate);
}

int verb_rate(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	const char *value = o->daemon.host ? o->target.device : o->target.operands[1];
	int r;

	assert(!o->daemon.host || !o->target.device || !o->target.operands[1]);
	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = o->daemon.host ? 0 : find_volume(&c, o, o->target.device, &path);
	if (r < 0)
		return r;
	return value ? set_rate(&c, path, value) : show_rate(&c, o, path);
}

/* --- lock, accept, add, remove --- */

static int call_without_options(const struct options *o, const char *method)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	int r = open_volume(o, &c, &path);

	return r < 0 ? r : client_call(&c, path, BUS_VOLUME_INTERFACE, method, NULL, "a{sv}", 0);
}

int verb_lock(const struct options *o)
{
	return call_without_options(o, "Lock");
}

int verb_accept(const struct options *o)
{
	return call_without_options(o, "AcceptState");
}

/*
 * The path that the daemon sees, which has another working directory. A link of udev stays as it
 * is: it leads to the disk after a reboot, too, when the kernel has given that another name.
 */
static int absolute(const struct options *o, const char *path, char **ret)
{
	_cleanup_free_ char *tagged = NULL;
	const bool kept = o->daemon.remote || strncmp(path, "/dev/", strlen("/dev/")) == 0;
	char real[PATH_MAX];

	if (device_name_path(path, &tagged) == 0 && *path != '/')
		path = tagged;
	*ret = path_to_text(kept || !realpath(path, real) ? path : real);
	return *ret ? 0 : -ENOMEM;
}

/* The daemon follows no path; on another host nobody else does. */
static int name_on_host(const struct options *o, char name[static DM_NAME_MAX + 1])
{
	if (o->daemon.remote)
		return snprintf(name, DM_NAME_MAX + 1, "%s", o->target.active_name) > DM_NAME_MAX
			       ? -ENAMETOOLONG
			       : 0;
	return find_mapping_name(o->target.active_name, name);
}

/* The arguments of AddVolume(); @header and @name may be NULL. */
static int append_new_volume(sd_bus_message *m, const char *device, const char *header,
			     const char *name)
{
	const struct {
		const char *key, *value;
	} entries[] = {{"HeaderDevice", header}, {"Name", name}};
	int r;

	r = sd_bus_message_append(m, "s", device);
	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	for (size_t i = 0; i < ARRAY_SIZE(entries) && r >= 0; i++)
		if (entries[i].value)
			r = sd_bus_message_append(m, "{sv}", entries[i].key, "s", entries[i].value);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int add_volume(struct client *c, const struct options *o, char **ret_path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
	_cleanup_free_ char *device = NULL, *header = NULL;
	char name[DM_NAME_MAX + 1];
	int r;

	if (!o->target.device)
		return log_refusal(
			-EINVAL,
			"%s: the daemon needs the device of a mapping, too: recryptctl add "
			"--active-name %s DEVICE",
			o->target.active_name, o->target.active_name);
	r = check_kind(o);
	if (r < 0)
		return r;
	if (absolute(o, o->target.device, &device) < 0 ||
	    (o->target.header && absolute(o, o->target.header, &header) < 0))
		return log_error_errno(-ENOMEM, "%s", o->target.device);
	r = o->target.active_name ? name_on_host(o, name) : 0;
	if (r < 0)
		return log_error_errno(r, "%s: is no open mapping", o->target.active_name);
	r = client_new_call(c, BUS_PATH, BUS_MANAGER_INTERFACE, "AddVolume", &call);
	if (r < 0)
		return r;
	r = append_new_volume(call, device, header, o->target.active_name ? name : NULL);
	if (r < 0)
		return r;
	r = client_send(c, TAKE_PTR(call), &reply);
	return r < 0 ? r : client_read_path(reply, ret_path);
}

int verb_add(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	int r = open_client(o, &c);

	return r < 0 ? r : add_volume(&c, o, &path);
}

int verb_remove(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	int r = open_volume(o, &c, &path);

	if (r < 0)
		return r;
	if (o->daemon.force)
		return client_call(&c, BUS_PATH, BUS_MANAGER_INTERFACE, "RemoveVolume", NULL,
				   "oa{sv}", path, 1, "Force", "b", 1);
	return client_call(&c, BUS_PATH, BUS_MANAGER_INTERFACE, "RemoveVolume", NULL, "oa{sv}",
			   path, 0);
}
