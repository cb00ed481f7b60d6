/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metadata that are damaged, or made to do harm: an error or the right answer, soon, and never a
 * hole where the kernel finds something.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/test-thin-kernel.h"
#include "io/test-thin-pool.h"
#include "io/thin-map.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

#define BLOCKS    UINT64_C(3000)
#define DEVICE    9
#define FREE      UINT64_C(900) /* thin_restore has come nowhere near this block */
#define MAX_DEPTH 16

enum place { SUPER, TOP, ROOT, LEAF, NEXT, PLACES };

/* Of the device: superblock, leaf of the devices, root of its own btree, the first two leaves. */
static uint64_t places[PLACES];
static struct pool *pool;
static const struct pool_device *device;
static struct thin_map *map;
static uint8_t image[META_BLOCKS][META_SIZE]; /* the metadata as they should be */

static uint32_t salt_of(uint64_t number)
{
	return number == places[SUPER] ? SALT_SUPERBLOCK : SALT_NODE;
}

static uint64_t key(enum place place, size_t i)
{
	return field_get(image[places[place]], key_at(i), 8);
}

static uint64_t value(enum place place, size_t i)
{
	return field_get(image[places[place]], value_at(image[places[place]], i), 8);
}

static size_t entries(enum place place)
{
	return (size_t)field_get(image[places[place]], ENTRIES, 4);
}

static int read_map(void)
{
	return read_all(map, pool, DEVICE, BLOCKS);
}

static int metadata_make(void **state)
{
	uint64_t seed = new_seed();

	(void)state;
	(void)alarm(300); /* if anything runs for ever */
	pool = pool_new();
	device_map_random(pool_add(pool, 1), &seed, BLOCKS, 5, 100);
	device_map_random(pool_add(pool, DEVICE), &seed, BLOCKS, 4, 8);
	(void)pool_add(pool, 500);
	device = &pool->devices[1];
	pool_write(pool);
	map = map_of(BLOCKS);
	assert_int_equal(pread_full(pool->fd, image, sizeof(image), 0), 0);
	places[SUPER] = 0;
	places[TOP] = field_get(image[0], MAPPING_ROOT, 8);
	assert_int_equal(key(TOP, 1), DEVICE);
	places[ROOT] = value(TOP, 1);
	assert_int_equal(field_get(image[places[ROOT]], FLAGS, 4), 1);
	assert_true(entries(ROOT) > 3);
	places[LEAF] = value(ROOT, 0);
	places[NEXT] = value(ROOT, 1);
	return 0;
}

static int metadata_remove(void **state)
{
	map = thin_map_free(map);
	return pools_remove(state);
}

/* Each test begins with good metadata, read. */
static int metadata_repair(void **state)
{
	(void)state;
	assert_int_equal(pwrite_full(pool->fd, image, sizeof(image), 0), 0);
	assert_int_equal(read_map(), 0);
	check_blocks(map, device, BLOCKS);
	return 0;
}

/* The answer may be an error, then all may be mapped, or must be the same. */
static bool fails_or_is_right(void)
{
	const int r = read_map();

	if (r == 0) {
		check_blocks(map, device, BLOCKS);
		return false;
	}
	assert_int_equal(r, -EBADMSG);
	assert_true(all_may_be_mapped(map, BLOCKS));
	return true;
}

/* As fails, and as @block of the metadata, which is put back then. */
static void check_fails_with(const char *what, uint64_t number, const uint8_t *block)
{
	meta_put(pool, number, block);
	if (!fails_or_is_right())
		fail_msg("not found damaged: %s", what);
	meta_put(pool, number, image[number]);
}

/* With the checksum that such a block has. */
static void check_field(const char *what, enum place place, size_t offset, size_t width,
			uint64_t field)
{
	uint8_t block[META_SIZE];

	memcpy(block, image[places[place]], sizeof(block));
	field_put(block, offset, width, field);
	meta_seal(block, salt_of(places[place]));
	assert_int_equal(read_map(), 0);
	check_fails_with(what, places[place], block);
}

