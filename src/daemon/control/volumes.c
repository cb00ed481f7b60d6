/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How volumes and jobs are named. */
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/discover.h"
#include "dm/names.h"
#include "util/cleanup.h"
#include "util/device-name.h"
#include "util/uuid.h"

struct volume *manager_volume_by_uuid(struct manager *m, const char *text)
{
	char uuid[UUID_TEXT_SIZE];

	if (uuid_canonical(text, uuid) < 0)
		return NULL;
	for (struct volume *v = m->volumes; v; v = v->next)
		if (strcmp(v->uuid, uuid) == 0)
			return v;
	return NULL;
}

struct volume *manager_present_volume(struct manager *m, const char *uuid)
{
	struct volume *v = manager_volume_by_uuid(m, uuid);

	return v && !place_is_absent(&v->place) ? v : NULL;
}

struct job *manager_job_by_id(struct manager *m, uint64_t id)
{
	for (struct job *j = m->jobs.first; j; j = j->next)
		if (j->id == id)
			return j;
	return NULL;
}

struct volume *manager_volume_by_path(struct manager *m, const char *path)
{
	struct volume *awaited = NULL;

	for (struct volume *v = m->volumes; v; v = v->next) {
		const struct volume_config *c = config_find_volume(m->config, v->uuid);

		if (!place_is_absent(&v->place) &&
		    (strcmp(v->place.device, path) == 0 || place_has_link(&v->place, path)))
			return v;
		if (strcmp(v->place.device, path) == 0 ||
		    (c && c->device && strcmp(c->device, path) == 0))
			awaited = v;
	}
	return awaited;
}

/*
 * "a b" and "a\x20b" may both be open, and "a b" means either: the exact name is preferred.
 * -ENOTUNIQ: two are meant in the same way; -ENODEV.
 */
static int find_by_name(const struct manager *m, const char *name, struct volume **ret)
{
	enum name_match best = NAME_OTHER;
	unsigned n = 0;

	for (struct volume *v = m->volumes; v; v = v->next) {
		const enum name_match match =
			*v->place.name ? name_match(name, v->place.name) : NAME_OTHER;

		if (match == NAME_OTHER || match < best)
			continue;
		n = match == best ? n + 1 : 1;
		best = match;
		*ret = v;
	}
	return n == 0 ? -ENODEV : n > 1 ? -ENOTUNIQ : 0;
}

/* Of an image file udev knows nothing. */
static struct volume *find_by_uuid_tag(struct manager *m, const char *what)
{
	static const char tag[] = "UUID=";

	return strncmp(what, tag, strlen(tag)) == 0 ? manager_volume_by_uuid(m, what + strlen(tag))
						    : NULL;
}

int manager_find_volume(struct manager *m, const char *what, struct failure *f, struct volume **ret)
{
	static const char mapper[] = "/dev/mapper/";
	const char *name =
		strncmp(what, mapper, strlen(mapper)) == 0 ? what + strlen(mapper) : what;
	struct volume *v = manager_volume_by_uuid(m, what);
	_cleanup_free_ char *path = NULL;

	if (!v && find_by_name(m, name, &v) == -ENOTUNIQ)
		return failure_set(
			f, -ENOTUNIQ,
			"%s: several volumes have this name; name one by its UUID, or by "
			"its device",
			what);
	if (!v)
		v = find_by_uuid_tag(m, what);
	if (!v && device_name_path(what, &path) == 0)
		v = manager_volume_by_path(m, path);
	if (!v)
		v = manager_volume_by_uuid(m, crypttab_names_uuid(&m->core->crypttab_names, what));
	if (!v && path)
		return failure_set(
			f, -ENODEV,
			"%s: recryptd knows no volume by this path (\"recryptctl list\" shows them "
			"all, and recryptd follows no links); a device is made known with: "
			"recryptctl add DEVICE",
			what);
	if (!v)
		return failure_set(f, -ENODEV,
				   "%s: recryptd knows no volume by this name (\"recryptctl "
				   "list\" shows them all); a device is made known with: "
				   "recryptctl add DEVICE",
				   what);
	*ret = v;
	return 0;
}
