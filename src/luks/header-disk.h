/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The binary header of one LUKS2 header copy as it is on the disk: 4096 bytes, integers big-endian,
 * followed by the JSON area. LUKS2 On-Disk Format Specification 1.1.1, section 2.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "luks/header.h"

#define LUKS_MAGIC_SIZE 6

struct luks_header_disk {
	uint8_t magic[LUKS_MAGIC_SIZE];
	uint16_t version;
	uint64_t size;
	uint64_t seqid;
	char label[48];
	char checksum_alg[32];
	uint8_t salt[64];
	char uuid[40];
	char subsystem[48];
	uint64_t offset; /* of this copy */
	uint8_t padding[184];
	uint8_t checksum[64];
	uint8_t padding_4096[3584];
} __attribute__((packed));

_Static_assert(sizeof(struct luks_header_disk) == LUKS_HEADER_BINARY_SIZE, "LUKS2 layout");
_Static_assert(offsetof(struct luks_header_disk, salt) == 104, "LUKS2 layout");
_Static_assert(offsetof(struct luks_header_disk, checksum) == 448, "LUKS2 layout");

extern const uint8_t luks_magic[2][LUKS_MAGIC_SIZE]; /* by enum luks_copy */

/*
 * Hash @algorithm over the copy of @size bytes at @copy with its checksum field taken as zero; left
 * justified, the rest of @ret is zero. -EOPNOTSUPP: OpenSSL has no such hash.
 */
int luks_header_checksum(const char *algorithm, const void *copy, uint64_t size, uint8_t ret[64]);
