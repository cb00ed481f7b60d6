/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that the configuration or the state file name, and that are not where they were: the
 * kernel has given their disk another name, or it is not connected. They are listed as "absent",
 * and looked for by UUID, once for each look at their own path that fails:
 *
 *   own path fails --> absent --> when no look is under way: where was its UUID seen?
 *                        ^            nowhere, or at two places: stays, and says so
 *                        `----------- at one place: a worker inspects the device there
 *
 * A UUID alone is never enough: what is found passes duplicates.h and place_check() as any other.
 */
#pragma once

#include <stdbool.h>

#include "daemon/state/failure.h"
#include "proto/messages.h"

struct manager;
struct probe_spec;
struct sighting;
struct volume_config;

/* Other volumes than those that were looked for, at the paths of the latter. */
struct absent {
	struct sighting *first;
	bool unused_told; /* sections whose volume nobody knows */
};

void absent_clear(struct absent *a);

/* Looks at the path of a section, for its volume alone; what is not there becomes absent. */
void absent_look_at(struct manager *m, const struct volume_config *c);

/* A look for one volume has shown another. */
void absent_seen(struct manager *m, const char *path, const struct worker_look *look);
/* A look for a volume has not found it; nobody waits for the answer. */
void absent_missed(struct manager *m, const struct probe_spec *spec, int error,
		   const struct failure *f);
/* Once a turn: looks for those that are new here. */
void absent_seek(struct manager *m);
/* The configuration has changed: what it no longer names is not awaited. */
void absent_apply_config(struct manager *m);
