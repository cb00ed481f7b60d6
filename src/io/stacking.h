/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which block device lies on which, as sysfs tells it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* More layers than anybody stacks; a loop in sysfs ends here. */
#define STACKING_DEPTH_MAX 16

/* Reads "major:minor" from a file of sysfs. */
bool device_read_number(const char *path, dev_t *ret);

/* Is @device a partition, and of which disk? */
bool device_is_partition(dev_t device, dev_t *ret_disk);

/*
 * Is the block device @upper, or what it lies on, or what that lies on, @lower? Partitions, device-
 * mapper and md are seen through. Devices that sysfs does not list lie on nothing.
 */
bool device_lies_on(dev_t upper, dev_t lower);

/*
 * Calls @fn with the number and the name of each device that holds @device (the kernel's name:
 * "dm-3", "md0"), until it returns other than 0. -ENOENT and so on: sysfs does not say.
 */
int device_each_holder(dev_t device, int (*fn)(dev_t holder, const char *name, void *arg),
		       void *arg);

/* A large array, and two paths to each of its disks. */
#define DISKS_MAX 64

struct disk_names {
	unsigned n;
	char name[DISKS_MAX][32]; /* of sysfs: "sda", "nvme0n1" */
};

/*
 * The disks at the bottom of the block device @device, in the order of their names; those beyond
 * DISKS_MAX are left out, and none is found for a device that sysfs does not list.
 */
void device_disks(dev_t device, struct disk_names *ret);
