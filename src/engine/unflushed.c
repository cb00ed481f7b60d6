/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What other programs wrote and did not flush. A read returns it, but a power cut may take it away.
 * Nothing that depends on it may become durable first:
 *
 *     data disk    O' durable, O in its cache -- read O -- flush O ---.
 *     header disk                                  '-- checksum of O --'-- hot header -->
 *
 * Without that flush a power cut behind the hot header may leave O', whose checksum is another one.
 * Recovery then takes the block for converted, and what it reads as is lost.
 *
 * Two cases need no flush of their own. Where header and data share a disk, the flush of the
 * resilience area comes after the read and saves both. With a journal recovery takes the old data
 * from the area, whatever the range has. Online that data may never have been flushed, but an
 * application can ask for no more than what it wrote.
 */
#include "engine/engine-internal.h"
#include "util/clock.h"
#include "util/log.h"

static bool outlives_data(const struct engine_config *cfg)
{
	return cfg->resilience == ENGINE_CHECKSUM && !cfg->header->on_data_disk;
}

/* The header as it was read may be in a cache only, if the program that wrote it was killed. */
static int flush_header(struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	const int r = cfg->header->ops->flush(cfg->header);

	return r < 0 ? log_error_errno(r, "%s: cannot flush the LUKS2 header", cfg->disk->name) : 0;
}

static int flush_or_log(struct engine *e, const struct hotzone *z)
{
	const int r = engine_flush(e);

	if (r < 0)
		engine_log_io(e, r, "flush", z->offset, z->size);
	return r;
}

/*
 * Until the next flush of the header's disk the primary alone says what is done. If it rots before
 * that and the power is cut, the secondary may be the one before: "not hot yet", with data written
 * already; "hot still", with another journal in the area; "not passed yet", with data by the new
 * key behind it. On the data disk the next flush of the data ends that time. With checksums "hot
 * still" is right: blocks that match none of them are new.
 */
bool unflushed_needs_both_copies(const struct engine *e, const struct position *p)
{
	const struct engine_config *cfg = &e->config;

	if (cfg->header->on_data_disk)
		return false;
	return p->hotzone_size > 0 || cfg->resilience == ENGINE_JOURNAL ||
	       (cfg->freezer && e->position.hotzone_size == 0);
}

int unflushed_before_run(struct engine *e)
{
	const struct engine_config *cfg = &e->config;
	const bool needed = outlives_data(cfg) || skip_asks_for_holes(e);
	int r = flush_header(e);

	if (r < 0 || cfg->freezer || cfg->header->on_data_disk || !needed)
		return r;
	return flush_or_log(e, &(struct hotzone){0, cfg->size});
}

int unflushed_before_recovery(struct engine *e, const struct hotzone *z)
{
	const int r = flush_header(e);

	return r < 0 || !outlives_data(&e->config) ? r : flush_or_log(e, z);
}

int unflushed_start(struct engine *e)
{
	if (!e->config.freezer || !outlives_data(&e->config))
		return 0;
	e->progress.flushes++;
	return batch_start_flush(&e->queue);
}

int unflushed_finish(struct engine *e)
{
	const uint64_t begin = now_usec();
	int r;

	if (!e->config.freezer || !outlives_data(&e->config))
		return 0;
	r = batch_finish_flush(&e->queue);
	engine_count(e, STAGE_FLUSH, begin);
	return r;
}
