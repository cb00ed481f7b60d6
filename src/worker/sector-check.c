/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/sector-check.h"

#include <assert.h>
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/cipher.h"
#include "dm/find.h"
#include "dm/task.h"
#include "io/loop.h"
#include "io/stacking.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"

/* Bytes of the smallest page of any processor, and so of swap. */
#define PAGE_SIZE_MIN 4096

/* Bytes at the beginning and at the end of a disk that libblkid looks at, and more. */
#define PROBED (UINT64_C(2) << 20)

/* What libblkid finds there; "" where it does not say. */
struct found_content {
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
static int probe(int fd, struct found_content *ret)
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
	*ret = (struct found_content){
		.is_file_system = strcmp(value_of(p, "USAGE"), "filesystem") == 0,
		.block_size = strtoull(value_of(p, "BLOCK_SIZE"), NULL, 10),
	};
	(void)snprintf(ret->type, sizeof(ret->type), "%s", value_of(p, "TYPE"));
	(void)snprintf(ret->table, sizeof(ret->table), "%s", value_of(p, "PTTYPE"));
	return 0;
}

static int refuse_sectors(const struct work_volume *v, uint32_t sector_size, const char *what)
{
	return log_refusal(-EINVAL, "%s: --sector-size %" PRIu32 " would break %s on %s",
			   v->data_path, sector_size, what, v->name ? v->name : "it");
}

/* Of a closed volume somebody has said that it does (--force-offline-reencrypt). */
static int refuse_unknown(const struct work_volume *v, uint32_t sector_size, const char *why)
{
	if (!v->name) {
		log_notice("%s: cannot tell whether what is on it bears --sector-size %" PRIu32
			   ": %s",
			   v->data_path, sector_size, why);
		return 0;
	}
	return log_refusal(-EINVAL,
			   "%s: cannot tell whether what is on %s bears --sector-size %" PRIu32
			   ": %s; if it does, close the volume and use "
			   "--force-offline-reencrypt",
			   v->data_path, v->name, sector_size, why);
}

static int check_file_system(const struct work_volume *v, uint32_t sector_size,
			     const struct found_content *c)
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
	return refuse_sectors(v, sector_size, text);
}

static int check_content(const struct work_volume *v, uint32_t sector_size,
			 const struct found_content *c)
{
	char text[160];

	if (*c->table) {
		(void)snprintf(text, sizeof(text),
			       "the partition table (%s, which counts in old sectors)", c->table);
		return refuse_sectors(v, sector_size, text);
	}
	if (c->is_file_system)
		return check_file_system(v, sector_size, c);
	if (strcmp(c->type, "swap") == 0 && sector_size <= PAGE_SIZE_MIN)
		return 0;
	(void)snprintf(text, sizeof(text), "it is of type %s", c->type);
	return refuse_unknown(v, sector_size, text);
}

