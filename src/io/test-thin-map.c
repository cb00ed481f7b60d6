/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read of the metadata that thin_restore wrote is what they were made of. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/test-loop.h"
#include "io/test-thin-pool.h"
#include "io/thin-map.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

/* Random ranges, bytes that are not aligned; the answer is for whole granules of @granule blocks.
 */
static void check_ranges(const struct thin_map *m, const struct pool_device *d, uint64_t blocks,
			 uint64_t granule, uint64_t *seed)
{
	const uint64_t unit = granule * POOL_BLOCK, all = bytes_of(blocks);

	for (int i = 0; i < 2000; i++) {
		const uint64_t most = UINT64_C(1) << random_below(seed, 63);
		const uint64_t offset = random_below(seed, all);
		const uint64_t size = 1 + random_below(seed, MIN(all - offset, most));
		const uint64_t begin = offset / unit * granule;
		const uint64_t end = ((offset + size - 1) / unit + 1) * granule;

		assert_int_equal(thin_map_is_hole(m, offset, size),
				 !device_has(d, begin, MIN(end, blocks)));
	}
}

/* Volumes of one pool: empty, full, sparse, dense, shared, and ids from the first to the last. */
static void what_is_mapped_is_found(void **state)
{
	const uint64_t blocks = 3000;
	struct pool *p = pool_new();
	uint64_t seed = new_seed();

	(void)state;
	(void)pool_add(p, 0);
	device_map_random(pool_add(p, 1), &seed, blocks, 3000, 1);
	device_map_random(pool_add(p, 7), &seed, blocks, 1, 200);
	device_map_random(pool_add(p, 70000), &seed, blocks, 20, 20);
	device_map(pool_add(p, 70001), blocks - 1);
	device_map_random(pool_add(p, (1 << 24) - 1), &seed, blocks, 300, 5);
	pool_write(p);
	for (size_t i = 0; i < p->n_devices; i++) {
		_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);

		assert_int_equal(read_all(m, p, p->devices[i].id, blocks), 0);
		check_blocks(m, &p->devices[i], blocks);
		check_ranges(m, &p->devices[i], blocks, 1, &seed);
	}
}

/* So many that their btree has three levels; what is mapped beyond the volume's end is not seen. */
static void a_btree_of_three_levels_is_read(void **state)
{
	const uint64_t blocks = 100000;
	struct pool *p = pool_new();
	uint64_t seed = new_seed();
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);

	(void)state;
	device_map_random(pool_add(p, 5), &seed, blocks * 3 / 2, 2, 2);
	assert_true(p->devices[0].n > 252 * 252);
	pool_write(p);
	assert_int_equal(read_all(m, p, 5, blocks), 0);
	check_blocks(m, &p->devices[0], blocks);
	check_ranges(m, &p->devices[0], blocks, 1, &seed);
}

/* The btree of the devices has two levels then. */
static void each_of_many_devices_is_found(void **state)
{
	const uint64_t blocks = 50;
	struct pool *p = pool_new();
	uint64_t seed = new_seed();
	uint32_t id = 0;

	(void)state;
	for (size_t i = 0; i < POOL_DEVICES; i++) {
		id += 2 + (uint32_t)random_below(&seed, 20000);
		device_map_random(pool_add(p, id), &seed, blocks, 3, 30);
	}
	pool_write(p);
	for (size_t i = 0; i < p->n_devices; i++) {
		_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);

		assert_int_equal(read_all(m, p, p->devices[i].id - 1, blocks), -ENOENT);
		assert_true(all_may_be_mapped(m, blocks));
		assert_int_equal(read_all(m, p, p->devices[i].id, blocks), 0);
		check_blocks(m, &p->devices[i], blocks);
	}
}

