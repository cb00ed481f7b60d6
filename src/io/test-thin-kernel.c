/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/test-thin-kernel.h"

size_t key_at(size_t i)
{
	return 32 + 8 * i;
}

size_t value_at(const uint8_t node[META_SIZE], size_t i)
{
	return key_at(field_get(node, MAX_ENTRIES, 4) + i);
}

/* What the kernel's lower_bound() finds: -1 where all keys are above. */
static int64_t kernel_search(const uint8_t *node, uint64_t wanted)
{
	int64_t low = -1, high = (int64_t)field_get(node, ENTRIES, 4);

	while (high - low > 1) {
		const int64_t middle = low + (high - low) / 2;

		if (field_get(node, key_at((size_t)middle), 8) <= wanted)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* What node_check() of the kernel's dm-btree-spine.c looks at; the checksum is right. */
static bool kernel_accepts(const uint8_t *node, uint64_t number)
{
	return field_get(node, NUMBER, 8) == number && field_get(node, VALUE_SIZE, 4) == 8 &&
	       32 + 16 * field_get(node, MAX_ENTRIES, 4) <= META_SIZE &&
	       field_get(node, ENTRIES, 4) <= field_get(node, MAX_ENTRIES, 4) &&
	       field_get(node, FLAGS, 4) & 3;
}

bool kernel_lookup(const uint8_t image[META_BLOCKS][META_SIZE], uint64_t number, uint64_t wanted,
		   uint64_t *ret)
{
	for (int depth = 0; depth < 64; depth++) {
		const uint8_t *node = image[number % META_BLOCKS];
		int64_t i;

		if (number >= META_BLOCKS || !kernel_accepts(node, number))
			return false;
		i = kernel_search(node, wanted);
		if (i < 0)
			return false;
		number = field_get(node, value_at(node, (size_t)i), 8);
		if (field_get(node, FLAGS, 4) & 2) {
			*ret = number;
			return field_get(node, key_at((size_t)i), 8) == wanted;
		}
	}
	return false;
}
