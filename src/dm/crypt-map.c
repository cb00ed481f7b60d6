/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/crypt-map.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include <libdevmapper.h>

#include "dm/kernel-key.h"
#include "dm/task.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

/* Names that a process with our number left behind are stepped over. */
#define NAMES_TRIED 64

/* How long whoever looks at a new device (blkid) may have it open after us. */
#define GONE_USEC (10 * UINT64_C(1000000))

struct crypt_map {
	char name[DM_NAME_MAX + 1];
	char path[DM_NAME_MAX + 128];
	dev_t device;
	char sysfs[64]; /* once it goes by itself: what is there as long as the kernel has it */
};

static bool is_detached(const struct crypt_map *m)
{
	return m->sysfs[0];
}

/* As cryptsetup names its own. */
static int create_device(struct crypt_map *m)
{
	static unsigned next;
	int r = -EBUSY;

	for (unsigned i = 0; i < NAMES_TRIED && r == -EBUSY; i++) {
		char uuid[DM_UUID_MAX + 1];

		(void)snprintf(m->name, sizeof(m->name), "temporary-cryptsetup-%d-%u", getpid(),
			       next++);
		(void)snprintf(uuid, sizeof(uuid), "CRYPT-TEMP-%.100s", m->name);
		r = task_create(m->name, uuid);
	}
	return r == -EBUSY ? -EEXIST : r;
}

/* The key stands in the table: it needs no name that anybody could compare. */
static int load_device(const struct crypt_map *m, dev_t data, uint64_t offset, uint64_t size,
		       const struct stack_side *side)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	struct table t = {.count = 1};
	int r = kernel_key_text(side->cipher, "", side->digest, side->key, false, &key);

	if (r < 0)
		return r;
	t.targets[0] = (struct target){
		.type = TARGET_CRYPT,
		.size = size >> SECTOR_SHIFT,
		.device = data,
		.offset = offset >> SECTOR_SHIFT,
		.cipher = {side->cipher, strlen(side->cipher)},
		.key = {(const char *)key->data, key->size},
		.sector_size = side->sector_size,
	};
	return task_load(m->name, &t);
}

static int start_device(struct crypt_map *m, dev_t data, uint64_t offset, uint64_t size,
			const struct stack_side *side)
{
	struct device_info info;
	int r = load_device(m, data, offset, size, side);

	if (r < 0)
		return r;
	r = task_start(m->name);
	if (r < 0)
		return r;
	r = task_info(m->name, &info);
	if (r < 0)
		return r;
	m->device = info.device;
	return 0;
}

int crypt_map_new(dev_t data_device, uint64_t offset, uint64_t size, const struct stack_side *side,
		  struct crypt_map **ret)
{
	struct crypt_map *m;
	uint64_t end;
	int r;

	if (size == 0 || !is_power_of_2(side->sector_size) || side->sector_size < SECTOR_SIZE ||
	    !is_aligned(offset, SECTOR_SIZE) || !is_aligned(size, side->sector_size) ||
	    add_u64(offset, size, &end) < 0)
		return -EINVAL;
	if (data_device == 0)
		return -ENOTBLK;
	r = task_check_target("crypt");
	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = create_device(m);
	if (r < 0) {
		free(m);
		return r;
	}
	(void)snprintf(m->path, sizeof(m->path), "%.63s/%s", dm_dir(), m->name);
	r = start_device(m, data_device, offset, size, side);
	if (r < 0) {
		(void)crypt_map_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

const char *crypt_map_path(const struct crypt_map *m)
{
	assert(!is_detached(m));
	return m->path;
}

dev_t crypt_map_device(const struct crypt_map *m)
{
	return m->device;
}

int crypt_map_detach(struct crypt_map *m)
{
	int r;

	assert(!is_detached(m));
	r = task_remove_on_close(m->name);
	if (r < 0)
		return r;
	(void)snprintf(m->sysfs, sizeof(m->sysfs), "/sys/dev/block/%u:%u", major(m->device),
		       minor(m->device));
	return 0;
}

/* The kernel lets go of the data device a moment after the last close. */
static int wait_gone(const struct crypt_map *m)
{
	const struct timespec moment = {.tv_nsec = 2000000};
	const uint64_t end = now_usec() + GONE_USEC;

	while (access(m->sysfs, F_OK) == 0) {
		if (now_usec() > end)
			return -EBUSY;
		(void)nanosleep(&moment, NULL);
	}
	return 0;
}

struct crypt_map *crypt_map_free(struct crypt_map *m)
{
	int r;

	if (!m)
		return NULL;
	r = is_detached(m) ? wait_gone(m) : task_remove(m->name);
	if (r < 0)
		log_warning_errno(r,
				  "cannot remove the temporary mapping %s; remove it with "
				  "\"dmsetup remove %s\"",
				  m->name, m->name);
	free(m);
	return NULL;
}
