/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One bit for each granule of the volume, a block or several: may some of it be mapped? Two btrees
 * of the pool's metadata know, of which is read what leads to the range (a key is the least below):
 *
 *     superblock --> by device: id --> by block: | 100     | 400     | 700     |
 *                                                  |         |         |
 *                                                  100 101   400 650   702
 *
 * What is no key of a leaf is not mapped. Nothing read is trusted: what is wrongly called mapped
 * costs time, what is wrongly called a hole costs data.
 */
#include "io/thin-map.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"
#include "util/io.h"

/* drivers/md/dm-thin.c: DATA_DEV_BLOCK_SIZE_MIN_SECTORS, DATA_DEV_BLOCK_SIZE_MAX_SECTORS */
#define DATA_BLOCK_MIN UINT64_C(65536)
#define DATA_BLOCK_MAX UINT64_C(1073741824)

/* drivers/md/persistent-data/dm-space-map-metadata.h: DM_SM_METADATA_MAX_BLOCKS */
#define METADATA_BLOCK      4096
#define METADATA_MAX_BLOCKS (UINT64_C(255) * ((1 << 14) - 64))

/* So many blocks make btrees of 5 levels, as nodes are a third full (dm-btree-remove.c). */
#define MAX_DEPTH 16
#define MAX_BITS  (UINT64_C(8) << 20)

/* All metadata is little-endian; the checksum is of what follows it. */
struct head {
	uint32_t checksum;
	uint32_t flags;
	uint64_t number; /* of the block that this is in */
};

/* drivers/md/dm-thin-metadata.c: struct thin_disk_superblock */
#define SUPERBLOCK_SALT  160774
#define SUPERBLOCK_MAGIC 27022010
struct superblock {
	struct head head;
	uint8_t uuid[16];
	uint64_t magic;
	uint32_t version, time;
	uint64_t transaction, held_root;
	uint8_t space_maps[2][128];
	uint64_t mapping_root, details_root;
	uint32_t data_block_sectors, metadata_block_sectors;
	uint64_t metadata_blocks; /* when it was made: not kept up to date */
	uint32_t compat_flags, compat_ro_flags, incompat_flags;
};
static_assert(offsetof(struct superblock, mapping_root) == 320, "as on disk");
static_assert(offsetof(struct superblock, incompat_flags) == 360, "as on disk");

/* drivers/md/persistent-data/dm-btree-internal.h: struct node_header, dm-btree-spine.c: the salt */
#define NODE_SALT     121107
#define NODE_INTERNAL 1
#define NODE_LEAF     2
struct btree_node {
	struct head head;
	uint32_t entries, max_entries, value_size, padding;
	uint64_t words[508]; /* max_entries keys, then as many values */
};
static_assert(sizeof(struct btree_node) == METADATA_BLOCK, "as on disk");

union metadata {
	struct head head;
	struct superblock superblock;
	struct btree_node node;
	uint32_t words[METADATA_BLOCK / 4]; /* the first is the checksum */
};

struct thin_map {
	uint64_t volume_size, block_size; /* bytes */
	uint64_t blocks;
	unsigned shift;  /* 1 << shift blocks are a granule */
	uint8_t *mapped; /* a bit each */
	size_t mapped_size;
	union metadata *levels; /* what is read, by depth in the btree */
	uint32_t crc_tables[4][256];
};

/* A look at those entries of a btree whose keys are in [begin, end). */
struct map_walk {
	struct thin_map *m;
	int fd;
	uint64_t begin, end;
	void (*found)(struct map_walk *w, uint64_t key, uint64_t value);
	bool has_device; /* results of found_device() */
	uint64_t device_root;
};

/*
 * CRC-32C, reflected, without the last complement: the kernel's crc32c(). Table n is for a byte
 * that n others follow, so that four are done at once: a third of the time.
 */
static void fill_crc_tables(uint32_t tables[4][256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
		tables[0][i] = crc;
	}
	for (size_t n = 1; n < 4; n++)
		for (size_t i = 0; i < 256; i++)
			tables[n][i] = tables[n - 1][i] >> 8 ^ tables[0][tables[n - 1][i] & 0xff];
}

