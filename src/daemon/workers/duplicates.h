/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disks with the same LUKS UUID, as udev knows them. A link by UUID or label leads to any of them,
 * and a kernel's name to another one after a reboot; what tells a disk from its clone is what udev
 * made of its serial number or of where it is plugged in ("device id").
 */
#pragma once

#include "daemon/state/failure.h"
#include "daemon/workers/worker-link.h"

/*
 * The device ids of a block device, separated by spaces; the caller's to free. "": udev has none,
 * or does not know the device. NULL: out of memory.
 */
char *duplicates_device_id(struct node n);

/*
 * A block device that has this LUKS UUID as far as udev knows; its path is the caller's to free,
 * NULL: none.
 */
char *duplicates_find(const char *uuid);

/*
 * May the volume that was found at the path @named be the one that is meant? @known: its device
 * id when it was last seen; NULL or "": it has none. -ENOTUNIQ: no, or nobody can tell; where
 * another device is the right one *ret_instead is its path, the caller's to free, else NULL.
 */
int duplicates_check(const struct worker_look *look, const char *named, const char *known,
		     char **ret_instead, struct failure *f);
