/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All memory of a run, in one locked mapping that is made before anything is frozen:
 *
 *    | data of batch 0 | (of 1) | digests of 0 | (of 1) | chunks of 0 | (of 1) |
 *    | recovery's digests | what verify reads |
 *
 * Offline the engine may use both halves of each part for batch 0, while 1 is empty. All of it
 * holds plaintext in passing, so it stays out of core dumps and is wiped at the end.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/engine-internal.h"
#include "engine/plan.h"
#include "util/checked.h"

struct batch_sizes {
	uint64_t data, digests, chunks; /* bytes of each part of a batch, multiples of 4096 */
};

static struct batch_sizes batch_layout(const struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t longest = MIN(plan_memory(cfg), cfg->size);
	const uint64_t n_chunks = longest / batch_chunk_size(cfg) + 1;
	struct batch_sizes l = {
		/* Recovery works in chunks whatever the size of the hotzone. */
		.data = round_up_u64(MAX(longest, (uint64_t)batch_chunk_size(cfg)), 4096),
		.chunks = round_up_u64(n_chunks * sizeof(struct chunk), 4096),
	};

	if (cfg->resilience == ENGINE_CHECKSUM)
		l.digests = round_up_u64(plan_resilience_size(cfg, longest), 4096);
	return l;
}

static int add_memory(struct disk *d, void *memory, uint64_t size)
{
	return d && d->ops->add_memory ? d->ops->add_memory(d, memory, size) : 0;
}

/* Gives each batch its part of @p; returns what is behind that. */
static uint8_t *divide(struct engine *e, const struct batch_sizes *l, uint8_t *p)
{
	const unsigned n = e->queue.n_batches;
	uint8_t *digests = p + n * l->data, *chunks = digests + n * l->digests;

	for (unsigned i = 0; i < n; i++) {
		struct batch *b = &e->batch[i];

		b->config = &e->config;
		b->data = p + i * l->data;
		b->digests = digests + i * l->digests;
		b->chunks = (struct chunk *)(chunks + i * l->chunks);
		b->unwritten_digest = e->unwritten_digest;
		e->queue.batches[i] = b;
	}
	return chunks + n * l->chunks;
}

static int allocate(struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	const struct batch_sizes l = batch_layout(e);
	const size_t spares = cfg->verify ? BATCH_SPARES * (size_t)batch_chunk_size(cfg) : 0;
	uint8_t *p;
	int r;

	e->queue.n_batches = cfg->freezer ? 1 : 2;
	if (cfg->resilience == ENGINE_CHECKSUM)
		e->recovery_digests_size =
			2 * (size_t)round_up_u64(plan_resilience_size(cfg, batch_chunk_size(cfg)),
						 4096);
	e->memory_size = (size_t)((l.data + l.digests + l.chunks) * e->queue.n_batches) +
			 e->recovery_digests_size + spares;
	/* Where all memory to come is locked, a mapping gets its pages at once, small ones. Without
	 * access it gets none, so that huge ones can be asked for first. */
	p = mmap(NULL, e->memory_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	/* They are cheaper to make and to pin; a kernel without them fails this. */
	(void)madvise(p, e->memory_size, MADV_HUGEPAGE);
	if (madvise(p, e->memory_size, MADV_DONTDUMP) < 0 ||
	    mprotect(p, e->memory_size, PROT_READ | PROT_WRITE) < 0) {
		(void)munmap(p, e->memory_size); /* nobody may touch it, to wipe it either */
		return -ENOMEM;
	}
	e->memory = p;
	if (mlock(p, e->memory_size) < 0)
		return -ENOMEM;
	r = add_memory(cfg->disk, p, l.data * e->queue.n_batches);
	if (r < 0)
		return r;
	p = divide(e, &l, p);
	e->recovery_digests = p;
	p += e->recovery_digests_size;
	for (; e->queue.n_spares < (spares ? BATCH_SPARES : 0); p += batch_chunk_size(cfg))
		e->queue.spare[e->queue.n_spares++] = p;
	if (!cfg->skip_unwritten || cfg->resilience == ENGINE_JOURNAL)
		return 0;
	/* The memory is still all zeros. */
	return checksum_blocks(cfg->checksum, 0, e->batch[0].data, cfg->block_size, cfg->block_size,
			       e->unwritten_digest);
}

int engine_new(const struct engine_config *config, struct engine **ret)
{
	_cleanup_(engine_freep) struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	if (config->resilience == ENGINE_CHECKSUM && !config->checksum)
		return -EINVAL;
	e->config = *config;
	e->progress.total = config->size;
	e->hotzone_max = config->freezer ? plan_hotzone_max(config) : plan_alone_max(config);
	if (e->hotzone_max == 0)
		return -ENOSPC;
	if (!is_power_of_2(config->block_size) ||
	    !is_aligned(config->block_size, config->disk->block_size) ||
	    !range_inside(config->disk_offset, config->size, config->disk->size))
		return -EINVAL;
	e->limit = e->hotzone_max;
	e->limits = config->limits;
	e->stall.size = e->stall_unwritten.size = STALL_FIRST_SIZE;
	r = allocate(e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
	/* What a broken disk never gave back it may still write: better leaked than zeros. */
	if (e->memory && e->queue.in_flight == 0 && e->queue.jobs == 0) {
		explicit_bzero(e->memory, e->memory_size);
		(void)munmap(e->memory, e->memory_size);
	}
	free(e);
	return NULL;
}
