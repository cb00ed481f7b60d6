/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a thin volume has stored, as its pool knows it. Nothing tells when that changes, so it is
 * true of the moment of a look only:
 *
 *     lock among ourselves --> snapshot of the pool's metadata --> read it --> give it back
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct thin_look;

/*
 * @device: a block device of @size bytes, of which nothing is known at first. -ENODEV: it is no
 * thin volume; or why the pool's metadata cannot be opened.
 */
int thin_look_new(dev_t device, uint64_t size, struct thin_look **ret);
struct thin_look *thin_look_free(struct thin_look *t);
DEFINE_CLEANUP(struct thin_look, thin_look_free)

/*
 * Looks at @size bytes at @offset. Opens and allocates nothing, so the volume may be frozen. After
 * an error all of that counts as stored. -EWOULDBLOCK: another of our processes looks at this pool
 * (the first look waits some seconds for it); -EBUSY: somebody else does, or has forgotten to end
 * it; -ENOSPC: the pool is short of metadata.
 */
int thin_look(struct thin_look *t, uint64_t offset, uint64_t size);

/* Had this range nothing stored when it was looked at? */
bool thin_look_is_hole(const struct thin_look *t, uint64_t offset, uint64_t size);