static void check_value(const char *what, enum place place, size_t i, uint64_t field)
{
	check_field(what, place, value_at(image[places[place]], i), 8, field);
}

static bool is_used(uint64_t number)
{
	static const uint8_t zeros[META_SIZE];

	return memcmp(image[number], zeros, META_SIZE) != 0;
}

static void flipped_bits_are_noticed_where_they_matter(void **state)
{
	const size_t bits = 20;
	uint64_t seed = new_seed();
	size_t noticed = 0, harmless = 0;

	(void)state;
	for (uint64_t number = 0; number < META_BLOCKS; number++) {
		for (size_t i = 0; i < bits && is_used(number); i++) {
			uint8_t block[META_SIZE];

			memcpy(block, image[number], sizeof(block));
			block[random_below(&seed, META_SIZE >> random_below(&seed, 8))] ^=
				(uint8_t)(1 << random_below(&seed, 8));
			meta_put(pool, number, block);
			if (fails_or_is_right())
				noticed++;
			else
				harmless++;
		}
		meta_put(pool, number, image[number]);
	}
	/* The superblock, the leaf of devices, and all of the volume's. */
	assert_int_equal(noticed, bits * (3 + entries(ROOT)));
	assert_true(harmless > 0);
}

static void blocks_in_the_wrong_place_are_noticed(void **state)
{
	uint8_t zeros[META_SIZE] = {0};

	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		check_fails_with("zeros", places[i], zeros);
		check_fails_with("another block", places[i], image[places[(i + 1) % PLACES]]);
	}
}

static void fields_out_of_bounds_are_noticed(void **state)
{
	(void)state;
	check_field("magic", SUPER, MAGIC, 8, 27022011);
	check_field("version", SUPER, VERSION, 4, 0);
	check_field("version", SUPER, VERSION, 4, 3);
	check_field("feature", SUPER, INCOMPAT, 4, 1);
	check_field("block size", SUPER, BLOCK_SIZE, 4, 256);
	check_field("block size", SUPER, BLOCK_SIZE, 4, 0);
	check_field("root", SUPER, MAPPING_ROOT, 8, 0);
	check_field("root", SUPER, MAPPING_ROOT, 8, UINT64_C(1) << 52);
	for (enum place place = TOP; place < PLACES; place++) {
		const uint64_t flags = field_get(image[places[place]], FLAGS, 4);

		check_field("number", place, NUMBER, 8, places[place] + 1);
		check_field("flags", place, FLAGS, 4, 0);
		check_field("flags", place, FLAGS, 4, 3);
		check_field("flags", place, FLAGS, 4, flags | 4);
		check_field("size of values", place, VALUE_SIZE, 4, 0);
		check_field("size of values", place, VALUE_SIZE, 4, 16);
		check_field("room", place, MAX_ENTRIES, 4, 0);
		check_field("room", place, MAX_ENTRIES, 4, entries(place) - 1);
		check_field("room", place, MAX_ENTRIES, 4, 255);
		check_field("room", place, MAX_ENTRIES, 4, UINT32_MAX);
		check_field("entries", place, ENTRIES, 4, 253);
		check_field("entries", place, ENTRIES, 4, UINT32_MAX);
	}
	check_field("empty", ROOT, ENTRIES, 4, 0);
	check_field("empty", LEAF, ENTRIES, 4, 0);
}

static void children_that_are_no_children_are_noticed(void **state)
{
	static const uint64_t nowhere[] = {
		0,         META_BLOCKS, UINT64_C(4161600), UINT64_C(1) << 51, UINT64_C(1) << 52,
		UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
		check_value("a device nowhere", TOP, 1, nowhere[i]);
		check_value("a child nowhere", ROOT, 0, nowhere[i]);
		check_value("a child nowhere", ROOT, entries(ROOT) - 1, nowhere[i]);
	}
	check_value("the superblock", TOP, 1, places[SUPER]);
	check_value("itself", ROOT, 0, places[ROOT]);
	check_value("the node above", ROOT, 1, places[TOP]);
	check_value("its neighbour's child", ROOT, 0, places[NEXT]);
	check_value("its neighbour's child", ROOT, 1, places[LEAF]);
}

