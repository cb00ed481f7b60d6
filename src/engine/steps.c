/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps that the run and the recovery have in common: to freeze and to let go, to commit, to
 * flush, to convert a piece at once, and to say what failed where.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"

void engine_count(struct engine *e, enum stage stage, uint64_t begin)
{
	e->progress.stages.usec[stage] += now_usec() - begin;
}

static int log_not_frozen(const struct engine *e, int error, const struct hotzone *z)
{
	if (error == -ERROR_HEADER_CHANGED)
		return engine_log_foreign(e, error);
	return log_error_errno(error, "%s: cannot freeze the hotzone at offset %" PRIu64,
			       e->config.disk->name, z->offset);
}

int engine_freeze(struct engine *e, const struct hotzone *z)
{
	struct freezer *f = e->config.freezer;
	int r;

	if (!f)
		return 0;
	r = f->ops->prepare ? f->ops->prepare(f) : 0;
	if (r < 0)
		return log_not_frozen(e, r, z);
	e->sample = (struct stall_sample){.size = z->size};
	e->frozen_since = now_usec();
	/* A message could wait for the very volume that is frozen. */
	log_hold();
	r = f->ops->freeze(f, z->offset, z->size);
	engine_count(e, STAGE_FREEZE, e->frozen_since);
	histogram_add(&e->progress.freezing, now_usec() - e->frozen_since);
	if (r < 0)
		log_release();
	return r < 0 ? log_not_frozen(e, r, z) : 0;
}

int engine_thaw(struct engine *e)
{
	struct freezer *f = e->config.freezer;
	const uint64_t begin = now_usec();
	int r;

	if (!f)
		return 0;
	assert(e->position.hotzone_size == 0);
	(void)lane_finish(e); /* it needs the lock that is given up here */
	r = f->ops->thaw(f, &e->position);
	engine_count(e, STAGE_FREEZE, begin);
	log_release();
	if (r < 0)
		return log_error_errno(r,
				       "%s: cannot release the I/O that waits at offset %" PRIu64
				       "; run the same command again to release it",
				       e->config.disk->name, e->position.boundary);
	e->sample.frozen = now_usec() - e->frozen_since;
	histogram_add(&e->progress.frozen, e->sample.frozen);
	return 0;
}

/* The hotzone stays hot in the header; its I/O fails, all other I/O goes on. Returns @error. */
int engine_give_up(struct engine *e, int error)
{
	struct freezer *f = e->config.freezer;
	int r;

	(void)lane_finish(e);
	r = f ? f->ops->fail(f) : 0;
	e->thawed = (struct hotzone){0}; /* nothing is known of the header but that it is hot */
	log_release();
	if (r < 0)
		log_error_errno(r, "%s: I/O to the hotzone at offset %" PRIu64 " keeps waiting",
				e->config.disk->name, e->position.boundary);
	return error;
}

int engine_drain(struct engine *e, struct batch *b)
{
	while (!batch_is_idle(b)) {
		int r = batch_step(&e->queue);

		if (r < 0)
			return r;
	}
	return 0;
}

int engine_wait_loaded(struct engine *e, struct batch *b)
{
	const uint64_t begin = now_usec();
	int r;

	while (!batch_is_loaded(b) && !b->error) {
		r = batch_step(&e->queue);
		if (r < 0)
			return r;
	}
	r = engine_drain(e, b);
	engine_count(e, STAGE_LOAD, begin);
	return r < 0 ? r : b->error;
}

int engine_log_foreign(const struct engine *e, int error)
{
	log_error("%s: another program has changed the LUKS2 header, so the work ends here, at "
		  "offset %" PRIu64 "; see what \"recryptctl status\" says, and resume then",
		  e->config.disk->name, e->position.boundary);
	return error;
}

int engine_protect(struct engine *e, const void *data, size_t size)
{
	const uint64_t begin = now_usec();
	int r;

	assert(size > 0 && is_aligned((uintptr_t)data, 4096));
	r = lane_call(e, &(struct header_call){.what = HEADER_PROTECT, .data = data, .size = size});
	engine_count(e, STAGE_PROTECT, begin);
	return r;
}

/* By turns the head of the disk would come back from the data for it. */
static bool is_copied_later(const struct engine *e, const struct position *p, bool both)
{
	return p->hotzone_size > 0 && !both && (e->config.freezer || e->overlap.beside);
}

/* Commits @p and remembers it. On a failure other than -ERROR_HEADER_CHANGED the header may have
 * either. */
int engine_commit(struct engine *e, const struct position *p)
{
	const bool both = unflushed_needs_both_copies(e, p);
	const struct header_call c = {
		.what = HEADER_COMMIT,
		.position = *p,
		.both_copies = both,
		.copy_later = is_copied_later(e, p, both),
	};
	const uint64_t begin = now_usec();
	int r;

	/* Never "all converted, still in re-encryption": that is for finish(). */
	assert(p->hotzone_size > 0 || !plan_is_at_end(&e->config, p->boundary));
	r = lane_call(e, &c);
	engine_count(e, STAGE_COMMIT, begin);
	e->uncertain = r < 0 && r != -ERROR_HEADER_CHANGED;
	if (r == -ERROR_HEADER_CHANGED)
		return engine_log_foreign(e, r);
	if (r < 0)
		return log_error_errno(r, "%s: cannot commit the LUKS2 header at offset %" PRIu64,
				       e->config.disk->name, p->boundary);
	e->position = *p;
	e->thawed = (struct hotzone){0};
	return 0;
}

