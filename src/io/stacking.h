/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which block device lies on which, as sysfs tells it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is the block device @upper, or what it lies on, or what that lies on, @lower? Partitions, device-
 * mapper and md are seen through. Devices that sysfs does not list lie on nothing.
 */
bool device_lies_on(dev_t upper, dev_t lower);

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
