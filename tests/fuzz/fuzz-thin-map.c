/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The metadata of a thin pool. Input: for each of the first blocks of it, two bytes that say how
 * many bytes of the block follow; the rest is zeros. Block numbers and checksums are made right.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "io/thin-map.h"
#include "util/io.h"

#define BLOCK           4096
#define BLOCKS          80
#define RECORDS_MAX     12
#define POOL_BLOCK      UINT64_C(65536)
#define VOLUME_SIZE     (UINT64_C(60) * POOL_BLOCK - 512)
#define SALT_SUPERBLOCK UINT32_C(160774)
#define SALT_NODE       UINT32_C(121107)

static void put(uint8_t *where, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		where[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t crc(const uint8_t *data, size_t size)
{
	static uint32_t table[256];
	uint32_t value = UINT32_MAX;

	for (uint32_t i = 0; i < 256 && !table[255]; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	for (size_t i = 0; i < size; i++)
		value = value >> 8 ^ table[(value ^ data[i]) & 0xff];
	return value;
}

static void put_block(struct fuzz_input *in, int fd)
{
	const unsigned number = (unsigned)fuzz_take(in, 1) % BLOCKS;
	size_t n = (size_t)fuzz_take(in, 2) % (BLOCK - 4);
	uint8_t block[BLOCK] = {0};

	n = n < in->size ? n : in->size;
	memcpy(block + 4, in->data, n);
	in->data += n;
	in->size -= n;
	put(block + 8, 8, number);
	put(block, 4, crc(block + 4, BLOCK - 4) ^ (number == 0 ? SALT_SUPERBLOCK : SALT_NODE));
	REQUIRE(pwrite_full(fd, block, sizeof(block), (uint64_t)number * BLOCK) == 0);
}

static int metadata(struct fuzz_input in)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("metadata", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && ftruncate(fd, 0) == 0 && ftruncate(fd, (off_t)BLOCKS * BLOCK) == 0);
	for (int i = 0; i < RECORDS_MAX && in.size > 0; i++)
		put_block(&in, fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = metadata((struct fuzz_input){data, size});
	struct thin_map *m = NULL;
	int r;

	REQUIRE(thin_map_new(VOLUME_SIZE, POOL_BLOCK, &m) == 0);
	r = thin_map_read(m, fd, 0, 1, 0, VOLUME_SIZE);
	if (r < 0)
		for (uint64_t at = 0; at < VOLUME_SIZE; at += POOL_BLOCK)
			REQUIRE(!thin_map_is_hole(m, at, 512));
	(void)thin_map_free(m);
	return 0;
}
