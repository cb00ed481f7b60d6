/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One hotzone on its way through memory, cut into chunks that are read, checksummed, converted and
 * written independently of each other:
 *
 *   batch_load()                 batch_convert()           batch_store()
 *     WANT_READ -> READING -> READ -> HASHING -> LOADED -> CONVERTING -> CONVERTED -> WRITING ->
 * STORED
 *
 * Where what is unwritten is left as it is, the written parts of a chunk are written one after the
 * other; the rest stays as it is on the way: zeros.
 *
 * Once all is flushed, batch_verify() has it read back and compared:
 *
 *     STORED -> VERIFYING -> VERIFIED
 *
 * Every arrow is an event that batch_step() handles; two batches can be under way at once. A chunk
 * that fails stops where it is, and the batch ends with the error and the offset of the first
 * failure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

enum chunk_state {
	CHUNK_WANT_READ,
	CHUNK_READING,
	CHUNK_READ,
	CHUNK_HASHING,
	CHUNK_LOADED,
	CHUNK_CONVERTING,
	CHUNK_CONVERTED,
	CHUNK_WRITING,
	CHUNK_STORED,
	CHUNK_VERIFYING,
	CHUNK_VERIFIED,
	CHUNK_FAILED,
};

struct batch;

struct chunk {
	struct batch *batch;
	enum chunk_state state;
	uint64_t offset; /* bytes from the start of the data */
	uint32_t size;
	uint8_t *data;
	uint8_t *digests;
	uint32_t unwritten; /* bytes of it that are left as they are; known once it is loaded */
	uint32_t done;      /* bytes from its start that are written (verified), or need not be */
	uint8_t *spare;     /* where it is read back to */
	unsigned write_failures;
	uint64_t job_usec; /* of the job that ended last */
	struct disk_request request;
	struct pool_job job;
};

struct batch {
	const struct engine_config *config;
	uint64_t offset, size; /* the hotzone; size 0: none loaded */
	uint8_t *data;         /* the hotzone's bytes, 4096-aligned */
	uint8_t *digests;      /* packed as the checksum area has them, 4096-aligned */
	struct chunk *chunks;
	unsigned n_chunks;
	unsigned reading, reads_max;     /* chunks that are being read; and may be at once */
	const uint8_t *unwritten_digest; /* of an unwritten block */
	bool convert, store, verify;     /* how far its chunks may go */
	int error;
	uint64_t error_offset;
};

/* Chunks that are read back at once. */
#define BATCH_SPARES 8

/* Counts what is under way over all batches. */
struct batch_queue {
	struct batch *batches[2];
	unsigned n_batches;
	unsigned in_flight; /* disk requests */
	unsigned jobs;      /* with the pool */
	struct disk_request flush;
	bool flushing;
	uint8_t *spare[BATCH_SPARES]; /* free ones, of a chunk's size each */
	unsigned n_spares;
	struct stages stages; /* of the jobs */
};

/* Bytes a chunk has at most: a multiple of 4096 and of the checksum block. */
uint32_t batch_chunk_size(const struct engine_config *config);

/* Starts reading [offset, offset + size), whole blocks, into the batch, which is idle. */
void batch_load(struct batch *b, uint64_t offset, uint64_t size);
bool batch_is_loaded(const struct batch *b);
/* The bytes of @c from @at on that go the same way: those that are left as they are, or others. */
uint32_t batch_run(const struct chunk *c, uint32_t at, bool *ret_unwritten);
/* Bytes that are left as they are, of a batch that is loaded. */
uint64_t batch_unwritten(const struct batch *b);
/* Is the block beside the one that the next batch begins with unwritten? */
bool batch_ends_unwritten(const struct batch *b);
/*
 * From now on the chunks, all of which are loaded, are converted. In journal mode only once the old
 * data is protected.
 */
void batch_convert(struct batch *b);
/* After batch_convert(): converted chunks are written. The header must say so, durably. */
void batch_store(struct batch *b);
bool batch_is_stored(const struct batch *b);
/*
 * From now on stored chunks are compared with what the disk has: all are stored and flushed. What
 * differs is the error -EBADMSG, at the first block of it.
 */
void batch_verify(struct batch *b);
bool batch_is_verified(const struct batch *b);
/* Nothing of this batch is with the disk or the pool. */
bool batch_is_idle(const struct batch *b);
/* Converted chunks will be written again: the flush after them failed, or what came of it. */
void batch_store_again(struct batch *b);

/* Has the disk been asked for all of @b, or been given all of it to write? */
bool batch_is_asked_for(const struct batch *b);
bool batch_is_handed_out(const struct batch *b);
/* Is any batch being read? */
bool batch_reads(const struct batch_queue *q);

/* Submits what can be submitted, and waits for nothing. */
int batch_submit(struct batch_queue *q);

/*
 * Submits what can be submitted, then handles at least one event. Returns a negative errno only
 * when the disk as a whole is unusable.
 */
int batch_step(struct batch_queue *q);

/* Waits until nothing of it is under way, and forgets it: what was read ahead is not wanted now. */
void batch_abandon(struct batch_queue *q, struct batch *b);

/*
 * Starts a flush of the data disk, and waits for its end, while the batches go on: the error of the
 * flush or of the disk. A flush that has started must be waited for, whatever fails meanwhile.
 */
int batch_start_flush(struct batch_queue *q);
int batch_finish_flush(struct batch_queue *q);
