/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metadata of a thin pool as thin_restore makes them, in a file, and the plain list of what each
 * device of the pool has mapped, to compare with.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/thin-map.h"

#define POOL_BLOCK   UINT64_C(65536) /* bytes of a block of data */
#define META_SIZE    4096
#define META_BLOCKS  1024
#define POOL_DEVICES 512

struct pool_device {
	uint32_t id;
	size_t n;
	uint64_t *mapped; /* ascending */
};

struct pool {
	char dir[32];
	char path[40];
	char xml[40]; /* what they are made from */
	int fd;       /* of the metadata, to read and write */
	size_t n_devices;
	struct pool_device devices[POOL_DEVICES]; /* ids ascend */
};

/* A seed that was printed. */
uint64_t new_seed(void);
/* [0, limit) */
uint64_t random_below(uint64_t *seed, uint64_t limit);

/* An empty pool, of two at most; nothing is written yet. */
struct pool *pool_new(void);
/* Teardown of each test: all pools are gone, and their files. */
int pools_remove(void **state);
/* Ids and blocks come in ascending order. */
struct pool_device *pool_add(struct pool *p, uint32_t id);
void device_map(struct pool_device *d, uint64_t block);
/* Runs and gaps of random length below @run and @gap, in blocks below @blocks. */
void device_map_random(struct pool_device *d, uint64_t *seed, uint64_t blocks, uint64_t run,
		       uint64_t gap);
/* Has the device a block mapped in [begin, end)? */
bool device_has(const struct pool_device *d, uint64_t begin, uint64_t end);

/* Makes the metadata and opens p->fd. All devices share the blocks of the pool's data. */
void pool_write(struct pool *p);

/* Of a volume of @blocks blocks, the last of which is there in part. */
uint64_t bytes_of(uint64_t blocks);
struct thin_map *map_of(uint64_t blocks);
int read_all(struct thin_map *m, const struct pool *p, uint32_t id, uint64_t blocks);
/* Is a hole what @d has not mapped, and nothing else? */
void check_blocks(const struct thin_map *m, const struct pool_device *d, uint64_t blocks);
bool all_may_be_mapped(const struct thin_map *m, uint64_t blocks);

/* Block @number of the metadata. */
void meta_get(const struct pool *p, uint64_t number, uint8_t block[META_SIZE]);
void meta_put(const struct pool *p, uint64_t number, const uint8_t block[META_SIZE]);

/* Gives the block the checksum that it must have. */
#define SALT_SUPERBLOCK 160774
#define SALT_NODE       121107
void meta_seal(uint8_t block[META_SIZE], uint32_t salt);

/* Little-endian fields of a metadata block. */
uint64_t field_get(const uint8_t block[META_SIZE], size_t offset, size_t width);
void field_put(uint8_t block[META_SIZE], size_t offset, size_t width, uint64_t value);