/* dm_bm_checksum() in drivers/md/persistent-data/dm-block-manager.c */
static uint32_t checksum(const struct thin_map *m, const union metadata *b, uint32_t salt)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 1; i < ARRAY_SIZE(b->words); i++) {
		crc ^= le32toh(b->words[i]);
		crc = m->crc_tables[3][crc & 0xff] ^ m->crc_tables[2][crc >> 8 & 0xff] ^
		      m->crc_tables[1][crc >> 16 & 0xff] ^ m->crc_tables[0][crc >> 24];
	}
	return crc ^ salt;
}

static int metadata_read(const struct thin_map *m, int fd, uint64_t number, uint32_t salt,
			 union metadata *b)
{
	int r;

	if (number >= METADATA_MAX_BLOCKS)
		return -EBADMSG;
	r = pread_full(fd, b, sizeof(*b), number * METADATA_BLOCK);
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	if (le32toh(b->head.checksum) != checksum(m, b, salt) || le64toh(b->head.number) != number)
		return -EBADMSG;
	return 0;
}

/*
 * Its parent has keys in [low, high) lead here. Only a root may be empty, so a block that passes is
 * in one place of a level only, and a look reads no more blocks a level than keys it asks for.
 */
static int node_check(const struct btree_node *n, bool is_root, uint64_t low, uint64_t high)
{
	const uint32_t flags = le32toh(n->head.flags), entries = le32toh(n->entries);

	if ((flags != NODE_INTERNAL && flags != NODE_LEAF) ||
	    le32toh(n->value_size) != sizeof(uint64_t) ||
	    le32toh(n->max_entries) > ARRAY_SIZE(n->words) / 2 || entries > le32toh(n->max_entries))
		return -EBADMSG;
	if (entries == 0 && !(is_root && flags == NODE_LEAF))
		return -EBADMSG;
	for (uint32_t i = 0; i < entries; i++) {
		const uint64_t key = le64toh(n->words[i]);

		if (key < low || key >= high)
			return -EBADMSG;
		low = key + 1;
	}
	return 0;
}

/*
 * The key of a child is the least that may be in it, not one that is. For keys below that of the
 * first child the kernel finds nothing (dm_btree_lookup()); we look into that child nevertheless,
 * for it shall be found damaged if it has some.
 */
