/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recovery of a hot position: with the checksums of the area, each block that still has its old
 * checksum is converted and every other one is new already, and written again; with a journal the
 * old data is taken from the area and all is converted again. Either may be interrupted and
 * repeated at any point: the area stays untouched until the header is clean, and the data is
 * flushed before that commit.
 *
 * It works through a window at a time, since a hotzone of cryptsetup can be 1 GiB.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/engine-internal.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

struct recovery_window {
	uint64_t offset;     /* bytes from the start of the data */
	uint64_t in_hotzone; /* bytes from the start of the hotzone */
	uint32_t size;
	uint8_t *data, *stored, *present; /* @stored and @present: digests */
};

static int read_raw(struct engine *e, struct recovery_window *w)
{
	int r = disk_run(e->config.disk, DISK_READ, e->config.disk_offset + w->offset, w->data,
			 w->size);

	if (r < 0)
		engine_log_io(e, r, "read", w->offset, w->size);
	return r;
}

/* With verify each piece is durable, and compared, before the next one. */
static int convert_now(struct engine *e, uint64_t offset, void *data, uint32_t size)
{
	uint64_t error_offset;
	int r = engine_convert_now(e, offset, data, size);

	if (r < 0) {
		engine_log_io(e, r, "write", offset, size);
		return r;
	}
	if (!e->config.verify)
		return 0;
	r = engine_flush(e);
	if (r < 0) {
		engine_log_io(e, r, "flush", offset, size);
		return r;
	}
	r = engine_verify_now(e, offset, data, size, &error_offset);
	return r < 0 ? engine_log_differs(e, r, error_offset) : 0;
}

/*
 * Blocks that are new already are written again as they were read. A flush that failed before may
 * have lost them: they are readable in the cache then, and no later flush makes them durable.
 */
static int write_again(struct engine *e, uint64_t offset, void *data, uint32_t size)
{
	const struct engine_config *cfg = &e->config;
	int r = disk_run(cfg->disk, DISK_WRITE, cfg->disk_offset + offset, data, size);

	if (r < 0)
		engine_log_io(e, r, "write", offset, size);
	return r;
}

/* Converts the runs of blocks whose checksum is still the stored one. */
static int recover_by_checksum(struct engine *e, struct recovery_window *w)
{
	const struct engine_config *cfg = &e->config;
	const size_t digest = checksum_size(cfg->checksum), bs = cfg->block_size;
	const size_t blocks = w->size / bs;
	int r;

	assert(blocks * digest <= e->recovery_digests_size / 2);
	r = cfg->header->ops->read_area(cfg->header, w->in_hotzone / bs * digest, w->stored,
					blocks * digest);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the resilience area", cfg->disk->name);
	r = read_raw(e, w);
	if (r < 0)
		return r;
	r = checksum_blocks(cfg->checksum, 0, w->data, w->size, bs, w->present);
	if (r < 0)
		return r;
	for (size_t i = 0, n; i < blocks; i += n) {
		const bool old =
			memcmp(w->stored + i * digest, w->present + i * digest, digest) == 0;

		for (n = 1; i + n < blocks; n++)
			if ((memcmp(w->stored + (i + n) * digest, w->present + (i + n) * digest,
				    digest) == 0) != old)
				break;
		r = old ? convert_now(e, w->offset + i * bs, w->data + i * bs, (uint32_t)(n * bs))
			: write_again(e, w->offset + i * bs, w->data + i * bs, (uint32_t)(n * bs));
		if (r < 0)
			return r;
	}
	return 0;
}

/* The mapping decrypts what is on the disk, so the old data goes back there first. */
static int put_old_back(struct engine *e, const struct recovery_window *w)
{
	const struct engine_config *cfg = &e->config;
	int r = disk_run(cfg->disk, DISK_WRITE, cfg->disk_offset + w->offset, w->data, w->size);

	return r < 0 ? r : disk_run(cfg->disk, DISK_FLUSH, 0, NULL, 0);
}

static int recover_by_journal(struct engine *e, struct recovery_window *w)
{
	const struct engine_config *cfg = &e->config;
	int r = cfg->header->ops->read_area(cfg->header, w->in_hotzone, w->data, w->size);

	if (r < 0)
		return log_error_errno(r, "%s: cannot read the resilience area", cfg->disk->name);
	r = cfg->old_side.plaintext ? put_old_back(e, w) : 0;
	if (r < 0) {
		engine_log_io(e, r, "write", w->offset, w->size);
		return r;
	}
	return convert_now(e, w->offset, w->data, w->size);
}

static int recover_data(struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const uint32_t window_max = batch_chunk_size(cfg);
	struct recovery_window w = {
		.data = e->batch[0].data,
		.stored = e->recovery_digests,
		.present = e->recovery_digests + e->recovery_digests_size / 2,
	};

	for (uint64_t at = 0; at < z->size; at += w.size) {
		int r;

		w.offset = z->offset + at;
		w.in_hotzone = at;
		w.size = (uint32_t)MIN(z->size - at, (uint64_t)window_max);
		r = cfg->resilience == ENGINE_CHECKSUM ? recover_by_checksum(e, &w)
						       : recover_by_journal(e, &w);
		if (r < 0)
			return r;
	}
	return 0;
}

static int commit_recovered(struct engine *e, const struct hotzone *z)
{
	const struct engine_config *cfg = &e->config;
	const struct position clean = {.boundary = plan_boundary_after(cfg, z)};
	int r;

	if (!plan_is_at_end(cfg, clean.boundary)) {
		r = engine_commit(e, &clean);
		engine_release(e);
		(void)lane_finish(e);
		return r < 0 ? r : cfg->header->ops->flush(cfg->header);
	}
	r = cfg->header->ops->finish(cfg->header);
	if (r < 0)
		return log_error_errno(r, "%s: cannot make the final commit of the LUKS2 header",
				       cfg->disk->name);
	e->position = clean;
	e->finished = true;
	return 0;
}

/* All but the thaw. */
static int recover_hotzone(struct engine *e, const struct hotzone *z)
{
	int r = unflushed_before_recovery(e, z);

	if (r < 0)
		return r;
	r = recover_data(e, z);
	if (r < 0)
		return r;
	r = engine_flush(e);
	if (r < 0) {
		engine_log_io(e, r, "flush", z->offset, z->size);
		return r;
	}
	return commit_recovered(e, z);
}

int engine_recover(struct engine *e, const struct position *hot)
{
	const struct engine_config *cfg = &e->config;
	const struct hotzone z = {
		.offset = cfg->direction == ENGINE_FORWARD ? hot->boundary
							   : hot->boundary - hot->hotzone_size,
		.size = hot->hotzone_size,
	};
	int r;

	if (!range_inside(z.offset, z.size, cfg->size) || !is_aligned(z.size, cfg->block_size))
		return -EINVAL;
	e->position = *hot;
	e->frozen_since = now_usec();
	if (cfg->freezer)
		log_hold();
	r = recover_hotzone(e, &z);
	return r < 0 ? engine_give_up(e, r) : engine_thaw(e);
}
