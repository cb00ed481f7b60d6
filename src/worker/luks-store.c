/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/luks-store.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "luks/lock.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

/* Of the pause after the lock was held. */
#define PAUSE_SHARE    50
#define PAUSE_MIN_USEC UINT64_C(200)
#define PAUSE_MAX_USEC UINT64_C(10000)

static struct luks_store *of(struct header_store *s)
{
	return (struct luks_store *)((char *)s - offsetof(struct luks_store, store));
}

/* None for a simulation, nor while it is held already. */
static int lock_header(struct luks_store *s, struct luks_lock **ret)
{
	if (s->lock_fd < 0 || s->held)
		return 0;
	return luks_lock_metadata_patiently(s->lock_fd, LUKS_LOCK_EXCLUSIVE, ret);
}

/* The exclusive lock, and a header that is still the one we know. Held, it can be no other. */
static int enter(struct luks_store *s, struct luks_lock **ret)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = lock_header(s, &lock);

	if (r < 0)
		return r;
	if (!s->held)
		r = luks_header_check_unmoved(s->header, s->io);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(lock);
	return 0;
}

int luks_store_hold(struct luks_store *s)
{
	int r;

	if (s->held)
		return 0;
	assert(!s->lock);
	s->held_since = now_usec();
	r = enter(s, &s->lock);
	s->held = r == 0;
	return r;
}

void luks_store_release(struct luks_store *s)
{
	struct timespec pause = {0};
	uint64_t usec;

	if (!s->held)
		return;
	assert(s->lock || s->lock_fd < 0);
	s->held = false;
	if (!s->lock)
		return;
	usec = MIN((now_usec() - s->held_since) / PAUSE_SHARE, PAUSE_MAX_USEC);
	usec = MAX(usec, PAUSE_MIN_USEC);
	pause.tv_nsec = 1000 * (long)usec;
	s->lock = luks_lock_free(s->lock);
	(void)nanosleep(&pause, NULL);
}

static int store_hold(struct header_store *hs)
{
	return luks_store_hold(of(hs));
}

static void store_release(struct header_store *hs)
{
	luks_store_release(of(hs));
}

static int store_protect(struct header_store *hs, const void *data, size_t size)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_store *s = of(hs);
	int r;

	if (!range_inside(0, size, s->reenc->area_size))
		return -ENOSPC;
	r = enter(s, &lock);
	if (r < 0)
		return r;
	r = meta_io_write(s->io, s->reenc->area_offset, data, size);
	if (r < 0)
		return r;
	s->flushes++;
	r = meta_io_flush(s->io);
	if (r < 0) {
		(void)luks_header_flush_failed(s->header, s->io);
		return r;
	}
	luks_header_flushed(s->header);
	return 0;
}

static int store_protect_ahead(struct header_store *hs, uint64_t offset, const void *data,
			       size_t size)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_store *s = of(hs);
	int r;

	if (!range_inside(offset, size, s->reenc->area_size))
		return -ENOSPC;
	r = enter(s, &lock);
	return r < 0 ? r : meta_io_write(s->io, s->reenc->area_offset + offset, data, size);
}

static int store_read_area(struct header_store *hs, uint64_t offset, void *data, size_t size)
{
	struct luks_store *s = of(hs);

	if (!range_inside(offset, size, s->reenc->area_size))
		return -EINVAL;
	return meta_io_read(s->io, s->reenc->area_offset + offset, data, size);
}

typedef int (*commit_func)(struct luks_header *h, struct meta_io *io, struct luks_reason *why);

static int commit(struct luks_store *s, commit_func how)
{
	struct luks_reason why = {};
	int r;

	s->flushes++;
	r = how(s->header, s->io, &why);
	if (r < 0 && why.text[0])
		log_error("%s: %s", s->io->name, why.text);
	return r;
}

static int store_commit(struct header_store *hs, const struct position *p)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_store *s = of(hs);
	int r = enter(s, &lock);

	if (r < 0)
		return r;
	r = luks_reenc_set_position(s->header, s->reenc, p->boundary, p->hotzone_size);
	if (r < 0)
		return r;
	return commit(s, s->held ? luks_header_commit_primary : luks_header_commit);
}

static int store_copy(struct header_store *hs)
{
	struct luks_store *s = of(hs);

	return luks_header_copy(s->header, s->io);
}

static int store_flush(struct header_store *hs)
{
	struct luks_store *s = of(hs);

	s->flushes++;
	return luks_header_flush(s->header, s->io);
}

static void store_data_flushed(struct header_store *hs)
{
	struct luks_store *s = of(hs);

	if (s->store.on_data_disk)
		luks_header_flushed(s->header);
}

static void store_data_flush_failed(struct header_store *hs)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_store *s = of(hs);

	if (!s->store.on_data_disk)
		return;
	/* A failure counts the secondary as bad, and the next commit says so. */
	if (lock_header(s, &lock) < 0)
		s->header->bad[LUKS_SECONDARY] = true;
	else
		(void)luks_header_flush_failed(s->header, s->io);
}

static int store_finish(struct header_store *hs)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_store *s = of(hs);
	int r = enter(s, &lock);

	if (r < 0)
		return r;
	r = luks_reenc_finish(s->header, s->reenc, &s->freed);
	if (r < 0)
		return r;
	r = commit(s, luks_header_commit);
	/* A primary that could not be written may be written again; nothing else gets this far. */
	if (r < 0 && s->header->bad[LUKS_PRIMARY])
		r = commit(s, luks_header_commit);
	return r < 0 ? r : store_flush(hs);
}

int luks_store_set_record(struct luks_store *s, const char *text, const struct record_keys *keys,
			  struct luks_reason *why)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = enter(s, &lock);

	if (r < 0)
		return r;
	r = luks_record_set(s->header, text, keys, why);
	if (r < 0)
		return r;
	s->flushes++;
	r = luks_header_commit(s->header, s->io, why);
	return r < 0 ? r : store_flush(&s->store);
}

void luks_store_init(struct luks_store *s, struct meta_io *io, struct luks_header *header,
		     struct luks_reenc *reenc, int lock_fd, bool on_data_disk)
{
	static const struct header_store_ops ops = {
		.hold = store_hold,
		.release = store_release,
		.protect = store_protect,
		.protect_ahead = store_protect_ahead,
		.read_area = store_read_area,
		.commit = store_commit,
		.copy = store_copy,
		.flush = store_flush,
		.data_flushed = store_data_flushed,
		.data_flush_failed = store_data_flush_failed,
		.finish = store_finish,
	};

	*s = (struct luks_store){
		.store = {.ops = &ops, .area_size = reenc->area_size, .on_data_disk = on_data_disk},
		.io = io,
		.header = header,
		.reenc = reenc,
		.lock_fd = lock_fd,
	};
}
