/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recrypt-worker that converts a closed volume as it would convert an open one: the linker puts
 * __wrap_engine_new() in the place of engine_new(), which gives the engine a freezer. That one has
 * no applications to keep away and no tables to load, so what is measured is the disk and the
 * engine.
 */
#include <sys/param.h>

#include "engine/engine.h"
#include "worker/conversion.h"

int __real_engine_new(const struct engine_config *config, struct engine **ret);
int __wrap_engine_new(const struct engine_config *config, struct engine **ret);

static struct header_store *header;

/* As freezer-dm.c: the header is looked at once a hotzone, before anybody waits. */
static int prepare(struct freezer *f)
{
	(void)f;
	return header->ops->hold(header);
}

static int freeze(struct freezer *f, uint64_t offset, uint64_t size)
{
	(void)f;
	(void)offset;
	(void)size;
	return 0;
}

static int thaw(struct freezer *f, const struct position *now)
{
	(void)f;
	(void)now;
	header->ops->release(header);
	return 0;
}

static int fail(struct freezer *f)
{
	(void)f;
	header->ops->release(header);
	return 0;
}

int __wrap_engine_new(const struct engine_config *config, struct engine **ret)
{
	static const struct freezer_ops ops = {
		.prepare = prepare, .freeze = freeze, .thaw = thaw, .fail = fail};
	static struct freezer freezer = {.ops = &ops};
	struct engine_config online = *config;

	header = online.header;
	online.freezer = &freezer;
	/* As for an open volume. */
	online.header_lane = NULL;
	online.hotzone_size = MIN(online.hotzone_size, HOTZONE_ONLINE);
	return __real_engine_new(&online, ret);
}
