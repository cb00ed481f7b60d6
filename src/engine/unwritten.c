/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/unwritten.h"

#include <assert.h>
#include <string.h>

/* Each byte is compared with the one eight further on, and the first eight with zero. */
static bool is_zero(const uint8_t *data, uint32_t size)
{
	uint64_t first;

	memcpy(&first, data, sizeof(first));
	return first == 0 && memcmp(data, data + sizeof(first), size - sizeof(first)) == 0;
}

uint32_t unwritten_run(const uint8_t *data, uint32_t size, uint32_t block, bool *ret_unwritten)
{
	const bool unwritten = is_zero(data, block);
	uint32_t n = block;

	assert(size > 0 && size % block == 0);
	while (n < size && is_zero(data + n, block) == unwritten)
		n += block;
	*ret_unwritten = unwritten;
	return n;
}
