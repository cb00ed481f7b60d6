/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 5, the only one that changes data: the header says that the range is hot, and protects it.
 * Where nothing is written, as in an unwritten hotzone, only the flush is left of it.
 *
 *   convert -> write -> flush (-> read back, compare) -> durable
 *      ^----------- again, what the flush or the disk lost -----'
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine-internal.h"
#include "util/clock.h"

/* A flush that fails this often, with the data written again before each, is given up. */
#define FLUSH_TRIES 3

static int store_chunk_by_mapping(struct engine *e, struct chunk *c)
{
	for (uint32_t n; c->done < c->size; c->done += n) {
		bool unwritten;
		int r;

		n = batch_run(c, c->done, &unwritten);
		r = unwritten ? 0
			      : engine_convert_now(e, c->offset + c->done, c->data + c->done, n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The part of step 5 for a side that only the kernel can convert: through its mapping, in order. */
static int store_by_mapping(struct engine *e, struct batch *b)
{
	for (unsigned i = 0; i < b->n_chunks; i++) {
		struct chunk *c = &b->chunks[i];
		int r = store_chunk_by_mapping(e, c);

		if (r < 0) {
			b->error = r;
			b->error_offset = c->offset;
			return r;
		}
	}
	return 0;
}

static int write_batch(struct engine *e, struct batch *b, const struct batch *next)
{
	const uint64_t begin = now_usec();
	int r;

	if (engine_has_plaintext_side(&e->config))
		return store_by_mapping(e, b);
	batch_convert(b);
	batch_store(b);
	ahead_forget(e);
	while (!batch_is_stored(b) && !b->error) {
		ahead_step(e, b, next);
		r = batch_step(&e->queue);
		if (r < 0)
			return r;
	}
	r = engine_drain(e, b);
	engine_count(e, STAGE_STORE, begin);
	return r < 0 ? r : b->error;
}

/* Parts that look unwritten are left out, though plaintext may look so, too. */
static int verify_by_mapping(struct engine *e, struct batch *b)
{
	for (unsigned i = 0; i < b->n_chunks; i++) {
		struct chunk *c = &b->chunks[i];

		for (uint32_t at = 0, n; at < c->size; at += n) {
			bool unwritten;
			int r;

			n = batch_run(c, at, &unwritten);
			r = unwritten ? 0
				      : engine_verify_now(e, c->offset + at, c->data + at, n,
							  &b->error_offset);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Is what is durable now what was to be written? It goes no further before that is known. */
static int verify_stored(struct engine *e, struct batch *b)
{
	const uint64_t begin = now_usec();
	int r;

	if (!e->config.verify)
		return 0;
	if (engine_has_plaintext_side(&e->config))
		return verify_by_mapping(e, b);
	batch_verify(b);
	while (!batch_is_verified(b) && !b->error) {
		r = batch_step(&e->queue);
		if (r < 0)
			return r;
	}
	r = engine_drain(e, b);
	engine_count(e, STAGE_VERIFY, begin);
	return r < 0 ? r : b->error;
}

/* @ret_flushed: what was written is durable, whether or not it reads back so. */
static int flush_and_verify(struct engine *e, struct batch *b, bool *ret_flushed)
{
	/* Unwritten blocks are flushed, too: a discard must not be lost behind the boundary. */
	int r = engine_flush_and_look(e);

	*ret_flushed = r >= 0;
	return r < 0 ? r : verify_stored(e, b);
}

static bool may_store_again(const struct engine *e, const struct batch *b, unsigned tries)
{
	return tries < FLUSH_TRIES && !engine_has_plaintext_side(&e->config) && batch_is_idle(b);
}

int engine_store(struct engine *e, struct batch *b, struct batch *next)
{
	bool flushed;
	int r;

	assert(b->size > 0 && b != next);
	for (unsigned tries = 1;; tries++) {
		r = write_batch(e, b, next);
		if (r < 0) {
			engine_log_io(e, r, "write", b->error_offset, batch_chunk_size(&e->config));
			return r;
		}
		ahead_finish(e, next);
		r = flush_and_verify(e, b, &flushed);
		if (r == 0 || !may_store_again(e, b, tries))
			break;
		/* What a failed flush was to save may be lost: write it again. */
		batch_store_again(b);
	}
	if (r < 0 && flushed)
		return engine_log_differs(e, r, b->error_offset);
	if (r < 0) {
		engine_log_io(e, r, "flush", b->offset, b->size);
		return r;
	}
	e->progress.unwritten += batch_unwritten(b);
	return 0;
}
