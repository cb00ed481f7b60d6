/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small LUKS2 volume in memory whose re-encryption was begun by the installed cryptsetup, and the
 * real engine and metadata code over a simulated disk that holds it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "luks/header.h"
#include "luks/reencrypt.h"
#include "medium.h"
#include "worker/luks-store.h"

#define DATA_SIZE UINT64_C(98304) /* bytes: 6 hotzones of 16 KiB, 24 blocks */

struct volume_kind {
	const char *name;
	uint32_t old_sector, new_sector; /* bytes */
	const char *resilience;
	const char *new_cipher; /* NULL: as before */
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
	uint8_t *plain;        /* data_size bytes */
	uint8_t *zeros;        /* what zeros on the disk are by the new key; data_size bytes */
	enum volume_skip skip; /* of the runs to come; so is holes */
	bool verify;           /* read back what was written */
	enum medium_holes holes;
	uint32_t transfer_size; /* of the disk, bytes; 0: one block */
	struct secret *key[2];  /* old, new */
	struct cipher *cipher[2];
	char cipher_name[2][64];
	uint32_t sector_size[2];
	struct checksum *checksum;
	struct pool *pool, *header_lane;
	char dir[64]; /* for the files that cryptsetup works on */
};

/* Exits the test program where cryptsetup fails. */
struct volume *volume_new(const struct volume_kind *kind, uint64_t seed);
struct volume *volume_free(struct volume *v);

/* The cipher of one side of a re-encryption or of a finished volume. */
struct cipher *volume_cipher(const struct volume *v, const struct luks_side *side);

/* The worker in small: everything that converts the volume on one medium. */
struct run {
	const struct volume *volume;
	struct medium *medium;
	struct luks_header *header;
	struct luks_reenc reenc;
	struct luks_store store;
	struct engine *engine;
	uint64_t hotzone_size;
	struct freezer *freezer;
	unsigned stop_after; /* hotzones, 0: never */
	unsigned hotzones;
	bool skip;                      /* unwritten blocks */
	void (*on_progress)(void *arg); /* or NULL */
	void *on_progress_arg;
	/* After every hotzone, and what the next ones shall have, bytes; or NULL. */
	uint64_t (*on_pause)(struct run *r);
	unsigned pauses;
	uint64_t stall_target; /* microseconds, from the first pause on */
};

/*
 * Loads the header from @image on a new medium. 0 also when nothing is left to do: then there is no
 * engine. @freezer NULL: offline.
 */
int run_open(struct run *r, const struct volume *v, const uint8_t *image, uint64_t hotzone_size,
	     struct freezer *freezer, uint64_t seed);
void run_close(struct run *r);

/* Puts another header store in front of the engine: for tests that break things. */
void run_set_header_store(struct run *r, struct header_store *store);

/* Recovery if it is hot, and on to the end or the wanted stop. */
int run_all(struct run *r, enum engine_outcome *ret);

/* Turns a clean re-encryption around in memory and commits that. */
int run_reverse(struct run *r, uint64_t hotzone_size);

/* All plaintext of a finished volume; NULL (with a word on stderr) when it is not finished. */
uint8_t *volume_decrypt_finished(const struct volume *v, const uint8_t *image);

/*
 * May the sector at @offset, which the application left alone, read as @found? One that was
 * never written may look otherwise by the new key.
 */
bool volume_accepts_untouched(const struct volume *v, uint64_t offset, const uint8_t *found);

/* Are the blocks that were never written still zero in @image, all of them? */
bool volume_is_still_sparse(const struct volume *v, const uint8_t *image);

/* Is the whole data of the finished volume in @image right? Says what is wrong on stderr. */
bool volume_check_finished(const struct volume *v, const uint8_t *image, const uint8_t *plain);

/* The installed cryptsetup recovers, resumes and finishes @image, in place. */
bool volume_finish_by_stock(const struct volume *v, uint8_t *image);
