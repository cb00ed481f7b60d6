/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"

struct world world;

void world_reset(unsigned n)
{
	assert(n <= DISKS_MAX);
	loop_reset();
	store_reset();
	memory_reset();
	world.n_disks = n;
	world.n_workers = 0;
	world.links = NULL;
	world.hung = false;
	for (unsigned i = 0; i < n; i++) {
		struct disk *d = &world.disk[i];

		*d = (struct disk){.number = i, .header.sequence = 1};
		(void)snprintf(d->uuid, sizeof(d->uuid), "00000000-0000-4000-8000-%012u", i + 1);
		(void)snprintf(d->path, sizeof(d->path), "/disk/%u", i);
		(void)snprintf(d->header.old_side, sizeof(d->header.old_side), "%u.0", i);
	}
}

void world_free(void)
{
	assert(!world.links);
	for (unsigned i = 0; i < world.n_workers; i++)
		worker_clear(&world.worker[i]);
	store_reset();
	memory_reset();
}

void world_reboot(void)
{
	for (unsigned i = 0; i < world.n_workers; i++)
		if (world.worker[i].alive)
			worker_die(&world.worker[i]);
	for (unsigned i = 0; i < world.n_disks; i++)
		world.disk[i].header.stacked = false;
	store_reset();
}

struct disk *world_disk(const char *uuid)
{
	for (unsigned i = 0; i < world.n_disks; i++)
		if (strcmp(world.disk[i].uuid, uuid) == 0)
			return &world.disk[i];
	assert(false);
	return NULL;
}
