/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl list, keys, check; and finding the volume that any verb is about. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/bus-json.h"
#include "ctl/status.h"
#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "dm/find.h"
#include "util/error.h"
#include "util/log.h"
#include "util/node.h"
#include "util/path-text.h"

int open_client(const struct options *o, struct client *ret)
{
	int r = client_open(o, ret);

	if (r < 0 && o->daemon.remote)
		return log_error_errno(r, "%s: ssh cannot be started", o->daemon.remote);
	if (r < 0)
		log_error("the system bus, and so recryptd, cannot be reached (%s); reencrypt, "
			  "recover, cancel and the status of a device need no daemon",
			  error_text(r));
	return r;
}

static int pick_by_node(json_object *volumes, struct node wanted, char **ret_path)
{
	struct stat st;

	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		_cleanup_free_ char *device = NULL;

		if (path_from_text(json_text(v, "Device"), &device) < 0 || stat(device, &st) < 0 ||
		    !node_equal(wanted, node_of(&st)))
			continue;
		*ret_path = strdup(json_text(v, "Path"));
		return *ret_path ? 0 : -ENOMEM;
	}
	return -ENODEV;
}

/* The volume whose device the path leads to, by another name than the daemon's. */
static int find_by_node(struct client *c, const char *path, char **ret_path)
{
	json_object *volumes;
	struct stat wanted;
	int r;

	if (stat(path, &wanted) < 0)
		return -errno;
	r = client_volumes(c, &volumes);
	if (r < 0)
		return r;
	r = pick_by_node(volumes, node_of(&wanted), ret_path);
	json_object_put(volumes);
	return r;
}

/* @which may be bytes that are no text. */
static int client_find_path(struct client *c, const char *which, char **ret_path)
{
	_cleanup_free_ char *text = path_to_text(which);

	return text ? client_find_volume(c, text, ret_path) : -ENOMEM;
}

/* The daemon follows no path that it is given, so what the operand leads to is found out here. */
int find_volume(struct client *c, const struct options *o, const char *operand, char **ret_path)
{
	const bool quiet = c->log_off;
	char path[PATH_MAX], name[DM_NAME_MAX + 1];
	int r;

	if (o->daemon.remote || !realpath(operand, path))
		return client_find_path(c, operand, ret_path);
	c->log_off = true;
	r = client_find_path(c, path, ret_path);
	if (r < 0)
		r = find_by_node(c, path, ret_path);
	if (r < 0 && find_mapping_name(path, name) == 0)
		r = client_find_path(c, name, ret_path);
	c->log_off = quiet;
	return r == 0 ? 0 : client_find_path(c, operand, ret_path);
}

int open_volume(const struct options *o, struct client *ret, char **ret_path)
{
	int r = open_client(o, ret);

	return r < 0 ? r : find_volume(ret, o, o->target.device, ret_path);
}

static int read_volume(const struct options *o, const char *which, json_object **ret)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	r = find_volume(&c, o, which, &path);
	return r < 0 ? r : client_properties(&c, path, BUS_VOLUME_INTERFACE, ret);
}

/* Prints @volume with @view, or as JSON. */
static int show(const struct options *o, json_object *value, int (*view)(json_object *, FILE *))
{
	int r;

	if (o->output.json)
		return print_json(value, o->output.json, stdout);
	r = view(value, stdout);
	return r < 0 ? log_error_errno(r, "cannot write to standard output") : 0;
}

/* Where a daemon runs and knows the volume; NULL otherwise, without a word. */
static json_object *daemon_volume(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	json_object *volume = NULL;

	if (o->foreground || client_open(o, &c) < 0)
		return NULL;
	c.log_off = true;
	if (client_has_daemon(&c) &&
	    find_volume(&c, o, o->target.active_name ?: o->target.device, &path) == 0)
		(void)client_properties(&c, path, BUS_VOLUME_INTERFACE, &volume);
	return volume;
}

/*
 * The header says where the data stands, the daemon what becomes of it. Who is on another host, or
 * may not read the device, has only the latter.
 */
int verb_status(const struct options *o)
{
	json_object *volume = NULL;
	int r;

	if (!o->daemon.remote)
		volume = daemon_volume(o);
	if (!o->daemon.remote && (!volume || geteuid() == 0)) {
		r = status_print(o, volume, stdout);
		json_object_put(volume);
		return r;
	}
	r = volume ? 0 : read_volume(o, o->target.active_name ?: o->target.device, &volume);
	if (r < 0)
		return r;
	r = show(o, volume, view_volume);
	json_object_put(volume);
	return r;
}

int verb_list(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	json_object *volumes;
	int r;

	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = client_volumes(&c, &volumes);
	if (r < 0)
		return r;
	r = show(o, volumes, view_list);
	json_object_put(volumes);
	return r;
}

int verb_keys(const struct options *o)
{
	json_object *volume, *keys;
	int r = read_volume(o, o->target.device, &volume);

	if (r < 0)
		return r;
	if (o->output.json && json_object_object_get_ex(volume, "Keys", &keys))
		r = print_json(keys, o->output.json, stdout);
	else
		r = show(o, volume, view_keys);
	json_object_put(volume);
	return r;
}

int verb_check(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	json_object *result;
	int r = open_volume(o, &c, &path);
	bool obstacle;

	if (r < 0)
		return r;
	r = check_rotation(&c, o, path, &result);
	if (r < 0)
		return r;
	r = show(o, result, view_check);
	obstacle = *json_text(result, "Obstacle");
	json_object_put(result);
	return r < 0 || !obstacle ? r : -EINVAL;
}
