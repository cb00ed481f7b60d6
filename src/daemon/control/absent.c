/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/absent.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/discover.h"
#include "daemon/workers/duplicates.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/log.h"
#include "util/node.h"

#define BY_UUID "/dev/disk/by-uuid/"

struct sighting {
	struct sighting *next;
	char *path;
	struct node node;
	char uuid[37];
};

static void free_sighting(struct sighting *s)
{
	free(s->path);
	free(s);
}

void absent_clear(struct absent *a)
{
	while (a->first) {
		struct sighting *s = a->first;

		a->first = s->next;
		free_sighting(s);
	}
}

void absent_look_at(struct manager *m, const struct volume_config *c)
{
	const struct probe_spec spec = {
		.device = c->device,
		.header_device = c->header_device,
		.name = c->name,
		.uuid = c->uuid,
		.quiet = true,
	};

	assert(c->device);
	if (probe_new(&m->core->probes, &spec) < 0)
		log_error("out of memory");
}

void absent_seen(struct manager *m, const char *path, const struct worker_look *look)
{
	struct sighting *s = calloc(1, sizeof(*s));

	assert(look->valid);
	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		free(s);
		log_error("out of memory");
		return;
	}
	s->node = look->header_node;
	(void)snprintf(s->uuid, sizeof(s->uuid), "%s", look->uuid);
	s->next = m->core->absent.first;
	m->core->absent.first = s;
}

/* The UUID that was seen at the path last, or NULL. */
static const char *seen_at(const struct manager *m, const char *path)
{
	for (const struct sighting *s = m->core->absent.first; s; s = s->next)
		if (strcmp(s->path, path) == 0)
			return s->uuid;
	return NULL;
}

static void say_why(const struct manager *m, const struct volume_config *c, int error,
		    const struct failure *f, struct failure *ret)
{
	const char *other = error == -ERROR_HEADER_CHANGED ? seen_at(m, c->device) : NULL;
	const bool gone = error == -ENODEV || error == -ENOENT || error == -ENXIO;
	char remedy[128];

	if (error == -ENOTUNIQ) { /* with a remedy of its own */
		*ret = *f;
		return;
	}
	if (c->remembered)
		(void)snprintf(remedy, sizeof(remedy),
			       "connect it, or forget it: recryptctl remove %s", c->uuid);
	else
		(void)snprintf(remedy, sizeof(remedy),
			       "connect it, or take its section out of the configuration");
	if (other || gone)
		(void)failure_set(ret, error,
				  "volume %s was last seen at %.256s, where now is %s; %s", c->uuid,
				  c->device, other ?: "nothing", remedy);
	else
		(void)failure_set(ret, error, "volume %s is not found at %.128s (%.200s); %s",
				  c->uuid, c->device, f->text, remedy);
}

/* @sought: udev was asked already, and the answer is in @why. */
static void await(struct manager *m, const struct volume_config *c, const struct failure *why,
		  bool sought)
{
	struct volume *v = manager_volume_by_uuid(m, c->uuid);
	int r;

	if (!v)
		r = volume_new_absent(m, c->uuid, c->device, c->header_device, why->text, &v);
	else
		r = place_set_absence(&v->place, why->text);
	if (r < 0) {
		log_error("out of memory");
		return;
	}
	v->place.sought = sought;
	mark_set(&v->mark, 0);
}

void absent_missed(struct manager *m, const struct probe_spec *spec, int error,
		   const struct failure *f)
{
	const struct volume_config *c = config_find_volume(m->config, spec->uuid);
	struct volume *v = manager_volume_by_uuid(m, spec->uuid);
	struct failure why;

	if (!c || !c->device || error == -ENOMEM || (v && !place_is_absent(&v->place)))
		return;
	say_why(m, c, error, f, &why);
	if (strcmp(spec->device, c->device) == 0) {
		await(m, c, &why, error == -ENOTUNIQ);
	} else if (v && error == -ENOTUNIQ && place_set_absence(&v->place, f->text) == 0) {
		log_warning("%s", f->text);
		mark_set(&v->mark, 0);
	}
}

/* Where a volume may be, and another place where it may be as well. */
struct candidates {
	const char *first, *second; /* NULL: none */
	struct node node;           /* of the first */
};

static void add_candidate(struct candidates *c, const char *path, struct node node)
{
	if (!c->first) {
		c->first = path;
		c->node = node;
	} else if (!node_equal(c->node, node)) {
		c->second = path;
	}
}

