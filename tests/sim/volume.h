/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small LUKS2 volume in memory whose re-encryption was begun by the installed cryptsetup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crypto/checksum.h"
#include "crypto/cipher.h"
#include "crypto/pool.h"
#include "luks/reencrypt.h"
#include "medium.h"

#define DATA_SIZE UINT64_C(98304) /* bytes: 6 hotzones of 16 KiB, 24 blocks */

struct volume_kind {
	const char *name;
	uint32_t old_sector, new_sector; /* bytes */
	const char *resilience;          /* checksum, journal, ahead (ahead.h) */
	const char *new_cipher;          /* NULL: as before */
	bool keep_key;
	bool detached; /* the header is on a disk of its own, with a cache of its own */
	/* A letter for each block: 'w'ritten, 'z'ero as if never, 'p'artly (in the middle); NULL:
	 * all w. */
	const char *blocks;
};

/* Does a run leave unwritten blocks as they are? */
enum volume_skip { SKIP_NEVER, SKIP_ALWAYS, SKIP_DRAWN /* from the seed of the run */ };

struct volume {
	const struct volume_kind *kind;
	uint8_t *image; /* as `cryptsetup reencrypt --init-only` left it, with data */
	size_t size;
	uint64_t data_offset, data_size;
	uint64_t hotzone_size; /* of runs, bytes */
	uint8_t *plain;        /* data_size bytes */
	uint8_t *zeros;        /* what zeros on the disk are by the new key; data_size bytes */
	enum volume_skip skip; /* of the runs to come; so is holes */
	bool verify;           /* read back what was written */
	bool never_ahead;      /* hotzones are read and written by turns */
	enum medium_holes holes;
	uint32_t transfer_size; /* of the disk, bytes; 0: one block */
	bool rot_is_error;      /* what rots cannot be read; else it reads as garbage */
	bool ignores_bad_copy;  /* test of the tests: header copies are taken for good */
	struct secret *key[2];  /* old, new */
	struct cipher *cipher[2];
	char cipher_name[2][64];
	uint32_t sector_size[2];
	struct checksum *checksum;
	struct pool *pool, *header_lane;
	char dir[64]; /* for the files that cryptsetup works on */
};

/* Exits the test program where @ok is false: what cannot be had ends a simulation. */
void volume_check(bool ok, const char *file, int line, const char *what);

/* Exits the test program where cryptsetup fails. */
struct volume *volume_new(const struct volume_kind *kind, uint64_t seed);
struct volume *volume_free(struct volume *v);

/* The cipher of one side of a re-encryption or of a finished volume. */
struct cipher *volume_cipher(const struct volume *v, const struct luks_side *side);

/*
 * May the sector at @offset, which the application left alone, read as @found? One that was
 * never written may look otherwise by the new key.
 */
bool volume_accepts_untouched(const struct volume *v, uint64_t offset, const uint8_t *found);

/* Are the blocks that were never written still zero in @image, all of them? */
bool volume_is_still_sparse(const struct volume *v, const uint8_t *image);

/* The installed cryptsetup recovers, resumes and finishes @image, in place. */
bool volume_finish_by_stock(const struct volume *v, uint8_t *image);