static int walk(struct map_walk *w, unsigned depth, uint64_t number, uint64_t low, uint64_t high)
{
	const struct btree_node *n;
	uint32_t entries, max;
	int r;

	if (depth == MAX_DEPTH)
		return -EBADMSG;
	n = &w->m->levels[depth].node;
	r = metadata_read(w->m, w->fd, number, NODE_SALT, &w->m->levels[depth]);
	if (r < 0)
		return r;
	r = node_check(n, depth == 0, low, high);
	if (r < 0)
		return r;
	entries = le32toh(n->entries);
	max = le32toh(n->max_entries);
	for (uint32_t i = 0; i < entries; i++) {
		const uint64_t key = le64toh(n->words[i]), value = le64toh(n->words[max + i]);
		const uint64_t next = i + 1 < entries ? le64toh(n->words[i + 1]) : high;

		if (le32toh(n->head.flags) == NODE_LEAF) {
			if (key >= w->begin && key < w->end)
				w->found(w, key, value);
		} else if ((i == 0 || key < w->end) && next > w->begin) {
			r = walk(w, depth + 1, value, key, next);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static void set_granules(struct thin_map *m, uint64_t first, uint64_t last, bool mapped)
{
	assert(first <= last && last / 8 < m->mapped_size);
	for (uint64_t i = first; i <= last; i++) {
		const uint8_t bit = (uint8_t)(1 << i % 8);

		if (mapped)
			m->mapped[i / 8] |= bit;
		else
			m->mapped[i / 8] &= (uint8_t)~bit;
	}
}

static void found_device(struct map_walk *w, uint64_t key, uint64_t value)
{
	(void)key;
	w->has_device = true;
	w->device_root = value;
}

/* Where in the pool it is does not matter. */
static void found_block(struct map_walk *w, uint64_t key, uint64_t value)
{
	(void)value;
	set_granules(w->m, key >> w->m->shift, key >> w->m->shift, true);
}

static int superblock_read(struct thin_map *m, int fd, uint64_t number, uint64_t *ret_mapping_root)
{
	const struct superblock *s = &m->levels[0].superblock;
	int r = metadata_read(m, fd, number, SUPERBLOCK_SALT, &m->levels[0]);

	if (r < 0)
		return r;
	if (le64toh(s->magic) != SUPERBLOCK_MAGIC || le32toh(s->version) < 1 ||
	    le32toh(s->version) > 2 || s->incompat_flags != 0 ||
	    le32toh(s->data_block_sectors) * SECTOR_SIZE != m->block_size)
		return -EBADMSG;
	*ret_mapping_root = le64toh(s->mapping_root);
	return 0;
}

/* Blocks [begin, end), whose granules are clear. */
static int read_blocks(struct thin_map *m, int fd, uint64_t root, uint32_t dev_id, uint64_t begin,
		       uint64_t end)
{
	const uint64_t key = dev_id;
	struct map_walk devices = {m, fd, key, key + 1, .found = found_device};
	struct map_walk volume = {m, fd, begin, end, .found = found_block};
	uint64_t mapping_root;
	int r;

	assert(begin < end && end <= m->blocks);
	r = superblock_read(m, fd, root, &mapping_root);
	if (r < 0)
		return r;
	r = walk(&devices, 0, mapping_root, 0, UINT64_MAX);
	if (r < 0)
		return r;
	if (!devices.has_device)
		return -ENOENT;
	return walk(&volume, 0, devices.device_root, 0, UINT64_MAX);
}

static uint64_t granule_at(const struct thin_map *m, uint64_t offset)
{
	return offset / m->block_size >> m->shift;
}

int thin_map_read(struct thin_map *m, int metadata_fd, uint64_t root, uint32_t dev_id,
		  uint64_t offset, uint64_t size)
{
	uint64_t first, last;
	int r;

	if (size == 0 || !range_inside(offset, size, m->volume_size)) {
		memset(m->mapped, 0xff, m->mapped_size);
		return -EINVAL;
	}
	first = granule_at(m, offset);
	last = granule_at(m, offset + size - 1);
	set_granules(m, first, last, false);
	r = read_blocks(m, metadata_fd, root, dev_id, first << m->shift,
			MIN((last + 1) << m->shift, m->blocks));
	if (r < 0)
		set_granules(m, first, last, true);
	return r;
}

void thin_map_forget(struct thin_map *m, uint64_t offset, uint64_t size)
{
	if (size > 0 && range_inside(offset, size, m->volume_size))
		set_granules(m, granule_at(m, offset), granule_at(m, offset + size - 1), true);
}

bool thin_map_is_hole(const struct thin_map *m, uint64_t offset, uint64_t size)
{
	if (size == 0 || !range_inside(offset, size, m->volume_size))
		return false;
	for (uint64_t i = granule_at(m, offset); i <= granule_at(m, offset + size - 1); i++)
		if (m->mapped[i / 8] & 1 << i % 8)
			return false;
	return true;
}

int thin_map_new(uint64_t volume_size, uint64_t block_size, struct thin_map **ret)
{
	_cleanup_(thin_map_freep) struct thin_map *m = NULL;

	if (volume_size == 0 || block_size < DATA_BLOCK_MIN || block_size > DATA_BLOCK_MAX ||
	    block_size % DATA_BLOCK_MIN != 0)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->volume_size = volume_size;
	m->block_size = block_size;
	m->blocks = (volume_size - 1) / block_size + 1;
	while (granule_at(m, volume_size - 1) >= MAX_BITS)
		m->shift++;
	m->mapped_size = (size_t)(granule_at(m, volume_size - 1) / 8 + 1);
	m->mapped = malloc(m->mapped_size);
	m->levels = aligned_alloc(METADATA_BLOCK, MAX_DEPTH * sizeof(*m->levels));
	if (!m->mapped || !m->levels)
		return -ENOMEM;
	memset(m->mapped, 0xff, m->mapped_size);
	fill_crc_tables(m->crc_tables);
	*ret = TAKE_PTR(m);
	return 0;
}

struct thin_map *thin_map_free(struct thin_map *m)
{
	if (m) {
		free(m->mapped);
		free(m->levels);
		free(m);
	}
	return NULL;
}
