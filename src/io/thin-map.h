/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a thin volume (dm-thin) has mapped, as the metadata of its pool say. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"

struct thin_map;

/*
 * @volume_size: bytes of the thin volume; @block_size: bytes of a block of its pool. Nothing is
 * known at first: all may be mapped. -EINVAL: no pool has such blocks, or no size. It holds at most
 * 1.1 MiB, and nothing more is allocated later. Not for several threads at once.
 */
int thin_map_new(uint64_t volume_size, uint64_t block_size, struct thin_map **ret);
struct thin_map *thin_map_free(struct thin_map *m);
DEFINE_CLEANUP(struct thin_map, thin_map_free)

/*
 * Reads which blocks of [offset, offset + size) (bytes of the volume) thin device @dev_id has
 * mapped, by the copy of the superblock in block @root of the pool's metadata; that replaces what
 * was known of the range. @metadata_fd: of the metadata device, with O_DIRECT where the pool is in
 * use, for what the pool writes passes by the page cache.
 *
 * After an error all of the range counts as mapped. -EBADMSG: not such metadata or damaged;
 * -ENOENT: has no such device; -EINVAL: @size is 0 or the range not inside the volume, of which
 * nothing is known any more.
 */
int thin_map_read(struct thin_map *m, int metadata_fd, uint64_t root, uint32_t dev_id,
		  uint64_t offset, uint64_t size);

/* From here on all of [offset, offset + size) may be mapped, as far as is known. */
void thin_map_forget(struct thin_map *m, uint64_t offset, uint64_t size);

/*
 * Was nothing mapped in this range when it was read? Then it reads as zeros, unless the volume has
 * an external origin. false as well for a range that is empty or not inside the volume.
 */
bool thin_map_is_hole(const struct thin_map *m, uint64_t offset, uint64_t size);
