/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overwriting of metadata areas that held keys. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "luks/header.h"

/* Overwrites @size bytes at byte @offset once with random data, and flushes. Needs up to 4 MiB. */
int luks_wipe_area(struct meta_io *io, uint64_t offset, uint64_t size);

/*
 * The first area with a part at or behind byte @offset of the metadata device that a keyslot of @h
 * uses, from its start to its end. An area that one commit freed may have gone to a new keyslot
 * with the next.
 */
bool luks_next_used(const struct luks_header *h, uint64_t offset, uint64_t *ret_start,
		    uint64_t *ret_end);