static void keys_out_of_order_are_noticed(void **state)
{
	(void)state;
	for (enum place place = TOP; place < PLACES; place++) {
		const size_t last = entries(place) - 1;

		check_field("twice", place, key_at(1), 8, key(place, 0));
		check_field("descending", place, key_at(last), 8, key(place, last - 1) - 1);
		check_field("the last of all", place, key_at(last), 8, UINT64_MAX);
	}
	check_field("below its parent's", NEXT, key_at(0), 8, key(ROOT, 1) - 1);
	check_field("its parent's next", LEAF, key_at(entries(LEAF) - 1), 8, key(ROOT, 1));
	check_field("above the first below", ROOT, key_at(0), 8, key(LEAF, 0) + 1);
	check_field("above the first below", ROOT, key_at(1), 8, key(NEXT, 0) + 1);
	check_field("not above the last before", ROOT, key_at(1), 8, key(LEAF, entries(LEAF) - 1));
}

/* The kernel finds none of those keys, but something is wrong there. */
static void nothing_is_a_hole_because_the_first_key_is_above_it(void **state)
{
	uint8_t block[META_SIZE];
	const uint64_t first = key(LEAF, 0);

	(void)state;
	memcpy(block, image[places[ROOT]], sizeof(block));
	field_put(block, key_at(0), 8, first + 1);
	meta_seal(block, SALT_NODE);
	meta_put(pool, places[ROOT], block);
	assert_int_equal(thin_map_read(map, pool->fd, 0, DEVICE, first * POOL_BLOCK, 1), -EBADMSG);
	assert_false(thin_map_is_hole(map, first * POOL_BLOCK, 1));
}

/* As where the first mappings of a leaf were removed. */
static void a_key_of_a_child_may_be_less_than_what_is_in_it(void **state)
{
	uint8_t block[META_SIZE];

	(void)state;
	memcpy(block, image[places[ROOT]], sizeof(block));
	field_put(block, key_at(0), 8, 0);
	field_put(block, key_at(1), 8, key(LEAF, entries(LEAF) - 1) + 1);
	meta_seal(block, SALT_NODE);
	meta_put(pool, places[ROOT], block);
	assert_int_equal(read_map(), 0);
	check_blocks(map, device, BLOCKS);
}

/* A node with one child, @child, for all keys. */
static void put_link(uint64_t number, uint64_t child)
{
	uint8_t block[META_SIZE];

	assert_false(is_used(number));
	memcpy(block, image[places[ROOT]], sizeof(block));
	field_put(block, NUMBER, 8, number);
	field_put(block, ENTRIES, 4, 1);
	field_put(block, key_at(0), 8, 0);
	field_put(block, value_at(block, 0), 8, child);
	meta_seal(block, SALT_NODE);
	meta_put(pool, number, block);
}

static void put_root(uint64_t root)
{
	uint8_t block[META_SIZE];

	memcpy(block, image[places[TOP]], sizeof(block));
	field_put(block, value_at(block, 1), 8, root);
	meta_seal(block, SALT_NODE);
	meta_put(pool, places[TOP], block);
}

/* Which the root and the leaves are two levels of. */
static void btrees_too_deep_are_damaged(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < MAX_DEPTH - 2; i++)
		put_link(FREE + i, i == 0 ? places[ROOT] : FREE + i - 1);
	put_root(FREE + MAX_DEPTH - 3);
	assert_false(fails_or_is_right());
	put_link(FREE + MAX_DEPTH - 2, FREE + MAX_DEPTH - 3);
	put_root(FREE + MAX_DEPTH - 2);
	assert_true(fails_or_is_right());
}

static void circles_are_damage(void **state)
{
	(void)state;
	put_link(FREE, FREE);
	put_root(FREE);
	assert_true(fails_or_is_right());
	put_link(FREE, FREE + 1);
	put_link(FREE + 1, FREE);
	assert_true(fails_or_is_right());
}

