/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl list, keys, check, and status of what the daemon knows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/bus-json.h"
#include "ctl/status.h"
#include "ctl/verbs.h"
#include "ctl/volume-table.h"
#include "ctl/volume-view.h"
#include "util/log.h"

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
	/* Where there is no device there is no header to read. */
	if (!o->daemon.remote &&
	    (!volume || (geteuid() == 0 && strcmp(json_text(volume, "State"), "absent") != 0))) {
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

static int print_list(const struct options *o, json_object *volumes)
{
	struct table_style style = volume_table_style(!o->output.no_legend, stdout);
	int r;

	style.keep = o->output.columns;
	r = volume_table_print(volumes, o->output.columns ?: VOLUME_LIST_COLUMNS, NULL, &style,
			       stdout);
	if (r >= 0 && fflush(stdout) != 0)
		r = -errno;
	return r < 0 ? log_error_errno(r, "cannot write to standard output") : 0;
}

int verb_list(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	json_object *volumes;
	int r;

	r = o->output.columns ? volume_table_check(o->output.columns) : 0;
	if (r < 0)
		return r;
	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = client_volumes(&c, &volumes);
	if (r < 0)
		return r;
	r = o->output.json ? print_json(volumes, o->output.json, stdout) : print_list(o, volumes);
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
