/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/key-sizes.h"

#include <stdio.h>
#include <string.h>

#include "crypto/cipher.h"
#include "util/checked.h"

static bool takes(const char *spec, uint32_t sector_size, size_t bits)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;

	if (secret_new(bits / 8, &key) < 0)
		return false;
	/* The halves of a key for XTS must differ. */
	for (size_t i = 0; i < key->size; i++)
		key->data[i] = (uint8_t)i;
	return cipher_new(spec, key, sector_size, 1, &cipher) == 0;
}

void cipher_key_sizes(const char *spec, uint32_t sector_size, char *buf, size_t size)
{
	static const unsigned short sizes[] = {128, 192, 256, 384, 512};
	unsigned found[ARRAY_SIZE(sizes)] = {0};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (takes(spec, sector_size, sizes[i]))
			found[n++] = sizes[i];
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const size_t used = strlen(buf);

		(void)snprintf(buf + used, size - used, "%s%u",
			       i == 0      ? ""
			       : i + 1 < n ? ", "
					   : " or ",
			       found[i]);
	}
}
