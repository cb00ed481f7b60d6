/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/thin-look.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "dm/find.h"
#include "dm/thin.h"
#include "io/thin-map.h"
#include "util/checked.h"
#include "util/log.h"

/* Of the first look, for five seconds. */
#define FIRST_TRIES 100

struct thin_look {
	struct thin_volume volume;
	struct thin_map *map;
	int metadata_fd;
	char pool[64]; /* the node of its device */
	bool waited, complained;
};

struct thin_look *thin_look_free(struct thin_look *t)
{
	if (!t)
		return NULL;
	thin_map_free(t->map);
	if (t->metadata_fd >= 0)
		(void)close(t->metadata_fd);
	free(t);
	return NULL;
}

/* Past the page cache, which knows nothing of what the pool has written. */
static int open_metadata(dev_t device, int *ret)
{
	const int fd = open_device_node(device, O_RDONLY | O_DIRECT);

	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}

int thin_look_new(dev_t device, uint64_t size, struct thin_look **ret)
{
	_cleanup_(thin_look_freep) struct thin_look *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->metadata_fd = -1;
	r = thin_find(device, &t->volume);
	if (r < 0)
		return r;
	r = find_device_node(t->volume.pool, t->pool, sizeof(t->pool));
	if (r < 0)
		return r;
	r = open_metadata(t->volume.metadata, &t->metadata_fd);
	if (r < 0)
		return r;
	r = thin_map_new(size, t->volume.block_size, &t->map);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

/*
 * A pool has one snapshot at a time, and volumes of one pool may be in work side by side. Anybody
 * may have the lock, so it is not waited for without end, and not at all once something may be
 * frozen.
 */
static int lock_pool(struct thin_look *t)
{
	static const struct timespec pause = {.tv_nsec = 50000000};
	unsigned tries = t->waited ? 1 : FIRST_TRIES;

	t->waited = true;
	while (flock(t->metadata_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || --tries == 0)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static void complain(struct thin_look *t, int error)
{
	if (t->complained)
		return;
	t->complained = true;
	if (error == -EBUSY)
		log_notice(
			"thin pool %s: its metadata snapshot is taken, by a program at work or one "
			"that was killed, so what was never written has to be read; if nobody "
			"needs it: dmsetup message %s 0 release_metadata_snap",
			t->pool, t->pool);
	else if (error == -ENOSPC)
		log_notice("thin pool %s: cannot be written to, or has less than an eighth of its "
			   "metadata free, so no snapshot of that is taken, and what was never "
			   "written has to be read",
			   t->pool);
	else
		log_message_errno(LOG_NOTICE, error,
				  "thin pool %s: cannot see what it has mapped, so what was never "
				  "written has to be read",
				  t->pool);
}

static int look_at_snapshot(struct thin_look *t, uint64_t offset, uint64_t size)
{
	uint64_t root;
	int r = thin_reserve_snapshot(&t->volume, &root), r2;

	if (r < 0)
		return r;
	r = thin_map_read(t->map, t->metadata_fd, root, t->volume.id, offset, size);
	r2 = thin_release_snapshot(&t->volume);
	if (r2 < 0)
		log_warning_errno(r2,
				  "thin pool %s: cannot release its metadata snapshot; try: "
				  "dmsetup message %s 0 release_metadata_snap",
				  t->pool, t->pool);
	return r;
}

int thin_look(struct thin_look *t, uint64_t offset, uint64_t size)
{
	int r;

	assert(t->map && t->metadata_fd >= 0);
	thin_map_forget(t->map, offset, size);
	r = lock_pool(t);
	if (r < 0)
		return r;
	r = look_at_snapshot(t, offset, size);
	if (r < 0)
		complain(t, r);
	(void)flock(t->metadata_fd, LOCK_UN);
	return r;
}

bool thin_look_is_hole(const struct thin_look *t, uint64_t offset, uint64_t size)
{
	return thin_map_is_hole(t->map, offset, size);
}
