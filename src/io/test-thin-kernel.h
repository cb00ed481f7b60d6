/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel would find in metadata of a thin pool, and where their fields are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/test-thin-pool.h"

/* Offsets in a node, and in a superblock. */
#define FLAGS        4
#define NUMBER       8
#define ENTRIES      16
#define MAX_ENTRIES  20
#define VALUE_SIZE   24
#define MAGIC        32
#define VERSION      40
#define MAPPING_ROOT 320
#define BLOCK_SIZE   336
#define INCOMPAT     360

size_t key_at(size_t i);
size_t value_at(const uint8_t node[META_SIZE], size_t i);

/*
 * dm_btree_lookup() of the kernel for one btree, whose checksums are right. False also where it
 * would fail.
 */
bool kernel_lookup(const uint8_t image[META_BLOCKS][META_SIZE], uint64_t number, uint64_t wanted,
		   uint64_t *ret);