/* 1 PiB has 2^34 blocks, which is 2048 for each of 2^23 bits. */
static void a_bit_stands_for_more_blocks_of_a_huge_volume(void **state)
{
	const uint64_t blocks = UINT64_C(1) << 34, granule = 2048;
	struct pool *p = pool_new();
	uint64_t seed = new_seed();
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);

	(void)state;
	device_map_random(pool_add(p, 3), &seed, blocks, 300, UINT64_C(1) << 28);
	if (!device_has(&p->devices[0], blocks - 1, blocks))
		device_map(&p->devices[0], blocks - 1);
	pool_write(p);
	assert_int_equal(read_all(m, p, 3, blocks), 0);
	check_ranges(m, &p->devices[0], blocks, granule, &seed);
	for (size_t i = 0; i < p->devices[0].n; i++) {
		const uint64_t b = p->devices[0].mapped[i] / granule * granule;

		for (uint64_t near = b < granule ? 0 : b - granule; near < b + 2 * granule;
		     near += granule)
			assert_int_equal(near < blocks && thin_map_is_hole(m, near * POOL_BLOCK, 1),
					 near < blocks &&
						 !device_has(&p->devices[0], near, near + granule));
	}
}

/* The first granule of one pair is mapped, by its last block alone, the second is not. */
static void check_granule_size(uint64_t blocks, uint64_t granule)
{
	const uint64_t unit = granule * POOL_BLOCK, first = blocks / 3 / granule;
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);
	struct pool *p = pool_new();

	device_map(pool_add(p, 1), (first + 1) * granule - 1);
	device_map(&p->devices[0], blocks); /* it was a larger volume once */
	pool_write(p);
	assert_int_equal(read_all(m, p, 1, blocks), 0);
	assert_false(thin_map_is_hole(m, first * unit, 1));
	assert_true(thin_map_is_hole(m, 0, first * unit));
	assert_true(thin_map_is_hole(m, (first + 1) * unit, bytes_of(blocks) - (first + 1) * unit));
}

static void granules_are_as_small_as_the_bitmap_allows(void **state)
{
	check_granule_size(UINT64_C(1) << 23, 1);
	check_granule_size((UINT64_C(1) << 23) + 1, 2);
	assert_int_equal(pools_remove(state), 0);
	check_granule_size(UINT64_C(1) << 34, 2048);
	check_granule_size((UINT64_C(1) << 34) + 1, 4096);
}

/* Is granule @g, of @granule blocks, what @p says? */
static void check_granule(const struct thin_map *m, const struct pool *p, uint64_t granule,
			  uint64_t g)
{
	assert_int_equal(thin_map_is_hole(m, g * granule * POOL_BLOCK, 1),
			 !device_has(&p->devices[0], g * granule, (g + 1) * granule));
}

/* A range is read anew, from metadata that have changed. */
static void check_refresh(uint64_t blocks, uint64_t granule, struct pool *pools[2], uint64_t *seed)
{
	const uint64_t n = (blocks - 1) / granule + 1;
	const uint64_t offset = random_below(seed, bytes_of(blocks));
	const uint64_t size = 1 + random_below(seed, bytes_of(blocks) - offset);
	const uint64_t first = offset / POOL_BLOCK / granule;
	const uint64_t last = (offset + size - 1) / POOL_BLOCK / granule;
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(blocks);

	assert_int_equal(read_all(m, pools[0], 1, blocks), 0);
	assert_int_equal(thin_map_read(m, pools[1]->fd, 0, 1, offset, size), 0);
	for (int i = 0; i < 3000; i++) {
		const uint64_t g = random_below(seed, n);

		check_granule(m, pools[g >= first && g <= last], granule, g);
	}
	for (uint64_t i = 0; i < 20; i++) {
		check_granule(m, pools[1], granule, MIN(first + i, last));
		check_granule(m, pools[1], granule, last - MIN(i, last - first));
		if (first > i)
			check_granule(m, pools[0], granule, first - 1 - i);
		if (last + 1 + i < n)
			check_granule(m, pools[0], granule, last + 1 + i);
	}
}

static void check_refreshes(uint64_t blocks, uint64_t granule, uint64_t run, uint64_t gap)
{
	struct pool *pools[2];
	uint64_t seed = new_seed();

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		pools[i] = pool_new();
		device_map_random(pool_add(pools[i], 1), &seed, blocks, run, gap);
		pool_write(pools[i]);
	}
	for (int i = 0; i < 10; i++)
		check_refresh(blocks, granule, pools, &seed);
}

