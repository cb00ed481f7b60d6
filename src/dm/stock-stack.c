/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/stock-stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dm/names.h"
#include "util/checked.h"

static const char *const suffixes[] = {SUFFIX_STOCK_OVERLAY, SUFFIX_STOCK_FORWARD,
				       SUFFIX_STOCK_BACKWARD};

/* -ENOENT: not there. */
static int find_device(const struct stack *s, const char *suffix, char *name,
		       struct device_info *ret)
{
	char uuid[DM_UUID_MAX + 1];
	int r = name_stock_helper(s->name, suffix, name);

	if (r < 0)
		return r == -ENAMETOOLONG ? -ENOENT : r; /* cryptsetup could not make it either */
	r = name_stock_uuid(s->uuid, name, uuid);
	if (r < 0)
		return r;
	r = task_info(name, ret);
	if (r < 0)
		return r;
	return ret->exists && ret->live_table && strcasecmp(ret->uuid, uuid) == 0 ? 0 : -ENOENT;
}

static bool is_linear(const struct table *t, const struct stack *s, dev_t device, uint64_t offset)
{
	return t->count == 1 && t->targets[0].type == TARGET_LINEAR &&
	       t->targets[0].device == device && t->targets[0].offset == offset &&
	       table_size(t) == s->layout.size;
}

/*
 * The hotzone device, which must let everything through; 0 where there is none. Suspended below a
 * suspended overlay nothing waits in it: that one was drained before.
 */
static int find_hotzone(const struct stack *s, bool overlay_suspended, dev_t *ret)
{
	dev_t device = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_table_ struct table t = {};
		char name[DM_NAME_MAX + 1];
		struct device_info info;
		int r = find_device(s, suffixes[i], name, &info);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (info.suspended && !overlay_suspended)
			return -EBUSY;
		r = task_table(name, &t);
		if (r < 0)
			return r;
		if (device != 0 || !is_linear(&t, s, s->layout.data, s->layout.data_offset))
			return -ENOTUNIQ;
		device = info.device;
	}
	*ret = device;
	return 0;
}

static bool continues(const struct target *a, const struct target *b)
{
	return text_equal(a->cipher, b->cipher) && text_equal(a->key, b->key) &&
	       a->device == b->device && a->offset + a->size == b->offset &&
	       a->iv_offset + a->size == b->iv_offset && a->flags == b->flags &&
	       a->sector_size == b->sector_size;
}

/* Leaves the hotzone device out of the overlay's table, and joins what belongs together then. */
static int flatten(const struct stack *s, dev_t hotzone, const struct table *overlay,
		   struct table *ret)
{
	struct table flat = {};

	for (unsigned i = 0; i < overlay->count; i++) {
		struct target t = overlay->targets[i];
		struct target *last = flat.count ? &flat.targets[flat.count - 1] : NULL;
		int r;

		if (t.type != TARGET_CRYPT)
			return -ENOTUNIQ;
		if (hotzone != 0 && t.device == hotzone) {
			t.device = s->layout.data;
			if (add_u64(t.offset, s->layout.data_offset, &t.offset) < 0)
				return -ENOTUNIQ;
		}
		if (last && continues(last, &t)) {
			last->size += t.size;
			continue;
		}
		r = table_add(&flat, &t);
		if (r < 0)
			return r;
	}
	*ret = flat;
	return 0;
}

int stock_stack_read(const struct stack *s, const struct table *top, struct table *ret)
{
	_cleanup_table_ struct table overlay = {};
	struct table flat;
	char name[DM_NAME_MAX + 1];
	struct device_info info;
	dev_t hotzone;
	int r = find_device(s, SUFFIX_STOCK_OVERLAY, name, &info);

	if (r < 0)
		return r;
	if (!is_linear(top, s, info.device, 0))
		return -ENOENT;
	r = find_hotzone(s, info.suspended, &hotzone);
	if (r < 0)
		return r;
	r = task_table(name, &overlay);
	if (r < 0)
		return r;
	r = flatten(s, hotzone, &overlay, &flat);
	if (r < 0)
		return r;
	flat.text = TAKE_PTR(overlay.text);
	*ret = flat;
	return 0;
}

int stock_stack_is_suspended(const struct stack *s, bool *ret)
{
	bool suspended = false;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		struct device_info info;
		char name[DM_NAME_MAX + 1];
		int r = find_device(s, suffixes[i], name, &info);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		suspended = suspended || info.suspended;
	}
	*ret = suspended;
	return 0;
}

/* The number of the hotzone device, suspended or not; 0: there is none. */
static int find_any_hotzone(const struct stack *s, dev_t *ret)
{
	dev_t device = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(suffixes); i++) {
		char name[DM_NAME_MAX + 1];
		struct device_info info;
		int r = find_device(s, suffixes[i], name, &info);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		device = info.device;
	}
	*ret = device;
	return 0;
}

static int read_position(const struct table *overlay, dev_t hotzone, struct stack_position *ret)
{
	for (unsigned i = 0; i < overlay->count && hotzone != 0; i++) {
		const struct target *t = &overlay->targets[i];

		if (t->device != hotzone)
			continue;
		*ret = (struct stack_position){t->start << SECTOR_SHIFT, t->size << SECTOR_SHIFT};
		return 0;
	}
	if (overlay->count != 2)
		return -ENODATA;
	*ret = (struct stack_position){.boundary = overlay->targets[1].start << SECTOR_SHIFT};
	return 0;
}

int stack_stock_position(const char *name, const char *uuid, struct stack_position *ret)
{
	_cleanup_(stack_freep) struct stack *s = calloc(1, sizeof(*s));
	_cleanup_table_ struct table overlay = {};
	char overlay_name[DM_NAME_MAX + 1];
	struct device_info info;
	dev_t hotzone = 0;
	int r;

	if (!s)
		return -ENOMEM;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	(void)snprintf(s->uuid, sizeof(s->uuid), "%s", uuid);
	r = find_device(s, SUFFIX_STOCK_OVERLAY, overlay_name, &info);
	if (r < 0)
		return r;
	r = find_any_hotzone(s, &hotzone);
	if (r < 0)
		return r;
	r = task_table(overlay_name, &overlay);
	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	return read_position(&overlay, hotzone, ret);
}

static int run_device(const struct stack *s, const char *suffix)
{
	struct device_info info;
	char name[DM_NAME_MAX + 1];
	int r = find_device(s, suffix, name, &info);

	return r < 0 ? r : stack_run_device(name, &info);
}

/* Brings them to life from below, with the tables they have: suspending NAME would wait for the I/O
 * that waits in them. Their next tables are for a hotzone that never came to be. */
static int run_devices(const struct stack *s)
{
	for (size_t i = ARRAY_SIZE(suffixes); i-- > 0;) {
		int r = run_device(s, suffixes[i]);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int remove_device(const struct stack *s, const char *suffix)
{
	struct device_info info;
	char name[DM_NAME_MAX + 1];
	int r = find_device(s, suffix, name, &info);

	return r < 0 ? r : task_remove(name);
}

static int remove_devices(const struct stack *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		int r = remove_device(s, suffixes[i]);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int stock_stack_dissolve(const struct stack *s, const struct table *plain)
{
	int r = run_devices(s);

	if (r < 0)
		return r;
	r = stack_make_plain(s, plain);
	return r < 0 ? r : remove_devices(s);
}
