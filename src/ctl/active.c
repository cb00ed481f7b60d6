/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/active.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dm/layout.h"
#include "dm/task.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/error.h"

int active_data_device(const char *name, char *path, size_t size)
{
	struct active_volume v;
	int r = find_volume_by_name(name, &v);

	if (r < 0)
		return r;
	return v.data_device ? find_device_node(v.data_device, path, size) : -ENODEV;
}

static struct text text_of(const char *s)
{
	return (struct text){.start = s, .size = strlen(s)};
}

/* What `cryptsetup open` would make of the header for @size bytes, but for keys and flags. */
static int expected_table(const struct luks_status *s, dev_t data, uint64_t size, struct table *ret)
{
	const struct luks_reenc *r = &s->reenc;
	const struct layout l = {
		.size = size >> SECTOR_SHIFT,
		.backward = r->state != LUKS_REENC_NONE && r->direction == LUKS_BACKWARD,
		.data = data,
		.data_offset = r->data_offset >> SECTOR_SHIFT,
		.sides = {[SIDE_OLD] = {.cipher = text_of(r->old_side.cipher),
					.sector_size = r->old_side.sector_size},
			  [SIDE_NEW] = {.cipher = text_of(r->new_side.cipher),
					.sector_size = r->new_side.sector_size}},
	};

	return layout_plain(&l, r->boundary >> SECTOR_SHIFT, ret);
}

/* A kernel key's description ends with the digest; a key in plain hex says nothing. */
static bool key_agrees(struct text key, int digest)
{
	char end[16];
	size_t n = (size_t)snprintf(end, sizeof(end), "-d%d", digest);

	if (key.size == 0 || key.start[0] != ':')
		return true;
	return key.size > n && memcmp(key.start + key.size - n, end, n) == 0;
}

static bool target_agrees(const struct target *live, const struct target *expected)
{
	return live->type == TARGET_CRYPT && live->start == expected->start &&
	       live->size == expected->size && live->offset == expected->offset &&
	       live->iv_offset == expected->iv_offset &&
	       live->sector_size == expected->sector_size &&
	       text_equal(live->cipher, expected->cipher) &&
	       (expected->device == 0 || live->device == expected->device);
}

/* Which side a target of the expected table is of; both are the same without a re-encryption. */
static int digest_of(const struct luks_reenc *r, uint64_t start)
{
	bool below = start < r->boundary >> SECTOR_SHIFT;

	if (r->state == LUKS_REENC_NONE)
		return r->new_side.digest;
	return below == (r->direction == LUKS_FORWARD) ? r->new_side.digest : r->old_side.digest;
}

/* -ERROR_HEADER_CHANGED: it does not agree. */
static int compare_tables(const struct table *live, const struct luks_status *s, dev_t data,
			  uint64_t size)
{
	_cleanup_table_ struct table expected = {0};
	int r;

	if (size < s->reenc.boundary)
		return -ERROR_HEADER_CHANGED;
	r = expected_table(s, data, size, &expected);
	if (r < 0)
		return r;
	if (s->reenc.hot_size || live->count != expected.count)
		return -ERROR_HEADER_CHANGED;
	for (unsigned i = 0; i < live->count; i++)
		if (!target_agrees(&live->targets[i], &expected.targets[i]) ||
		    !key_agrees(live->targets[i].key, digest_of(&s->reenc, live->targets[i].start)))
			return -ERROR_HEADER_CHANGED;
	return 0;
}

enum status_table active_compare(const struct active_volume *v, const struct luks_status *s,
				 dev_t data)
{
	_cleanup_table_ struct table live = {0};
	int r;

	if (v->helpers)
		return STATUS_TABLE_STACK;
	r = task_table_of(v->device, &live);
	if (r == -EBADMSG || r == -E2BIG)
		return STATUS_TABLE_DIFFERS;
	if (r < 0)
		return STATUS_TABLE_UNKNOWN;
	/* An image file is mapped through a loop device: whose, does not matter here. */
	r = compare_tables(&live, s, data, s->reenc.data_size);
	if (r != -ERROR_HEADER_CHANGED)
		return r < 0 ? STATUS_TABLE_UNKNOWN : STATUS_TABLE_AGREES;
	return v->size > 0 && compare_tables(&live, s, data, v->size) == 0 ? STATUS_TABLE_SIZE
									   : STATUS_TABLE_DIFFERS;
}