static void what_is_read_again_replaces_what_was_known_of_that_range(void **state)
{
	(void)state;
	check_refreshes(2000, 1, 4, 4);
}

static void whole_granules_are_replaced(void **state)
{
	(void)state;
	check_refreshes((UINT64_C(1) << 24) - 5, 2, 3, 2000);
}

/* The metadata of a pool in use are read past the page cache. */
static void metadata_can_be_read_with_direct_io(void **state)
{
	struct scratch s = scratch_new((uint64_t)META_BLOCKS * META_SIZE);
	_cleanup_close_ int fd = open(s.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(50);
	struct pool *p = pool_new();

	(void)state;
	assert_true(fd >= 0);
	device_map(pool_add(p, 1), 10);
	pool_write(p);
	for (uint64_t i = 0; i < META_BLOCKS; i++) {
		_Alignas(META_SIZE) uint8_t block[META_SIZE];

		meta_get(p, i, block);
		assert_int_equal(pwrite_full(fd, block, sizeof(block), i * META_SIZE), 0);
	}
	assert_int_equal(thin_map_read(m, fd, 0, 1, 0, bytes_of(50)), 0);
	check_blocks(m, &p->devices[0], 50);
	scratch_remove(&s);
}

static void nothing_is_a_hole_before_it_was_read(void **state)
{
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(50);

	(void)state;
	assert_true(all_may_be_mapped(m, 50));
}

static void ranges_outside_the_volume_are_refused(void **state)
{
	static const struct {
		uint64_t offset, size;
	} bad[] = {{0, 0},
		   {POOL_BLOCK, 0},
		   {0, 50 * POOL_BLOCK},
		   {50 * POOL_BLOCK, 1},
		   {49 * POOL_BLOCK, POOL_BLOCK / 2 + 1},
		   {POOL_BLOCK, UINT64_MAX},
		   {POOL_BLOCK, UINT64_MAX - POOL_BLOCK + 1},
		   {UINT64_MAX, 1},
		   {UINT64_MAX, UINT64_MAX}};
	_cleanup_(thin_map_freep) struct thin_map *m = map_of(50);
	struct pool *p = pool_new();

	(void)state;
	(void)pool_add(p, 1);
	pool_write(p);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_all(m, p, 1, 50), 0);
		assert_true(thin_map_is_hole(m, 0, bytes_of(50)));
		assert_false(thin_map_is_hole(m, bad[i].offset, bad[i].size));
		assert_int_equal(thin_map_read(m, p->fd, 0, 1, bad[i].offset, bad[i].size),
				 -EINVAL);
		assert_true(all_may_be_mapped(m, 50));
	}
}

static void blocks_that_no_pool_has_are_refused(void **state)
{
	static const uint64_t bad[] = {0, 512, 32768, 65537, 98304, (1 << 30) + 65536, UINT64_MAX};
	struct thin_map *m = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(thin_map_new(1 << 30, bad[i], &m), -EINVAL);
	assert_int_equal(thin_map_new(0, POOL_BLOCK, &m), -EINVAL);
	assert_null(m);
	assert_int_equal(thin_map_new(UINT64_MAX, POOL_BLOCK, &m), 0);
	assert_false(thin_map_is_hole(m, UINT64_MAX - 1, 1));
	m = thin_map_free(m);
	assert_int_equal(thin_map_new(1, 1 << 30, &m), 0);
	m = thin_map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, pools_remove)
		TEST(what_is_mapped_is_found),
		TEST(a_btree_of_three_levels_is_read),
		TEST(each_of_many_devices_is_found),
		TEST(a_bit_stands_for_more_blocks_of_a_huge_volume),
		TEST(granules_are_as_small_as_the_bitmap_allows),
		TEST(what_is_read_again_replaces_what_was_known_of_that_range),
		TEST(whole_granules_are_replaced),
		TEST(metadata_can_be_read_with_direct_io),
		TEST(nothing_is_a_hole_before_it_was_read),
		TEST(ranges_outside_the_volume_are_refused),
		TEST(blocks_that_no_pool_has_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
