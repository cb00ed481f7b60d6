/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The volume that a verb is about, whatever it is called by, and calls of its methods. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/bus-json.h"
#include "ctl/verbs.h"
#include "dm/find.h"
#include "util/cleanup.h"
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

/* Who opens it would say so in the words of the kernel. */
int check_kind(const struct options *o)
{
	struct stat st;

	if (o->daemon.remote || !o->target.device || stat(o->target.device, &st) < 0 ||
	    S_ISBLK(st.st_mode) || S_ISREG(st.st_mode))
		return 0;
	return log_refusal(-ENOTBLK, "%s: not a block device or an image file", o->target.device);
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

int call_volume(struct client *c, const struct options *o, const char *path, const char *member,
		append_fn append, sd_bus_message **ret_reply)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r = client_new_call(c, path, BUS_VOLUME_INTERFACE, member, &call);

	if (r < 0)
		return r;
	r = append(call, o);
	return r < 0 ? r : client_send(c, TAKE_PTR(call), ret_reply);
}

int find_volumes(struct client *c, const struct options *o, char ***ret_paths)
{
	char **paths;
	size_t n = 0;
	int r = 0;

	while (o->target.operands[n])
		n++;
	paths = calloc(n + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = find_volume(c, o, o->target.operands[i], &paths[i]);
	if (r < 0) {
		client_free_paths(paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}

static int copy_paths(json_object *volumes, const struct options *o, char **paths)
{
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *volume = json_object_array_get_idx(volumes, i);

		if (o->daemon.group && strcmp(o->daemon.group, json_text(volume, "Group")) != 0)
			continue;
		paths[n] = strdup(json_text(volume, "Path"));
		if (!paths[n++])
			return -ENOMEM;
	}
	return 0;
}

int find_all_volumes(struct client *c, const struct options *o, char ***ret_paths)
{
	json_object *volumes;
	char **paths;
	int r = client_volumes(c, &volumes);

	if (r < 0)
		return r;
	paths = calloc(json_object_array_length(volumes) + 1, sizeof(*paths));
	r = paths ? copy_paths(volumes, o, paths) : -ENOMEM;
	json_object_put(volumes);
	if (r < 0) {
		client_free_paths(paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}
