/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/batch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/unwritten.h"
#include "util/checked.h"
#include "util/clock.h"

/* A write that fails this often is given up. */
#define WRITE_TRIES 3

uint32_t batch_chunk_size(const struct engine_config *config)
{
	const uint32_t unit = MAX(config->block_size, UINT32_C(4096));

	return MAX(unit, (uint32_t)round_down_u64(config->disk->transfer_size, unit));
}

/* @at: byte of the chunk. */
static void chunk_fail_at(struct chunk *c, int error, uint32_t at)
{
	struct batch *b = c->batch;

	c->state = CHUNK_FAILED;
	if (b->error == 0 || c->offset + at < b->error_offset) {
		b->error = error;
		b->error_offset = c->offset + at;
	}
}

static void chunk_fail(struct chunk *c, int error)
{
	chunk_fail_at(c, error, 0);
}

void batch_load(struct batch *b, uint64_t offset, uint64_t size)
{
	const struct engine_config *cfg = b->config;
	const uint32_t chunk_size = batch_chunk_size(cfg);
	const size_t digest_size = cfg->checksum ? checksum_size(cfg->checksum) : 0;

	assert(batch_is_idle(b));
	assert(size > 0 && is_aligned(offset | size, cfg->block_size));
	b->offset = offset;
	b->size = size;
	b->convert = b->store = b->verify = false;
	b->error = 0;
	b->n_chunks = 0;
	b->reads_max = cfg->disk->depth;
	for (uint64_t at = 0; at < size; at += chunk_size) {
		b->chunks[b->n_chunks++] = (struct chunk){
			.batch = b,
			.state = CHUNK_WANT_READ,
			.offset = offset + at,
			.size = (uint32_t)MIN(size - at, (uint64_t)chunk_size),
			.data = b->data + at,
			.digests = b->digests + at / cfg->block_size * digest_size,
		};
	}
}

static bool batch_has_reached(const struct batch *b, enum chunk_state state)
{
	for (unsigned i = 0; i < b->n_chunks; i++)
		if (b->chunks[i].state < state || b->chunks[i].state == CHUNK_FAILED)
			return false;
	return true;
}

bool batch_is_asked_for(const struct batch *b)
{
	return batch_has_reached(b, CHUNK_READING);
}

bool batch_is_handed_out(const struct batch *b)
{
	return batch_has_reached(b, CHUNK_WRITING);
}

bool batch_is_loaded(const struct batch *b)
{
	return batch_has_reached(b, CHUNK_LOADED);
}

bool batch_is_stored(const struct batch *b)
{
	return batch_has_reached(b, CHUNK_STORED);
}

uint64_t batch_unwritten(const struct batch *b)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < b->n_chunks; i++)
		bytes += b->chunks[i].unwritten;
	return bytes;
}

bool batch_ends_unwritten(const struct batch *b)
{
	const struct engine_config *cfg = b->config;
	const uint64_t last = cfg->direction == ENGINE_FORWARD ? b->size - cfg->block_size : 0;
	bool unwritten;

	(void)unwritten_run(b->data + last, cfg->block_size, cfg->block_size, &unwritten);
	return unwritten;
}

bool batch_is_verified(const struct batch *b)
{
	return batch_has_reached(b, CHUNK_VERIFIED);
}

static bool chunk_is_busy(const struct chunk *c)
{
	return c->state == CHUNK_READING || c->state == CHUNK_HASHING ||
	       c->state == CHUNK_CONVERTING || c->state == CHUNK_WRITING ||
	       c->state == CHUNK_VERIFYING;
}

bool batch_is_idle(const struct batch *b)
{
	for (unsigned i = 0; i < b->n_chunks; i++)
		if (chunk_is_busy(&b->chunks[i]))
			return false;
	return true;
}

void batch_convert(struct batch *b)
{
	assert(batch_is_loaded(b) || b->error);
	b->convert = true;
}

void batch_store(struct batch *b)
{
	assert(b->convert);
	b->store = true;
}

