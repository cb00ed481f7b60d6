/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 5, the only one that changes data: the header says that the range is hot, and protects it.
 * Where nothing is written, as in an unwritten hotzone, only the flush is left of it.
 *
 *   convert -> write -> flush (-> read back, compare) -> durable
 *      ^----------- again, what the flush or the disk lost -----'
 */
#include <errno.h>

#include "engine/engine-internal.h"
#include "util/clock.h"

/* A flush that fails this often, with the data written again before each, is given up. */
#define FLUSH_TRIES 3

/* The part of step 5 for a side that only the kernel can convert: through its mapping, in order. */
static int store_by_mapping(struct engine *e, struct batch *b)
{
	for (unsigned i = 0; i < b->n_chunks; i++) {
		struct chunk *c = &b->chunks[i];
		int r = 0;

		for (uint32_t n; c->done < c->size && r == 0; c->done += n) {
			bool unwritten;

			n = batch_run(c, c->done, &unwritten);
			if (!unwritten)
				r = engine_convert_now(e, c->offset + c->done, c->data + c->done,
						       n);
		}
		if (r < 0) {
			b->error = r;
			b->error_offset = c->offset;
			return r;
		}
	}
	return 0;
}

static int write_all(struct engine *e, struct batch *b, const struct batch *next)
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
static int verify(struct engine *e, struct batch *b)
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

int engine_store(struct engine *e, struct batch *b, struct batch *next)
{
	bool flushed = false;
	int r;

	for (unsigned tries = 0;; tries++) {
		r = write_all(e, b, next);
		if (r < 0) {
			engine_log_io(e, r, "write", b->error_offset, batch_chunk_size(&e->config));
			return r;
		}
		ahead_finish(e, next);
		/* Also what is unwritten, lest a discard be forgotten behind the boundary. */
		r = engine_flush_and_look(e);
		flushed = r == 0;
		if (flushed)
			r = verify(e, b);
		if (r == 0) {
			e->progress.unwritten += batch_unwritten(b);
			return 0;
		}
		if (tries + 1 == FLUSH_TRIES || engine_has_plaintext_side(&e->config) ||
		    !batch_is_idle(b))
			break;
		/* What a failed flush was to save may be lost: write it again. */
		batch_store_again(b);
	}
	if (flushed)
		return engine_log_differs(e, r, b->error_offset);
	engine_log_io(e, r, "flush", b->offset, b->size);
	return r;
}
