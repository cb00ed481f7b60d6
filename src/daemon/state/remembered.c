/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/remembered.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <json-c/json.h>

#include "daemon/state/whole-file.h"
#include "model/json-members.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"

#define SIZE_MAX_OF_FILE ((size_t)64 << 10) /* two texts of 8 KiB, escaped */

/* It comes from the header, and becomes a part of a path. */
static bool is_uuid(const char *text)
{
	return strlen(text) == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36;
}

static int path_of(const char *dir, const char *uuid, const char *suffix,
		   char path[static PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/volumes%s%s%s", dir, *uuid ? "/" : "", uuid,
				suffix) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

void remembered_clear(struct remembered *r)
{
	free(r->written);
	free(r->pending);
	*r = (struct remembered){};
}

static void cleanup_json(json_object **o)
{
	(void)json_object_put(*o);
}

static char *get_text(json_object *o, const char *name)
{
	json_object *found = json_member(o, name, json_type_string);

	return found ? strdup(json_object_get_string(found)) : NULL;
}

static uint64_t get_number(json_object *o, const char *name)
{
	json_object *found = json_member(o, name, json_type_int);

	return found ? json_object_get_uint64(found) : 0;
}

void remembered_load(const char *dir, const char *uuid, struct remembered *ret)
{
	_cleanup_(cleanup_json) json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int r;

	*ret = (struct remembered){};
	if (!dir || !is_uuid(uuid) || path_of(dir, uuid, "", path) < 0)
		return;
	r = whole_file_read(path, SIZE_MAX_OF_FILE, &text);
	if (r == -ENOENT)
		return;
	o = r < 0 ? NULL : json_tokener_parse(text);
	if (!json_object_is_type(o, json_type_object)) {
		log_warning("%s: is no state of a volume and is not used", path);
		return;
	}
	ret->written = get_text(o, "written");
	ret->pending = get_text(o, "pending");
	ret->serial = get_number(o, "serial");
	ret->sequence = get_number(o, "sequence");
}

static int format_remembered(const struct remembered *r, json_object **ret)
{
	_cleanup_(cleanup_json) json_object *o = json_object_new_object();

	if (!o || (r->written && json_put(o, "written", json_object_new_string(r->written)) < 0) ||
	    (r->pending && json_put(o, "pending", json_object_new_string(r->pending)) < 0) ||
	    json_put(o, "serial", json_object_new_uint64(r->serial)) < 0 ||
	    json_put(o, "sequence", json_object_new_uint64(r->sequence)) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

static int make_directory(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_text(const char *dir, const char *uuid, const char *text)
{
	char path[PATH_MAX], directory[PATH_MAX];
	int r;

	if (path_of(dir, "", "", directory) < 0 || path_of(dir, uuid, "", path) < 0)
		return -ENAMETOOLONG;
	r = make_directory(dir);
	if (r < 0)
		return r;
	r = make_directory(directory);
	if (r < 0)
		return r;
	r = whole_file_replace(path, text);
	return r < 0 ? r : whole_file_flush_name(directory);
}

static int write_remembered(const char *dir, const char *uuid, const struct remembered *r)
{
	_cleanup_(cleanup_json) json_object *o = NULL;
	const char *text;
	int q;

	if (!is_uuid(uuid))
		return -EINVAL;
	q = format_remembered(r, &o);
	if (q < 0)
		return q;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	return text ? write_text(dir, uuid, text) : -ENOMEM;
}

int remembered_save(const char *dir, const char *uuid, const struct remembered *r)
{
	int q;

	if (!dir)
		return 0;
	q = write_remembered(dir, uuid, r);
	if (q < 0)
		log_warning_errno(q,
				  "%s: its state cannot be kept in %s/volumes; after a restart its "
				  "state token counts only once a key is known",
				  uuid, dir);
	return q;
}

void remembered_forget(const char *dir, const char *uuid)
{
	char path[PATH_MAX];

	if (dir && is_uuid(uuid) && path_of(dir, uuid, "", path) == 0 && unlink(path) < 0 &&
	    errno != ENOENT)
		log_warning_errno(-errno, "%s: cannot be removed", path);
}