void batch_verify(struct batch *b)
{
	assert(batch_is_stored(b));
	for (unsigned i = 0; i < b->n_chunks; i++)
		b->chunks[i].done = 0;
	b->verify = true;
}

void batch_store_again(struct batch *b)
{
	assert(batch_is_idle(b) && b->store);
	b->verify = false;
	b->error = 0;
	for (unsigned i = 0; i < b->n_chunks; i++) {
		b->chunks[i].state = CHUNK_CONVERTED;
		b->chunks[i].done = 0;
	}
}

uint32_t batch_run(const struct chunk *c, uint32_t at, bool *ret_unwritten)
{
	const struct engine_config *cfg = c->batch->config;

	if (cfg->skip_unwritten)
		return unwritten_run(c->data + at, c->size - at, cfg->block_size, ret_unwritten);
	*ret_unwritten = false;
	return c->size - at;
}

static int hash_run(struct chunk *c, unsigned lane, uint32_t at, uint32_t size, bool unwritten)
{
	const struct engine_config *cfg = c->batch->config;
	const size_t digest = checksum_size(cfg->checksum);
	uint8_t *to = c->digests + at / cfg->block_size * digest;

	if (!unwritten)
		return checksum_blocks(cfg->checksum, lane, c->data + at, size, cfg->block_size,
				       to);
	/* Recovery, which knows nothing of all this, finds such a block unconverted. */
	for (uint32_t n = size / cfg->block_size; n > 0; n--, to += digest)
		memcpy(to, c->batch->unwritten_digest, digest);
	return 0;
}