static int check_plaintext(const struct work_volume *v, uint32_t sector_size, int fd)
{
	struct found_content content;
	const int r = probe(fd, &content);

	if (r == -ENODATA)
		return refuse_unknown(v, sector_size, "it has nothing that libblkid knows");
	if (r < 0)
		return log_error_errno(r, "%s: cannot look what is on it", v->data_path);
	return check_content(v, sector_size, &content);
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

/* 1: there is one. */
static int find_above(struct user *u)
{
	int r = device_each_holder(u->mapping, note_user, u);

	return r != 0 ? r : loop_each(look_at_loop, u);
}

static int refuse_above(const struct work_volume *v, uint32_t sector_size, const char *above)
{
	return log_refusal(
		-EINVAL,
		"%s: --sector-size %" PRIu32 " would break %s above %s, which keeps the "
		"limits of the old sectors until it is set up anew. Close the volume and "
		"all above it, make sure that no file system there has smaller blocks, "
		"and use --force-offline-reencrypt",
		v->data_path, sector_size, above, v->name);
}

/*
 * A device above takes the limits for its I/O from the volume when it is set up, and never again:
 * what is opened on it later (a mount) reads smaller blocks, whatever its own are.
 */
static int check_above(const struct work_volume *v, uint32_t sector_size, dev_t mapping)
{
	struct user u = {.mapping = mapping};
	int r = find_above(&u);

	if (r < 0)
		return log_error_errno(r, "%s: cannot tell which devices lie above %s",
				       v->data_path, v->name);
	return r > 0 ? refuse_above(v, sector_size, u.name) : 0;
}

static int find_mapping(const char *name, dev_t *ret, char path[static PATH_MAX])
{
	struct device_info info;
	int r = task_info(name, &info);

	if (r < 0)
		return r;
	*ret = info.device;
	return info.exists ? find_device_node(info.device, path, PATH_MAX) : -ENODEV;
}

int sectors_check_above(const struct work_volume *v, uint32_t sector_size)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	dev_t mapping;
	int r;

	assert(v->name && is_power_of_2(sector_size));
	r = find_mapping(v->name, &mapping, path);
	if (r < 0)
		return log_error_errno(r, "%s: cannot be found", v->name);
	r = check_above(v, sector_size, mapping);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return log_error_errno(-errno, "%s: cannot be opened", path);
	r = check_plaintext(v, sector_size, fd);
	if (r < 0)
		return r;
	log_notice("%s: programs that use %s with direct I/O in units of less than %" PRIu32
		   " bytes will fail from now on",
		   v->data_path, v->name, sector_size);
	return 0;
}

static int decrypt_into(const struct work_volume *v, struct cipher *c, uint64_t offset, void *buf,
			size_t size, int fd)
{
	int r = pread_full(v->data.fd, buf, size, v->reenc.data_offset + offset);

	if (r < 0)
		return r;
	r = cipher_decrypt(c, 0, offset >> SECTOR_SHIFT, buf, size);
	return r < 0 ? r : pwrite_full(fd, buf, size, offset);
}

/* Decrypts @size bytes at @offset of the data into the same place of @fd. */
static int copy_plaintext(const struct work_volume *v, struct cipher *c, uint64_t offset,
			  size_t size, int fd)
{
	_cleanup_free_ void *buf = NULL;
	int r;

	if (size == 0)
		return 0;
	if (posix_memalign(&buf, PAGE_SIZE_MIN, size) != 0)
		return -ENOMEM;
	r = decrypt_into(v, c, offset, buf, size, fd);
	explicit_bzero(buf, size);
	return r;
}

/* A file in memory, as large as the data, with what libblkid reads: the beginning and the end. */
static int make_plaintext(const struct work_volume *v, const struct secret *key)
{
	_cleanup_(cipher_freep) struct cipher *c = NULL;
	const struct luks_side *side = &v->reenc.new_side;
	const uint64_t size = v->reenc.data_size;
	const uint64_t head = MIN(size, PROBED), tail = MIN(size - head, PROBED);
	_cleanup_close_ int fd = memfd_create("plaintext", MFD_CLOEXEC);
	int r;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	r = cipher_new(side->cipher, key, side->sector_size, 1, &c);
	if (r < 0)
		return r;
	r = copy_plaintext(v, c, 0, head, fd);
	if (r < 0)
		return r;
	r = copy_plaintext(v, c, size - tail, tail, fd);
	return r < 0 ? r : TAKE_FD(fd);
}

int sectors_check_closed(const struct work_volume *v, const struct secret *key,
			 uint32_t sector_size)
{
	_cleanup_close_ int fd = -1;

	assert(!v->name && is_power_of_2(sector_size));
	fd = make_plaintext(v, key);
	if (fd == -EOPNOTSUPP)
		return refuse_unknown(v, sector_size, "OpenSSL does not have its cipher");
	if (fd < 0)
		return log_error_errno(fd, "%s: cannot decrypt what is on it", v->data_path);
	return check_plaintext(v, sector_size, fd);
}
