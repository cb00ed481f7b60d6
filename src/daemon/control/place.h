/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A slot of the volume: which device it is on. The UUID is the stable part, and a clone has it too;
 * the node (a device number, or the inode of a file) is what tells the two apart. A disk that is
 * detached and attached again gets another number: that is taken for the volume's only once the old
 * node is gone.
 */
#pragma once

#include <stdbool.h>

#include "daemon/state/failure.h"
#include "proto/messages.h"

struct volume_place {
	char *name;               /* dm name of the open mapping; "": closed */
	char *device;             /* path */
	char *header_device;      /* path; "": the header is on the device */
	struct identity identity; /* nodes not known: of a worker that does not tell */
	char **links;             /* of udev to the device; NULL-terminated, or NULL */
	char **disks;             /* sysfs names of the physical ones; NULL-terminated, or NULL */
	char *absence;            /* it was not found, for this reason; NULL: it was */
	bool sought;              /* elsewhere, too */
	bool absence_told;        /* there is a line in the journal */
};

void place_clear(struct volume_place *p);

/* Nothing but these paths is known: @header may be NULL. -ENOMEM. */
int place_await(struct volume_place *p, const char *device, const char *header);
/* Why it is not found. -ENOMEM: what was said before stays. */
int place_set_absence(struct volume_place *p, const char *why);
/* True for the first time that this reason is there: it is to be told. */
bool place_tell_absence(struct volume_place *p);
static inline bool place_is_absent(const struct volume_place *p)
{
	return p->absence;
}

/* Takes the names and disks of @look. True: a name is another one. */
bool place_take_names(struct volume_place *p, struct worker_look *look);
/* What was looked at is the volume, and place_check() has nothing against it. */
void place_take_nodes(struct volume_place *p, const struct worker_look *look);

/* Does udev know the device by this link, too? As of the last look. */
bool place_has_link(const struct volume_place *p, const char *path);
/* Is the device with its header still there, as far as sysfs knows? */
bool place_is_attached(const struct volume_place *p);
/* Is that exactly where it is known to be? */
bool place_is_at(const struct volume_place *p, const struct worker_look *look);
/* -ENOTUNIQ: it is on another device, as far as can be known, and that has the same UUID. */
int place_check(const struct volume_place *p, const struct worker_look *look, struct failure *f);