static int hash_runs(struct chunk *c, unsigned lane)
{
	const bool needed = c->batch->config->resilience == ENGINE_CHECKSUM;

	for (uint32_t at = 0, n; at < c->size; at += n) {
		bool unwritten;
		int r;

		n = batch_run(c, at, &unwritten);
		c->unwritten += unwritten ? n : 0;
		r = needed ? hash_run(c, lane, at, n, unwritten) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int convert_run(struct chunk *c, unsigned lane, uint32_t at, uint32_t size)
{
	const struct engine_config *cfg = c->batch->config;
	const uint64_t iv = (c->offset + at) >> SECTOR_SHIFT;
	int r = cipher_decrypt(cfg->old_side.cipher, lane, iv, c->data + at, size);

	return r < 0 ? r : cipher_encrypt(cfg->new_side.cipher, lane, iv, c->data + at, size);
}

static int convert_runs(struct chunk *c, unsigned lane)
{
	for (uint32_t at = 0, n; at < c->size && c->unwritten < c->size; at += n) {
		bool unwritten;
		int r;

		n = batch_run(c, at, &unwritten);
		r = unwritten ? 0 : convert_run(c, lane, at, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int hash_chunk(void *arg, unsigned lane)
{
	struct chunk *c = arg;
	const uint64_t begin = now_usec();
	const int r = hash_runs(c, lane);

	c->job_usec = now_usec() - begin;
	return r;
}

static int convert_chunk(void *arg, unsigned lane)
{
	struct chunk *c = arg;
	const uint64_t begin = now_usec();
	const int r = convert_runs(c, lane);

	c->job_usec = now_usec() - begin;
	return r;
}

static void start_job(struct batch_queue *q, struct chunk *c, enum chunk_state state,
		      int (*run)(void *arg, unsigned lane))
{
	c->state = state;
	c->job = (struct pool_job){.run = run, .arg = c};
	q->jobs++;
	pool_submit(c->batch->config->pool, &c->job);
}

/* @at, @size: which bytes of the chunk; @buf: where they are. */
static int start_io(struct batch_queue *q, struct chunk *c, enum chunk_state state, enum disk_op op,
		    uint32_t at, uint32_t size, uint8_t *buf)
{
	const struct engine_config *cfg = c->batch->config;
	int r;

	c->request = (struct disk_request){
		.op = op,
		.offset = cfg->disk_offset + c->offset + at,
		.buf = buf,
		.size = size,
		.user = c,
	};
	r = cfg->disk->ops->submit(cfg->disk, &c->request);
	if (r < 0)
		return r;
	c->state = state;
	q->in_flight++;
	return 0;
}

static int read_chunk(struct batch_queue *q, struct chunk *c)
{
	const int r = start_io(q, c, CHUNK_READING, DISK_READ, 0, c->size, c->data);

	c->batch->reading += r == 0;
	return r;
}

/*
 * The size of the next part that is written or read back, 0 at the end. New ciphertext is as little
 * all zeros as the old was, so what is, is unwritten still.
 */
static uint32_t next_written(struct chunk *c)
{
	if (c->unwritten == c->size)
		c->done = c->size;
	while (c->done < c->size) {
		bool unwritten;
		const uint32_t n = batch_run(c, c->done, &unwritten);

		if (!unwritten)
			return n;
		c->done += n;
	}
	return 0;
}

static int write_next(struct batch_queue *q, struct chunk *c)
{
	const uint32_t n = next_written(c);

	if (n > 0)
		return start_io(q, c, CHUNK_WRITING, DISK_WRITE, c->done, n, c->data + c->done);
	c->state = CHUNK_STORED;
	return 0;
}

static void give_spare_back(struct batch_queue *q, struct chunk *c)
{
	assert(q->n_spares < BATCH_SPARES);
	q->spare[q->n_spares++] = c->spare;
}

static int verify_next(struct batch_queue *q, struct chunk *c)
{
	const uint32_t n = next_written(c);
	int r;

	if (n == 0) {
		c->state = CHUNK_VERIFIED;
		return 0;
	}
	if (q->n_spares == 0)
		return 0;
	c->spare = q->spare[--q->n_spares];
	r = start_io(q, c, CHUNK_VERIFYING, DISK_READ, c->done, n, c->spare);
	if (r < 0)
		give_spare_back(q, c);
	return r;
}

/* What was read back is in the spare buffer, which is free again. */
static void compare_spare(struct batch_queue *q, struct chunk *c, uint32_t size)
{
	const uint32_t block = c->batch->config->block_size;
	uint32_t at = 0;

	give_spare_back(q, c);
	if (memcmp(c->spare, c->data + c->done, size) == 0) {
		c->done += size;
		c->state = CHUNK_STORED;
		return;
	}
	while (memcmp(c->spare + at, c->data + c->done + at, block) == 0)
		at += block;
	chunk_fail_at(c, -EBADMSG, c->done + at);
}

/* Sends the chunk on as far as its batch may go. 0, or a negative errno of the disk. */
static int chunk_advance(struct batch_queue *q, struct chunk *c)
{
	const struct batch *b = c->batch;
	const struct engine_config *cfg = b->config;
	const bool may_io = !b->error && q->in_flight < cfg->disk->depth;

	switch (c->state) {
	case CHUNK_WANT_READ:
		return may_io && b->reading < b->reads_max ? read_chunk(q, c) : 0;
	case CHUNK_READ:
		if (cfg->resilience == ENGINE_CHECKSUM || cfg->skip_unwritten)
			start_job(q, c, CHUNK_HASHING, hash_chunk);
		else
			c->state = CHUNK_LOADED;
		return 0;
	case CHUNK_LOADED:
		/* Checksums first: they are on the way to the commit, the conversion is not yet. */
		if (b->convert && batch_is_loaded(b))
			start_job(q, c, CHUNK_CONVERTING, convert_chunk);
		return 0;
	case CHUNK_CONVERTED:
		return b->store && may_io ? write_next(q, c) : 0;
	case CHUNK_STORED:
		return b->verify && may_io ? verify_next(q, c) : 0;
	case CHUNK_READING:
	case CHUNK_HASHING:
	case CHUNK_CONVERTING:
	case CHUNK_WRITING:
	case CHUNK_VERIFYING:
	case CHUNK_VERIFIED:
	case CHUNK_FAILED:
		return 0;
	}
	return 0;
}

static void job_done(struct batch_queue *q, struct pool_job *job)
{
	struct chunk *c = job->arg;

	assert(q->jobs > 0);
	q->jobs--;
	q->stages.usec[c->state == CHUNK_HASHING ? STAGE_CHECKSUM : STAGE_CONVERT] += c->job_usec;
	if (job->result < 0)
		chunk_fail(c, job->result);
	else
		c->state = c->state == CHUNK_HASHING ? CHUNK_LOADED : CHUNK_CONVERTED;
}

static void io_done(struct batch_queue *q, struct disk_request *rq)
{
	struct chunk *c = rq->user;

	assert(q->in_flight > 0);
	q->in_flight--;
	if (rq == &q->flush) {
		q->flushing = false;
		return;
	}
	c->batch->reading -= c->state == CHUNK_READING;
	if (c->state == CHUNK_VERIFYING && rq->result == 0) {
		compare_spare(q, c, rq->size);
	} else if (c->state == CHUNK_READING && rq->result == 0) {
		c->state = CHUNK_READ;
	} else if (c->state == CHUNK_WRITING && rq->result == 0) {
		c->done += rq->size;
		c->state = c->done == c->size ? CHUNK_STORED : CHUNK_CONVERTED;
	} else if (c->state == CHUNK_WRITING && ++c->write_failures < WRITE_TRIES) {
		c->state = CHUNK_CONVERTED;
	} else {
		if (c->state == CHUNK_VERIFYING)
			give_spare_back(q, c);
		chunk_fail(c, rq->result);
	}
}

bool batch_reads(const struct batch_queue *q)
{
	for (unsigned i = 0; i < q->n_batches; i++)
		for (unsigned n = 0; n < q->batches[i]->n_chunks; n++)
			if (q->batches[i]->chunks[n].state <= CHUNK_READING)
				return true;
	return false;
}

int batch_submit(struct batch_queue *q)
{
	for (unsigned i = 0; i < q->n_batches; i++) {
		struct batch *b = q->batches[i];

		for (unsigned n = 0; n < b->n_chunks; n++) {
			int r = chunk_advance(q, &b->chunks[n]);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int batch_step(struct batch_queue *q)
{
	const struct engine_config *cfg = q->batches[0]->config;
	struct disk_request *rq;
	struct pool_job *job;
	int r = batch_submit(q);

	if (r < 0)
		return r;
	job = pool_collect(cfg->pool);
	if (job) {
		do
			job_done(q, job);
		while ((job = pool_collect(cfg->pool)));
		return 0;
	}
	if (q->in_flight == 0 && q->jobs == 0)
		return 0;
	r = cfg->disk->ops->wait(cfg->disk, &rq);
	if (r < 0)
		return r;
	if (rq)
		io_done(q, rq);
	return 0;
}

void batch_abandon(struct batch_queue *q, struct batch *b)
{
	if (b->error == 0)
		b->error = -ECANCELED; /* no more requests */
	while (!batch_is_idle(b))
		if (batch_step(q) < 0)
			return;
	b->n_chunks = 0;
}

int batch_start_flush(struct batch_queue *q)
{
	struct disk *disk = q->batches[0]->config->disk;
	int r;

	/* One that was never seen to end says nothing about what was written since. */
	if (q->flushing)
		return -EIO;
	while (q->in_flight >= disk->depth) {
		r = batch_step(q);
		if (r < 0)
			return r;
	}
	q->flush = (struct disk_request){.op = DISK_FLUSH};
	r = disk->ops->submit(disk, &q->flush);
	if (r < 0)
		return r;
	q->in_flight++;
	q->flushing = true;
	return 0;
}

int batch_finish_flush(struct batch_queue *q)
{
	int r;

	while (q->flushing) {
		r = batch_step(q);
		if (r < 0)
			return r;
	}
	return q->flush.result;
}
