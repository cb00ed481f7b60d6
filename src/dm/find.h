/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which active mapping belongs to a LUKS2 volume, and is there a stack under it. Changes nothing.
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

/*
 * By the LUKS2 UUID (with dashes), as cryptsetup marks its mappings. -ENODEV: not active;
 * -ENOTUNIQ: active under several names (shared data device); -EOPNOTSUPP: no device-mapper. Names
 * that stack_new() would refuse are passed over.
 */
int find_active_volume(const char *uuid, struct active_volume *ret);

/* The same by the name of the mapping. -ENODEV: there is none, or it is no LUKS2 volume. */
int find_volume_by_name(const char *name, struct active_volume *ret);

/*
 * The kernel's own name of a block device, which needs no udev: "/dev/sda1". What open(2) of its
 * description below /sys fails with, or -ENODEV, -ENAMETOOLONG.
 */
int find_device_node(dev_t device, char *path, size_t size);
