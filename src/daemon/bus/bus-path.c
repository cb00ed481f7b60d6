/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where volumes and jobs are on the bus, and what is at a path. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/bus/bus-internal.h"

struct object_path volume_path(const char *uuid)
{
	struct object_path p;

	(void)snprintf(p.text, sizeof(p.text), BUS_VOLUME_PREFIX "/%s", uuid);
	for (char *c = p.text; *c; c++)
		if (*c == '-')
			*c = '_';
	return p;
}

struct volume *volume_at(const struct bus *b, const char *path)
{
	char uuid[sizeof(((struct volume *)NULL)->uuid)];
	size_t prefix = strlen(BUS_VOLUME_PREFIX "/"), i;
	struct volume *v;

	if (strncmp(path, BUS_VOLUME_PREFIX "/", prefix) != 0)
		return NULL;
	for (i = 0; path[prefix + i] && i < sizeof(uuid) - 1; i++)
		uuid[i] = path[prefix + i] == '_' ? '-' : path[prefix + i];
	uuid[i] = '\0';
	if (path[prefix + i])
		return NULL;
	v = manager_volume_by_uuid(b->manager, uuid);
	return v && strcmp(volume_path(v->uuid).text, path) == 0 ? v : NULL; /* one path only */
}

struct object_path job_path_of(uint64_t id)
{
	struct object_path p;

	(void)snprintf(p.text, sizeof(p.text), BUS_JOB_PREFIX "/%" PRIu64, id);
	return p;
}

struct object_path job_path(const struct job *j)
{
	return job_path_of(j->id);
}

struct job *job_at(const struct bus *b, const char *path)
{
	for (struct job *j = b->manager->jobs.first; j; j = j->next)
		if (strcmp(job_path(j).text, path) == 0)
			return j;
	return NULL;
}

struct object_path job_volume_path(const struct job *j)
{
	return j->n_members == 1 ? volume_path(j->members[0].uuid) : (struct object_path){"/"};
}
