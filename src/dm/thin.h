/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A thin volume and its pool. What the pool has mapped is read from a snapshot of its metadata,
 * which is taken and given back by messages; a pool can have one at a time. Kernel document:
 * admin-guide/device-mapper/thin-provisioning.rst.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct thin_volume {
	dev_t pool;
	dev_t metadata;      /* what the pool keeps its metadata on */
	uint32_t id;         /* of the volume in that metadata */
	uint64_t block_size; /* of the pool, bytes */
};

/*
 * -ENODEV: @device is none, or only in part, or reads through to another device where nothing is
 * mapped (an external origin). -EOPNOTSUPP: no device-mapper.
 */
int thin_find(dev_t device, struct thin_volume *ret);

/*
 * All that has come back so far is in the snapshot, on the disk. @ret_root: the block of the
 * metadata that it begins with. -EBUSY: somebody has one; -ENOSPC: the pool
 * cannot be written to, or has little room left for metadata.
 */
int thin_reserve_snapshot(const struct thin_volume *v, uint64_t *ret_root);
int thin_release_snapshot(const struct thin_volume *v);