/* Disks are udev's to find; what it does not know are image files, and disks where it is not asked.
 */
static void find_candidates(struct manager *m, const struct volume *v, const char *disk,
			    struct candidates *ret)
{
	const bool udev = !m->options->no_devices;

	for (const struct sighting *s = m->core->absent.first; s; s = s->next)
		if (strcmp(s->uuid, v->uuid) == 0 && !(udev && node_is_block(s->node)))
			add_candidate(ret, s->path, s->node);
	if (disk)
		add_candidate(ret, disk, (struct node){});
}

static void look_elsewhere(struct manager *m, struct volume *v, const char *path)
{
	const struct volume_config *c = config_find_volume(m->config, v->uuid);
	const struct probe_spec spec = {
		.device = path,
		.name = c ? c->name : NULL,
		.uuid = v->uuid,
		.quiet = true,
		.remember = c && c->remembered,
	};

	if (probe_new(&m->core->probes, &spec) < 0)
		log_error("out of memory");
}

static void tell(struct volume *v)
{
	if (place_tell_absence(&v->place))
		log_warning("%s", v->place.absence);
}

static void seek(struct manager *m, struct volume *v)
{
	_cleanup_free_ char *disk = NULL, *by_uuid = NULL;
	struct candidates found = {};
	struct failure f;

	if (*v->place.header_device) { /* the data may be anywhere */
		tell(v);
		return;
	}
	disk = m->options->no_devices ? NULL : duplicates_find(v->uuid);
	find_candidates(m, v, disk, &found);
	if (found.second) {
		(void)failure_set(&f, -ENOTUNIQ,
				  "%.200s and %.200s have the same LUKS UUID, %s, and nobody can "
				  "tell which is the volume; say which: recryptctl add DEVICE",
				  found.first, found.second, v->uuid);
		(void)place_set_absence(&v->place, f.text);
		mark_set(&v->mark, 0);
	}
	if (found.second || !found.first) {
		tell(v);
		return;
	}
	/* A disk is named so that a second one with this UUID is seen. */
	if (found.first == disk && asprintf(&by_uuid, BY_UUID "%s", v->uuid) < 0)
		by_uuid = NULL;
	look_elsewhere(m, v, by_uuid ?: found.first);
}

/* Once for each reading of the configuration, when all is known that can be found. */
static void tell_unused(struct manager *m)
{
	if (m->core->absent.unused_told || m->core->probes.first ||
	    discover_is_reading(m->core->discover))
		return;
	m->core->absent.unused_told = true;
	for (size_t i = 0; i < m->config->n_volumes; i++) {
		const struct volume_config *c = &m->config->volumes[i];
		_cleanup_free_ char *where = config_section_text(m->config, c->uuid);

		if (where && !c->device && !manager_volume_by_uuid(m, c->uuid))
			log_notice("%s: no volume %s is known; the section has no effect until one "
				   "is",
				   where, c->uuid);
	}
}

void absent_seek(struct manager *m)
{
	const struct probes *p = &m->core->probes;
	bool any = false;

	if ((p->first && !p->hurried) || m->stopping)
		return;
	for (struct volume *v = m->volumes; v; v = v->next) {
		if (!place_is_absent(&v->place) || v->place.sought)
			continue;
		v->place.sought = any = true;
		seek(m, v);
	}
	absent_clear(&m->core->absent);
	if (!any)
		tell_unused(m);
	if (any)
		discover_mappings(m->core->discover); /* it may be open, whatever its device is */
}

void absent_apply_config(struct manager *m)
{
	m->core->absent.unused_told = false;
	for (struct volume *v = m->volumes, *next; v; v = next) {
		const struct volume_config *c = config_find_volume(m->config, v->uuid);

		next = v->next;
		if (place_is_absent(&v->place) && (!c || !c->device))
			volume_remove(v);
	}
}

int volume_refuse_absent(struct volume *v, struct failure *f)
{
	struct manager *m = v->manager;
	const struct volume_config *c = config_find_volume(m->config, v->uuid);

	if (!place_is_absent(&v->place))
		return 0;
	if (c && c->device && !m->stopping)
		absent_look_at(m, c); /* its file system may have come meanwhile */
	return failure_set(f, -ENODEV, "%s", v->place.absence);
}