static int flush_disks(struct engine *e)
{
	struct disk *plain = e->config.new_side.plaintext;
	int r = plain ? disk_run(plain, DISK_FLUSH, 0, NULL, 0) : 0;

	if (r < 0)
		return r;
	r = batch_start_flush(&e->queue);
	return r < 0 ? r : batch_finish_flush(&e->queue);
}

static int flush_data(struct engine *e)
{
	const uint64_t begin = now_usec();
	int r;

	e->progress.flushes++;
	r = flush_disks(e);
	engine_count(e, STAGE_FLUSH, begin);
	return r;
}

/* The header is touched, so no call may be under way, the release of the lock included. */
static void tell_of_flush(struct engine *e, int result)
{
	struct header_store *h = e->config.header;

	(void)lane_finish(e);
	if (result == 0)
		h->ops->data_flushed(h);
	else
		h->ops->data_flush_failed(h);
}

int engine_flush(struct engine *e)
{
	int r;

	(void)lane_finish(e); /* what it writes is to be saved, too */
	r = flush_data(e);
	tell_of_flush(e, r);
	return r;
}

/* A look that fails is repeated by the next call, which reports it. */
int engine_flush_and_look(struct engine *e)
{
	int r;

	/* By turns the range is read after this: the lock would be held for too long. */
	if (e->config.freezer || !e->overlap.beside || batch_reads(&e->queue))
		return engine_flush(e);
	(void)lane_finish(e);
	lane_start(e, &(struct header_call){.what = HEADER_HOLD});
	r = flush_data(e);
	tell_of_flush(e, r);
	return r;
}

void engine_release(struct engine *e)
{
	(void)lane_finish(e);
	lane_start(e, &(struct header_call){.what = HEADER_RELEASE});
}

void engine_log_io(const struct engine *e, int error, const char *what, uint64_t offset,
		   uint64_t size)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t first = (cfg->disk_offset + offset) >> SECTOR_SHIFT;

	log_error_errno(error,
			"%s: cannot %s sectors %" PRIu64 " to %" PRIu64 " (offset %" PRIu64
			" of the data)",
			cfg->disk->name, what, first,
			first + (MIN(size, cfg->size - offset) >> SECTOR_SHIFT) - 1, offset);
}

static int read_old(struct engine *e, uint64_t offset, void *data, uint32_t size)
{
	const struct engine_config *cfg = &e->config;
	struct disk *plain = cfg->old_side.plaintext;

	if (plain)
		return disk_run(plain, DISK_READ, offset, data, size);
	return cipher_decrypt(cfg->old_side.cipher, 0, offset >> SECTOR_SHIFT, data, size);
}

static int write_new(struct engine *e, uint64_t offset, void *data, uint32_t size)
{
	const struct engine_config *cfg = &e->config;
	struct disk *plain = cfg->new_side.plaintext;
	int r;

	if (plain)
		return disk_run(plain, DISK_WRITE, offset, data, size);
	r = cipher_encrypt(cfg->new_side.cipher, 0, offset >> SECTOR_SHIFT, data, size);
	if (r < 0)
		return r;
	return disk_run(cfg->disk, DISK_WRITE, cfg->disk_offset + offset, data, size);
}

int engine_convert_now(struct engine *e, uint64_t offset, void *data, uint32_t size)
{
	int r = read_old(e, offset, data, size);

	return r < 0 ? r : write_new(e, offset, data, size);
}

int engine_verify_now(struct engine *e, uint64_t offset, const uint8_t *data, uint32_t size,
		      uint64_t *ret_error_offset)
{
	const struct engine_config *cfg = &e->config;
	struct disk *plain = cfg->new_side.plaintext;
	uint8_t *found = e->queue.spare[0];
	int r;

	assert(cfg->verify && size <= batch_chunk_size(cfg));
	r = plain ? disk_run(plain, DISK_READ, offset, found, size)
		  : disk_run(cfg->disk, DISK_READ, cfg->disk_offset + offset, found, size);
	*ret_error_offset = offset;
	if (r < 0)
		return r;
	for (uint32_t at = 0; at < size; at += cfg->block_size)
		if (memcmp(found + at, data + at, cfg->block_size) != 0) {
			*ret_error_offset = offset + at;
			return -EBADMSG;
		}
	return 0;
}

int engine_log_differs(const struct engine *e, int error, uint64_t offset)
{
	const struct engine_config *cfg = &e->config;

	if (error != -EBADMSG) {
		engine_log_io(e, error, "read back", offset, cfg->block_size);
		return error;
	}
	log_error("%s: sectors from %" PRIu64 " (offset %" PRIu64
		  " of the data) read back otherwise "
		  "than they were written. Do not use this disk any longer, and copy it to another "
		  "one as it is. %s",
		  cfg->disk->name, (cfg->disk_offset + offset) >> SECTOR_SHIFT, offset,
		  cfg->resilience == ENGINE_JOURNAL
			  ? "The old data is safe in the header, and is written anew when the "
			    "re-encryption goes on there"
			  : "What was in them, perhaps in more of the hotzone, has to come from a "
			    "backup (--resilience journal would have kept it); all else is right "
			    "when the re-encryption goes on there");
	return error;
}