static void check_no_hole_where_the_kernel_finds(uint64_t begin, uint64_t end)
{
	uint64_t root, found;

	if (!kernel_lookup(image, field_get(image[0], MAPPING_ROOT, 8), DEVICE, &root))
		return;
	for (uint64_t b = begin; b < end; b++)
		if (thin_map_is_hole(map, b * POOL_BLOCK, 1))
			assert_false(kernel_lookup(image, root, b, &found));
}

/* Fields that are near what was there, or block numbers, or anything. */
static void garble(uint8_t *block, uint64_t *seed)
{
	static const size_t headers[] = {FLAGS,       NUMBER,     ENTRIES,
					 MAX_ENTRIES, VALUE_SIZE, MAPPING_ROOT};
	const size_t max = (size_t)MIN(field_get(block, MAX_ENTRIES, 4), 252U);
	const size_t i = (size_t)random_below(seed, 1 + random_below(seed, max + 1));
	const size_t offsets[] = {headers[random_below(seed, ARRAY_SIZE(headers))], key_at(i),
				  key_at(max + i)};
	const size_t kind = (size_t)random_below(seed, 3), width = kind == 0 ? 4 : 8;
	const uint64_t old = field_get(block, offsets[kind], width);
	const uint64_t fields[] = {old + 1, old - 1, random_below(seed, 64),
				   random_below(seed, BLOCKS), random_below(seed, UINT64_MAX)};

	field_put(block, offsets[kind], width, fields[random_below(seed, ARRAY_SIZE(fields))]);
}

static void check_answers(int r, uint64_t begin, uint64_t end)
{
	assert_true(r == 0 || r == -EBADMSG || r == -ENOENT);
	if (r == 0)
		check_no_hole_where_the_kernel_finds(begin, end);
	else
		for (uint64_t b = begin; b < end; b++)
			assert_false(thin_map_is_hole(map, b * POOL_BLOCK, 1));
}

/* By someone who knows how to make a checksum. */
static void garbled_metadata_hide_nothing_that_the_kernel_finds(void **state)
{
	uint64_t seed = new_seed();
	size_t read = 0;
	int r;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const enum place place = (enum place)random_below(&seed, PLACES);
		const uint64_t begin = random_below(&seed, BLOCKS - 1);
		const uint64_t end = begin + 1 + random_below(&seed, BLOCKS - 1 - begin);
		uint8_t *block = image[places[place]], saved[META_SIZE];

		memcpy(saved, block, sizeof(saved));
		for (uint64_t n = 1 + random_below(&seed, 3); n > 0; n--)
			garble(block, &seed);
		meta_seal(block, salt_of(places[place]));
		meta_put(pool, places[place], block);
		r = read_map();
		check_answers(r, 0, BLOCKS);
		read += r == 0;
		r = thin_map_read(map, pool->fd, 0, DEVICE, begin * POOL_BLOCK,
				  (end - begin) * POOL_BLOCK);
		check_answers(r, begin, end);
		memcpy(block, saved, sizeof(saved));
		meta_put(pool, places[place], block);
	}
	print_message("%zu of them read without an error\n", read);
	assert_true(read > 100 && read < 1900);
}

static void metadata_that_end_too_early_are_damaged(void **state)
{
	uint64_t needed = MAX(places[TOP], places[ROOT]) + 1;

	(void)state;
	for (size_t i = 0; i < entries(ROOT); i++)
		needed = MAX(needed, value(ROOT, i) + 1);
	for (uint64_t size = (needed + 2) * META_SIZE; size > 0; size -= META_SIZE / 4) {
		assert_int_equal(ftruncate(pool->fd, (off_t)size), 0);
		assert_int_equal(fails_or_is_right(), size < needed * META_SIZE);
	}
	assert_int_equal(ftruncate(pool->fd, 0), 0);
	assert_true(fails_or_is_right());
}

