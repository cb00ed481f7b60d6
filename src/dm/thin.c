/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/thin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm/task.h"
#include "util/checked.h"

/* Numbers and words; an origin may be a long path. */
#define PARAMS_MAX 1024

/* Share of its metadata that a pool must have free: what a snapshot holds has to be copied before
 * it is changed, and a pool that runs out of it is read-only. */
#define FREE_SHARE 8

/* What the status of a pool says; "-" for a held root is 0, where the superblock itself is. */
struct pool_status {
	uint64_t used, total; /* blocks of metadata */
	uint64_t held_root;
	bool writable;
};

static int parse_volume(const char *params, struct thin_volume *v)
{
	unsigned maj, min;
	int end = 0;

	/* An origin would follow. */
	if (sscanf(params, "%u:%u %" SCNu32 "%n", &maj, &min, &v->id, &end) != 3 || params[end])
		return -ENODEV;
	v->pool = makedev(maj, min);
	return 0;
}

static int parse_pool(const char *params, struct thin_volume *v)
{
	unsigned maj, min;
	uint64_t sectors;

	if (sscanf(params, "%u:%u %*s %" SCNu64, &maj, &min, &sectors) != 3 || sectors == 0 ||
	    mul_u64(sectors, SECTOR_SIZE, &v->block_size) < 0)
		return -ENODEV;
	v->metadata = makedev(maj, min);
	return 0;
}

int thin_find(dev_t device, struct thin_volume *ret)
{
	struct thin_volume v;
	char params[PARAMS_MAX];
	int r = task_target_params(device, "thin", params, sizeof(params));

	if (r < 0)
		return r;
	r = parse_volume(params, &v);
	if (r < 0)
		return r;
	r = task_target_params(v.pool, "thin-pool", params, sizeof(params));
	if (r < 0)
		return r;
	r = parse_pool(params, &v);
	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

/* A pool that failed has a status of one word. */
static int get_status(const struct thin_volume *v, struct pool_status *ret)
{
	struct pool_status s = {0};
	char status[PARAMS_MAX], held[32], mode[32];
	int r = task_target_status(v->pool, "thin-pool", status, sizeof(status));

	if (r < 0)
		return r;
	if (sscanf(status, "%*s %" SCNu64 "/%" SCNu64 " %*s %31s %31s", &s.used, &s.total, held,
		   mode) != 4)
		return -EIO;
	if (strcmp(held, "-") != 0 && sscanf(held, "%" SCNu64, &s.held_root) != 1)
		return -EIO;
	s.writable = strcmp(mode, "rw") == 0;
	*ret = s;
	return 0;
}

/* Where the snapshot begins that was taken just now. */
static int find_root(const struct thin_volume *v, uint64_t *ret)
{
	struct pool_status s;
	int r = get_status(v, &s);

	if (r < 0)
		return r;
	if (s.held_root == 0)
		return -EIO;
	*ret = s.held_root;
	return 0;
}

int thin_reserve_snapshot(const struct thin_volume *v, uint64_t *ret_root)
{
	struct pool_status s;
	int r = get_status(v, &s);

	if (r < 0)
		return r;
	if (s.held_root != 0)
		return -EBUSY;
	if (!s.writable || s.used > s.total || s.total - s.used < s.total / FREE_SHARE)
		return -ENOSPC;
	r = task_message(v->pool, "reserve_metadata_snap");
	if (r < 0)
		return r;
	r = find_root(v, ret_root);
	if (r < 0)
		(void)thin_release_snapshot(v);
	return r;
}

int thin_release_snapshot(const struct thin_volume *v)
{
	return task_message(v->pool, "release_metadata_snap");
}
