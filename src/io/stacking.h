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
