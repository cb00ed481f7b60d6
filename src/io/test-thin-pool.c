/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/test-thin-pool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/io.h"

static struct pool pools[2];
static size_t n_pools;

uint64_t new_seed(void)
{
	const char *repeat = getenv("THIN_SEED");
	const uint64_t seed = repeat ? strtoull(repeat, NULL, 10) : now_usec();

	print_message("THIN_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t random_below(uint64_t *seed, uint64_t limit)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

struct pool *pool_new(void)
{
	struct pool *p = &pools[n_pools];
	char dir[] = "/tmp/test-thin-map-XXXXXX";

	assert_true(n_pools < ARRAY_SIZE(pools));
	assert_non_null(mkdtemp(dir));
	n_pools++;
	*p = (struct pool){.fd = -1};
	(void)snprintf(p->dir, sizeof(p->dir), "%s", dir);
	(void)snprintf(p->path, sizeof(p->path), "%s/meta", dir);
	(void)snprintf(p->xml, sizeof(p->xml), "%s/xml", dir);
	return p;
}

static int pool_remove(struct pool *p)
{
	for (size_t i = 0; i < p->n_devices; i++)
		free(p->devices[i].mapped);
	if (p->fd >= 0)
		(void)close(p->fd);
	(void)unlink(p->path);
	(void)unlink(p->xml);
	return rmdir(p->dir);
}

int pools_remove(void **state)
{
	int r = 0;

	(void)state;
	while (n_pools > 0)
		r |= pool_remove(&pools[--n_pools]);
	return r;
}

struct pool_device *pool_add(struct pool *p, uint32_t id)
{
	struct pool_device *d = &p->devices[p->n_devices];

	assert_true(p->n_devices < POOL_DEVICES);
	assert_true(p->n_devices == 0 || d[-1].id < id);
	p->n_devices++;
	d->id = id;
	return d;
}

void device_map(struct pool_device *d, uint64_t block)
{
	assert_true(d->n == 0 || d->mapped[d->n - 1] < block);
	if ((d->n & (d->n - 1)) == 0) {
		d->mapped = realloc(d->mapped, (d->n ? 2 * d->n : 1) * sizeof(*d->mapped));
		assert_non_null(d->mapped);
	}
	d->mapped[d->n++] = block;
}

void device_map_random(struct pool_device *d, uint64_t *seed, uint64_t blocks, uint64_t run,
		       uint64_t gap)
{
	uint64_t block = random_below(seed, gap);

	while (block < blocks) {
		const uint64_t end = MIN(block + 1 + random_below(seed, run), blocks);

		while (block < end)
			device_map(d, block++);
		block += 1 + random_below(seed, gap);
	}
}

bool device_has(const struct pool_device *d, uint64_t begin, uint64_t end)
{
	size_t low = 0, high = d->n;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (d->mapped[middle] < begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low < d->n && d->mapped[low] < end;
}

/* Each run as a range: runs of one as single mappings. */
static void write_mappings(FILE *xml, const struct pool_device *d)
{
	for (size_t i = 0, n; i < d->n; i += n) {
		const unsigned long long block = d->mapped[i];

		for (n = 1; i + n < d->n && d->mapped[i + n] == block + n;)
			n++;
		if (n == 1)
			assert_true(fprintf(xml,
					    "<single_mapping origin_block=\"%llu\" "
					    "data_block=\"%zu\" time=\"%zu\"/>\n",
					    block, i, i % 7) > 0);
		else
			assert_true(fprintf(xml,
					    "<range_mapping origin_begin=\"%llu\" "
					    "data_begin=\"%zu\" length=\"%zu\" time=\"0\"/>\n",
					    block, i, n) > 0);
	}
}

static void write_xml(const struct pool *p)
{
	FILE *xml = fopen(p->xml, "we");

	assert_non_null(xml);
	assert_true(fprintf(xml,
			    "<superblock uuid=\"\" time=\"7\" transaction=\"1\" flags=\"0\" "
			    "version=\"2\" data_block_size=\"%u\" nr_data_blocks=\"1000000\">\n",
			    (unsigned)(POOL_BLOCK / 512)) > 0);
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct pool_device *d = &p->devices[i];

		assert_true(fprintf(xml,
				    "<device dev_id=\"%u\" mapped_blocks=\"%zu\" transaction=\"0\" "
				    "creation_time=\"0\" snap_time=\"0\">\n",
				    d->id, d->n) > 0);
		write_mappings(xml, d);
		assert_true(fprintf(xml, "</device>\n") > 0);
	}
	assert_true(fprintf(xml, "</superblock>\n") > 0);
	assert_int_equal(fclose(xml), 0);
}

void pool_write(struct pool *p)
{
	char command[160];

	write_xml(p);
	p->fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(p->fd >= 0);
	assert_int_equal(ftruncate(p->fd, META_BLOCKS * META_SIZE), 0);
	/* Debian has it where only root looks for programs. */
	(void)snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin thin_restore -q -i %s -o %s",
		       p->xml, p->path);
	assert_int_equal(system(command), 0);
}

uint64_t bytes_of(uint64_t blocks)
{
	return blocks * POOL_BLOCK - POOL_BLOCK / 2;
}

struct thin_map *map_of(uint64_t blocks)
{
	struct thin_map *m;

	assert_int_equal(thin_map_new(bytes_of(blocks), POOL_BLOCK, &m), 0);
	return m;
}

int read_all(struct thin_map *m, const struct pool *p, uint32_t id, uint64_t blocks)
{
	return thin_map_read(m, p->fd, 0, id, 0, bytes_of(blocks));
}

void check_blocks(const struct thin_map *m, const struct pool_device *d, uint64_t blocks)
{
	for (uint64_t b = 0; b < blocks; b++)
		assert_int_equal(thin_map_is_hole(m, b * POOL_BLOCK, 512),
				 !device_has(d, b, b + 1));
	assert_int_equal(thin_map_is_hole(m, 0, bytes_of(blocks)), !device_has(d, 0, blocks));
}

bool all_may_be_mapped(const struct thin_map *m, uint64_t blocks)
{
	for (uint64_t b = 0; b < blocks; b++)
		if (thin_map_is_hole(m, b * POOL_BLOCK, 1))
			return false;
	return true;
}

void meta_get(const struct pool *p, uint64_t number, uint8_t block[META_SIZE])
{
	assert_int_equal(pread_full(p->fd, block, META_SIZE, number * META_SIZE), 0);
}

void meta_put(const struct pool *p, uint64_t number, const uint8_t block[META_SIZE])
{
	assert_int_equal(pwrite_full(p->fd, block, META_SIZE, number * META_SIZE), 0);
}

uint64_t field_get(const uint8_t block[META_SIZE], size_t offset, size_t width)
{
	uint64_t value = 0;

	while (width-- > 0)
		value = value << 8 | block[offset + width];
	return value;
}

void field_put(uint8_t block[META_SIZE], size_t offset, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		block[offset + i] = (uint8_t)(value >> 8 * i);
}

/* Bit by bit, unlike what it tests. */
void meta_seal(uint8_t block[META_SIZE], uint32_t salt)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 4; i < META_SIZE; i++) {
		crc ^= block[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	field_put(block, 0, 4, crc ^ salt);
}
