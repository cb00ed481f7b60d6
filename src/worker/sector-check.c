/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/sector-check.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/find.h"
#include "dm/task.h"
#include "io/loop.h"
#include "io/stacking.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Bytes of the smallest page of any processor, and so of swap. */
#define PAGE_SIZE_MIN 4096

/* What libblkid finds there; "" where it does not say. */
struct content {
	char type[64], table[32];
	bool is_file_system;
	uint64_t block_size; /* 0: not said */
};

static void free_probe(blkid_probe *p)
{
	if (*p)
		blkid_free_probe(*p);
}

static const char *value_of(blkid_probe p, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(p, name, &text, NULL) == 0 ? text : "";
}

/* -ENODATA: nothing that libblkid knows, or several things. */
static int probe(int fd, struct content *ret)
{
	_cleanup_(free_probe) blkid_probe p = blkid_new_probe();

	if (!p)
		return -ENOMEM;
	if (blkid_probe_set_device(p, fd, 0, 0) < 0 || blkid_probe_enable_superblocks(p, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE) < 0 ||
	    blkid_probe_enable_partitions(p, 1) < 0)
		return -EIO;
	switch (blkid_do_safeprobe(p)) {
	case 0:
		break;
	case -1:
		return -EIO;
	default:
		return -ENODATA;
	}
	*ret = (struct content){
		.is_file_system = strcmp(value_of(p, "USAGE"), "filesystem") == 0,
		.block_size = strtoull(value_of(p, "BLOCK_SIZE"), NULL, 10),
	};
	(void)snprintf(ret->type, sizeof(ret->type), "%s", value_of(p, "TYPE"));
	(void)snprintf(ret->table, sizeof(ret->table), "%s", value_of(p, "PTTYPE"));
	return 0;
}

static int refuse(const struct volume *v, uint32_t sector_size, const char *what)
{
	return log_refusal(-EINVAL, "%s: --sector-size %" PRIu32 " would break %s on %s",
			   v->data_path, sector_size, what, v->name);
}

static int refuse_unknown(const struct volume *v, uint32_t sector_size, const char *why)
{
	return log_refusal(-EINVAL,
			   "%s: cannot tell whether what is on %s bears --sector-size %" PRIu32
			   ": %s; if it does, close the volume and use "
			   "--force-offline-reencrypt",
			   v->data_path, v->name, sector_size, why);
}

static int check_file_system(const struct volume *v, uint32_t sector_size, const struct content *c)
{
	char text[160];

	if (c->block_size == 0) {
		(void)snprintf(text, sizeof(text), "the size of the blocks of %s is not known",
			       c->type);
		return refuse_unknown(v, sector_size, text);
	}
	if (c->block_size >= sector_size)
		return 0;
	(void)snprintf(text, sizeof(text), "the file system (%s with blocks of %" PRIu64 " bytes)",
		       c->type, c->block_size);
	return refuse(v, sector_size, text);
}

static int check_content(const struct volume *v, uint32_t sector_size, const struct content *c)
{
	char text[160];

	if (*c->table) {
		(void)snprintf(text, sizeof(text),
			       "the partition table (%s, which counts in old sectors)", c->table);
		return refuse(v, sector_size, text);
	}
	if (c->is_file_system)
		return check_file_system(v, sector_size, c);
	if (strcmp(c->type, "swap") == 0 && sector_size <= PAGE_SIZE_MIN)
		return 0;
	(void)snprintf(text, sizeof(text), "it is of type %s", c->type);
	return refuse_unknown(v, sector_size, text);
}

struct user {
	dev_t mapping;
	char name[64];
};

static int note_user(dev_t device, const char *name, void *arg)
{
	struct user *u = arg;

	(void)device;
	(void)snprintf(u->name, sizeof(u->name), "/dev/%s", name);
	return 1;
}

static int look_at_loop(dev_t loop, const char *name, void *arg)
{
	struct user *u = arg;
	struct loop_backing b;
	const int r = loop_backing_of(loop, &b);

	if (r < 0)
		return r == -ENXIO ? 0 : r;
	return b.device == u->mapping ? note_user(loop, name, arg) : 0;
}

/*
 * A device above takes the limits for its I/O from the volume when it is set up, and never again:
 * what is opened on it later (a mount) reads smaller blocks, whatever its own are.
 */
static int check_above(const struct volume *v, uint32_t sector_size, dev_t mapping)
{
	struct user u = {.mapping = mapping};
	int r = device_each_holder(mapping, note_user, &u);

	if (r == 0)
		r = loop_each(look_at_loop, &u);
	if (r < 0)
		return log_error_errno(r, "%s: cannot tell which devices lie above %s",
				       v->data_path, v->name);
	if (r == 0)
		return 0;
	return log_refusal(
		-EINVAL,
		"%s: --sector-size %" PRIu32 " would break %s above %s, which keeps the "
		"limits of the old sectors until it is set up anew. Close the volume and "
		"all above it, make sure that no file system there has smaller blocks, "
		"and use --force-offline-reencrypt",
		v->data_path, sector_size, u.name, v->name);
}

int sectors_check_above(const struct volume *v, uint32_t sector_size)
{
	_cleanup_close_ int fd = -1;
	struct device_info info;
	struct content content;
	char path[PATH_MAX];
	int r = task_info(v->name, &info);

	if (r == 0)
		r = info.exists ? find_device_node(info.device, path, sizeof(path)) : -ENODEV;
	if (r < 0)
		return log_error_errno(r, "%s: cannot be found", v->name);
	r = check_above(v, sector_size, info.device);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : probe(fd, &content);
	if (r == -ENODATA)
		return refuse_unknown(v, sector_size, "it has nothing that libblkid knows");
	if (r < 0)
		return log_error_errno(r, "%s: cannot look what is on it", path);
	r = check_content(v, sector_size, &content);
	if (r < 0)
		return r;
	log_notice("%s: programs that use %s with direct I/O in units of less than %" PRIu32
		   " bytes will fail from now on",
		   v->data_path, v->name, sector_size);
	return 0;
}
