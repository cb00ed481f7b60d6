/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which active mappings have the UUID of a LUKS2 volume, and is there a stack under them. Changes
 * nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm/task.h"

struct active_volume {
	char name[DM_NAME_MAX + 1];
	dev_t device;
	dev_t data_device; /* what the volume lies on; 0: not to be told from its table */
	uint64_t size;     /* bytes; 0 likewise */
	bool suspended;
	bool helpers; /* some device of a stack is there: under it, or left over */
	bool frozen;  /* I/O to a range waits: of a worker that is at work, or has died */
};

/* More than copies of a volume that anybody has open at once. */
#define ACTIVE_VOLUMES_MAX 16

struct active_volumes {
	size_t n;
	struct active_volume volume[ACTIVE_VOLUMES_MAX];
};

/*
 * All mappings with the LUKS2 UUID @uuid (with dashes), as cryptsetup marks them, whatever their
 * names, the names of stack_new() or not, and whatever they lie on: a disk and its copies have one
 * UUID. None is no error. -E2BIG: more than ACTIVE_VOLUMES_MAX; -EOPNOTSUPP: the kernel has no
 * device-mapper.
 */
int find_active_volumes(const char *uuid, struct active_volumes *ret);

/*
 * The mapping that name_match() means. -ENODEV: there is none, or it is no LUKS2 volume; -EINVAL,
 * -ENAMETOOLONG: no device can have the name.
 */
int find_volume_by_name(const char *name, struct active_volume *ret);

/*
 * The name of the mapping that a person names: NAME itself, or the path of a block device of
 * device-mapper: /dev/mapper/NAME, /dev/dm-0, a link of udev. @ret: DM_NAME_MAX + 1 bytes. A name
 * that is no path is taken as it is. -ENODEV: the path leads to no such device; -ENAMETOOLONG.
 */
int find_mapping_name(const char *given, char *ret);

/* Is @dm_uuid that of a helper of @v, the volume with the LUKS2 UUID @uuid? */
bool find_is_helper_of(const struct active_volume *v, const char *uuid, const char *dm_uuid);

/*
 * The kernel's own name of a block device, which needs no udev: "/dev/sda1". What open(2) of its
 * description below /sys fails with, or -ENODEV, -ENAMETOOLONG.
 */
int find_device_node(dev_t device, char *path, size_t size);

/*
 * Opens that node, if it is the one of @device: what has its name may be anything, and to open some
 * things does something. -ENODEV: it is another.
 */
int open_device_node(dev_t device, int flags);
