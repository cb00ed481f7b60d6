/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/extent.h"

#include <errno.h>

#include "io/geometry.h"
#include "io/loop.h"
#include "io/stacking.h"
#include "util/checked.h"

/* Moves @e down by @offset into what has @size bytes there (0: not known). */
static int move_down(struct extent *e, uint64_t offset, uint64_t size)
{
	uint64_t limit = UINT64_MAX;

	if (add_u64(e->start, offset, &e->start) < 0)
		return -EOVERFLOW;
	if (add_u64(e->end, offset, &e->end) < 0)
		e->end = UINT64_MAX;
	if (size > 0 && add_u64(offset, size, &limit) < 0)
		limit = UINT64_MAX;
	e->end = MIN(e->end, limit);
	return 0;
}

static int leave_partition(struct extent *e, dev_t disk)
{
	uint64_t first, sectors, start, size;
	int r = sysfs_block_number(e->dev, "start", &first);

	if (r < 0)
		return r;
	r = sysfs_block_number(e->dev, "size", &sectors);
	if (r < 0)
		return r;
	if (mul_u64(first, SECTOR_SIZE, &start) < 0 || mul_u64(sectors, SECTOR_SIZE, &size) < 0)
		return -EOVERFLOW;
	r = move_down(e, start, size);
	if (r < 0)
		return r;
	e->dev = disk;
	return 0;
}

static int leave_loop(struct extent *e)
{
	struct loop_backing b;
	int r = loop_backing_of(e->dev, &b);

	if (r < 0)
		return r;
	r = move_down(e, b.offset, b.size);
	if (r < 0)
		return r;
	e->is_file = b.device == 0;
	e->dev = e->is_file ? b.file_dev : b.device;
	e->ino = e->is_file ? b.file_ino : 0;
	return 0;
}

static int see_through(struct extent *e)
{
	for (unsigned depth = 0; !e->is_file; depth++) {
		dev_t disk;
		int r;

		if (depth == STACKING_DEPTH_MAX)
			return -ELOOP;
		if (device_is_partition(e->dev, &disk))
			r = leave_partition(e, disk);
		else if (loop_is_attached(e->dev))
			r = leave_loop(e);
		else
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int extent_of_device(dev_t device, struct extent *ret)
{
	struct extent e = {.dev = device, .end = UINT64_MAX};
	int r = see_through(&e);

	if (r < 0)
		return r;
	*ret = e;
	return 0;
}

int extent_of_stat(const struct stat *st, struct extent *ret)
{
	if (S_ISBLK(st->st_mode))
		return extent_of_device(st->st_rdev, ret);
	if (!S_ISREG(st->st_mode))
		return -ENOTBLK;
	*ret = (struct extent){
		.is_file = true, .dev = st->st_dev, .ino = st->st_ino, .end = UINT64_MAX};
	return 0;
}

bool extent_overlaps(const struct extent *a, const struct extent *b)
{
	return a->is_file == b->is_file && a->dev == b->dev && a->ino == b->ino &&
	       a->start < b->end && b->start < a->end;
}