static void what_is_no_superblock_is_no_root(void **state)
{
	static const uint64_t nowhere[] = {FREE, META_BLOCKS, UINT64_C(1) << 52, UINT64_MAX};

	(void)state;
	for (uint64_t root = 1; root < 50; root++)
		assert_int_equal(thin_map_read(map, pool->fd, root, DEVICE, 0, 1), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++)
		assert_int_equal(thin_map_read(map, pool->fd, nowhere[i], DEVICE, 0, 1), -EBADMSG);
	assert_false(thin_map_is_hole(map, 0, 1));
}

static void another_block_size_is_refused(void **state)
{
	_cleanup_(thin_map_freep) struct thin_map *m = NULL;

	(void)state;
	assert_int_equal(thin_map_new(BLOCKS * POOL_BLOCK, 2 * POOL_BLOCK, &m), 0);
	assert_int_equal(thin_map_read(m, pool->fd, 0, DEVICE, 0, POOL_BLOCK), -EBADMSG);
	assert_false(thin_map_is_hole(m, 0, 1));
}

static void an_error_of_the_device_is_passed_on(void **state)
{
	(void)state;
	assert_int_equal(thin_map_read(map, -1, 0, DEVICE, 0, bytes_of(BLOCKS)), -EBADF);
	assert_true(all_may_be_mapped(map, BLOCKS));
}

/* Which is in a block that the kernel took, and knows less than the pool by now. */
static void a_metadata_snapshot_is_read(void **state)
{
	uint8_t block[META_SIZE], now[META_SIZE] = {0};

	(void)state;
	memcpy(block, image[0], sizeof(block));
	field_put(block, NUMBER, 8, FREE);
	memset(block + 64, 0, 256); /* __reserve_metadata_snap() wipes the roots of space maps */
	meta_seal(block, SALT_SUPERBLOCK);
	meta_put(pool, FREE, block);
	meta_put(pool, 0, now);
	assert_int_equal(thin_map_read(map, pool->fd, FREE, DEVICE, 0, bytes_of(BLOCKS)), 0);
	check_blocks(map, device, BLOCKS);
}

static void only_what_leads_to_the_range_is_read(void **state)
{
	const uint64_t begin = key(NEXT, 0), end = key(ROOT, 2);
	const uint8_t zeros[META_SIZE] = {0};

	(void)state;
	for (size_t i = 0; i < entries(ROOT); i++)
		if (i != 1)
			meta_put(pool, value(ROOT, i), zeros);
	assert_int_equal(thin_map_read(map, pool->fd, 0, DEVICE, begin * POOL_BLOCK,
				       (end - begin) * POOL_BLOCK),
			 0);
	check_blocks(map, device, BLOCKS);
	assert_int_equal(
		thin_map_read(map, pool->fd, 0, DEVICE, (begin - 1) * POOL_BLOCK, POOL_BLOCK),
		-EBADMSG);
	assert_int_equal(thin_map_read(map, pool->fd, 0, DEVICE, end * POOL_BLOCK, 1), -EBADMSG);
	assert_true(fails_or_is_right());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup(f, metadata_repair)
		TEST(flipped_bits_are_noticed_where_they_matter),
		TEST(blocks_in_the_wrong_place_are_noticed),
		TEST(fields_out_of_bounds_are_noticed),
		TEST(children_that_are_no_children_are_noticed),
		TEST(keys_out_of_order_are_noticed),
		TEST(nothing_is_a_hole_because_the_first_key_is_above_it),
		TEST(a_key_of_a_child_may_be_less_than_what_is_in_it),
		TEST(btrees_too_deep_are_damaged),
		TEST(circles_are_damage),
		TEST(garbled_metadata_hide_nothing_that_the_kernel_finds),
		TEST(metadata_that_end_too_early_are_damaged),
		TEST(what_is_no_superblock_is_no_root),
		TEST(another_block_size_is_refused),
		TEST(an_error_of_the_device_is_passed_on),
		TEST(a_metadata_snapshot_is_read),
		TEST(only_what_leads_to_the_range_is_read),
	};

	return cmocka_run_group_tests(tests, metadata_make, metadata_remove);
}
