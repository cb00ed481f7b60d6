/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies under NAME before anything is changed, and whether it is what the header says: plain,
 * with cryptsetup's own stack, or with ours, which takeover.c has the table of. Changes nothing.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dm/kernel-key.h"
#include "dm/names.h"
#include "dm/stack-private.h"
#include "dm/stock-stack.h"
#include "util/checked.h"
#include "util/error.h"

static int set_side(struct stack *s, enum side side, const struct stack_side *config)
{
	assert(s->name[0] && s->layout.size > 0);
	if (!is_power_of_2(config->sector_size) || config->sector_size < SECTOR_SIZE ||
	    !is_aligned(s->layout.size << SECTOR_SHIFT, config->sector_size))
		return -EINVAL;
	s->layout.sides[side].cipher = (struct text){config->cipher, strlen(config->cipher)};
	s->layout.sides[side].sector_size = config->sector_size;
	s->keys[side] = config->key;
	name_helper(s->name, side == SIDE_NEW ? SUFFIX_NEW : SUFFIX_OLD, s->helper_names[side]);
	return 0;
}

static int set_up_stack(struct stack *s, const struct stack_config *config, uint64_t boundary)
{
	uint64_t end;
	int r = name_check(config->name);

	if (r < 0)
		return r;
	if (strlen(config->uuid) >= sizeof(s->uuid) || config->size == 0 ||
	    !is_aligned(config->size | config->data_offset | boundary, SECTOR_SIZE) ||
	    boundary > config->size || add_u64(config->data_offset, config->size, &end) < 0)
		return -EINVAL;
	if (config->data_device == 0)
		return -ENOTBLK;
	(void)snprintf(s->name, sizeof(s->name), "%s", config->name);
	(void)snprintf(s->uuid, sizeof(s->uuid), "%s", config->uuid);
	name_helper(s->name, SUFFIX_PIECES, s->pieces_name);
	name_helper(s->name, SUFFIX_HOTZONE, s->hotzone_name);
	s->layout = (struct layout){
		.size = config->size >> SECTOR_SHIFT,
		.backward = config->backward,
		.data = config->data_device,
		.data_offset = config->data_offset >> SECTOR_SHIFT,
	};
	s->boundary = boundary >> SECTOR_SHIFT;
	r = set_side(s, SIDE_OLD, &config->old_side);
	return r < 0 ? r : set_side(s, SIDE_NEW, &config->new_side);
}

static int find_helper(const struct stack *s, const char *name, struct device_info *ret)
{
	char uuid[DM_UUID_MAX + 1];
	int r = name_uuid(UUID_HELPER, s->uuid, name, uuid);

	if (r < 0)
		return r;
	r = task_info(name, ret);
	if (r < 0)
		return r;
	return ret->exists && strcasecmp(ret->uuid, uuid) != 0 ? -EBUSY : 0;
}

static int find_helpers(const struct stack *s, struct found *f)
{
	const struct {
		const char *name;
		struct device_info *info;
	} helpers[] = {
		{s->pieces_name, &f->pieces},
		{s->hotzone_name, &f->hotzone},
		{s->helper_names[SIDE_OLD], &f->helpers[SIDE_OLD]},
		{s->helper_names[SIDE_NEW], &f->helpers[SIDE_NEW]},
	};

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		const int r = find_helper(s, helpers[i].name, helpers[i].info);

		if (r < 0)
			return r;
	}
	return 0;
}

static int find_devices(struct stack *s, struct found *f)
{
	int r = task_info(s->name, &f->name);

	if (r < 0)
		return r;
	if (!f->name.exists)
		return -ENODEV;
	if (!name_is_volume(f->name.uuid, s->uuid) || !f->name.live_table)
		return -ENOTUNIQ;
	if (f->name.read_only)
		return -EROFS;
	r = find_helpers(s, f);
	if (r < 0)
		return r;
	s->layout.pieces = f->pieces.device;
	s->layout.hotzone = f->hotzone.device;
	for (unsigned i = 0; i < SIDES; i++)
		s->layout.helpers[i] = f->helpers[i].device;
	r = task_table(s->name, &f->name_table);
	return r == -EBADMSG || r == -E2BIG ? -ENOTUNIQ : r;
}

/* False where the table says nothing of keys, as cipher_null has none. */
static bool find_key_kind(struct stack *s, const struct table *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct text *key = &t->targets[i].key;

		if (kernel_key_is_none(key->start, key->size))
			continue;
		s->keyring = kernel_key_is_named(key->start, key->size);
		return true;
	}
	return false;
}

/* How the volume was opened: NAME's crypt targets say so. */
static int read_options(struct stack *s, const struct table *t)
{
	if (!table_is_crypt(t))
		return -ENOTUNIQ;
	s->layout.flags = t->targets[0].flags;
	/* As cryptsetup does for what it opens. */
	if (!find_key_kind(s, t))
		s->keyring = kernel_key_has_keyring();
	return 0;
}

/* Of a stack the helpers have them, and both were made alike; one may be gone. */
static int read_helpers(struct stack *s, const struct found *f)
{
	int r = -ENOTUNIQ;

	for (unsigned i = 0; i < SIDES; i++) {
		_cleanup_table_ struct table t = {};

		if (!f->helpers[i].live_table)
			continue;
		r = task_table(s->helper_names[i], &t);
		if (r < 0)
			return r;
		r = read_options(s, &t);
		if (r < 0 || find_key_kind(s, &t))
			return r;
	}
	return r;
}

static int find_options(struct stack *s, const struct found *f)
{
	if (f->stacked)
		return read_helpers(s, f);
	return read_options(s, f->stock ? &f->stock_table : &f->name_table);
}

static int make_key_texts(struct stack *s, const struct stack_config *config)
{
	const struct stack_side *const sides[SIDES] = {
		[SIDE_OLD] = &config->old_side,
		[SIDE_NEW] = &config->new_side,
	};

	for (unsigned i = 0; i < SIDES; i++) {
		int r;

		assert(!s->key_texts[i]);
		r = kernel_key_text(sides[i]->cipher, s->uuid, sides[i]->digest, s->keys[i],
				    s->keyring, &s->key_texts[i]);
		if (r < 0)
			return r;
		s->layout.sides[i].key = (struct text){
			(const char *)s->key_texts[i]->data,
			s->key_texts[i]->size,
		};
	}
	return 0;
}

/* NAME has a stack: is it ours? */
static int find_pieces(const struct stack *s, struct found *f)
{
	struct table top;
	int r = layout_top(&s->layout, &top);

	if (r < 0)
		return r;
	if (!f->pieces.live_table || !f->hotzone.live_table || !table_equal(&top, &f->name_table))
		return -EBUSY;
	r = task_table(s->pieces_name, &f->pieces_table);
	if (r < 0)
		return r;
	f->stacked = true;
	return layout_is_pieces(&s->layout, &f->pieces_table) ? 0 : -ENOTUNIQ;
}

static int read_tables(struct stack *s, const struct stack_config *config, struct found *f)
{
	int r = find_devices(s, f);

	if (r < 0)
		return r;
	if (table_size(&f->name_table) != s->layout.size)
		return -ENOTUNIQ;
	if (!table_is_crypt(&f->name_table)) {
		r = stock_stack_read(s, &f->name_table, &f->stock_table);
		f->stock = r == 0;
		if (r == -ENOENT)
			r = find_pieces(s, f);
		if (r < 0)
			return r;
	}
	r = find_options(s, f);
	return r < 0 ? r : make_key_texts(s, config);
}

/* NAME's I/O goes through this one: it can only be right already. */
static int check_helper(const struct stack *s, enum side side, const struct device_info *info)
{
	_cleanup_table_ struct table live = {};
	struct table expected;
	int r;

	if (!info->live_table)
		return -ENOTUNIQ;
	r = layout_side(&s->layout, side, &expected);
	if (r < 0)
		return r;
	r = task_table(s->helper_names[side], &live);
	if (r < 0)
		return r;
	return table_equal(&live, &expected) ? 0 : -ENOTUNIQ;
}

/* Ours, as a worker left it that died. */
static int check_stacked(struct stack *s, const struct found *f, uint64_t hot_size,
			 const struct stack_config *config)
{
	const bool finished = config->finished;
	int r;

	assert(f->stacked && !f->stock);
	r = hot_size > 0 ? stack_check_hot(s, f, hot_size, config->may_be_thawed) : 0;
	if (r < 0)
		return r;
	if (hot_size == 0 && !layout_fits(&s->layout, &f->pieces_table, s->boundary, 0))
		return -ENOTUNIQ;
	for (unsigned i = finished ? SIDE_NEW : SIDE_OLD; i < SIDES; i++) {
		r = check_helper(s, (enum side)i, &f->helpers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -ERROR_OTHER_KEY: only the keys differ. */
static int compare_plain(const struct table *expected, const struct table *live)
{
	struct table same_keys = *expected;

	if (table_equal(expected, live))
		return 0;
	if (expected->count != live->count)
		return -ENOTUNIQ;
	for (unsigned i = 0; i < live->count; i++)
		same_keys.targets[i].key = live->targets[i].key;
	return table_equal(&same_keys, live) ? -ERROR_OTHER_KEY : -ENOTUNIQ;
}

/* Is NAME as cryptsetup opened it? */
static int check_plain(const struct stack *s, const struct found *f)
{
	struct table plain;
	int r;

	assert(!f->stacked);
	r = layout_plain(&s->layout, s->boundary, &plain);
	if (r < 0)
		return r;
	/* cryptsetup luksSuspend: the kernel has no key. */
	if (f->name.suspended)
		return -EBUSY;
	return compare_plain(&plain, f->stock ? &f->stock_table : &f->name_table);
}

/* Sets @s and @f to what is there, and checks all of it. */
static int find_stack(struct stack *s, const struct stack_config *config,
		      const struct stack_position *now, struct found *f)
{
	const uint64_t hot_size = now->hotzone_size >> SECTOR_SHIFT;
	int r = set_up_stack(s, config, now->boundary);

	if (r < 0)
		return r;
	r = read_tables(s, config, f);
	if (r < 0)
		return r;
	if (f->stacked)
		return check_stacked(s, f, hot_size, config);
	return hot_size > 0 ? -EUNATCH : check_plain(s, f);
}

void found_clear(struct found *f)
{
	table_clear(&f->name_table);
	table_clear(&f->pieces_table);
	table_clear(&f->stock_table);
}

int stack_check(const struct stack_config *config)
{
	_cleanup_(stack_freep) struct stack *s = calloc(1, sizeof(*s));
	_cleanup_(found_clear) struct found f = {};
	int r;

	if (!s)
		return -ENOMEM;
	r = set_up_stack(s, config, 0);
	if (r < 0)
		return r;
	r = find_devices(s, &f);
	if (r < 0)
		return r;
	r = find_options(s, &f);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < SIDES; i++)
		s->layout.sides[i].key = f.name_table.targets[0].key;
	return check_plain(s, &f);
}

static bool is_inside(const struct stack_config *config, const struct stack_position *now)
{
	if (!is_aligned(now->hotzone_size, SECTOR_SIZE))
		return false;
	return config->backward ? now->hotzone_size <= now->boundary
				: range_inside(now->boundary, now->hotzone_size, config->size);
}

int stack_find(const struct stack_config *config, const struct stack_position *now, struct found *f,
	       struct stack **ret)
{
	_cleanup_(stack_freep) struct stack *s = NULL;
	int r;

	if (!is_inside(config, now))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = find_stack(s, config, now, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* The crypt devices of our stack: none of them ever waits, unless somebody has suspended it. */
static struct stack_view view_of_helper(const struct stack *s, const struct device_info *helper)
{
	return (struct stack_view){
		.device = helper->live_table && !helper->suspended ? helper->device : 0,
		.size = s->layout.size << SECTOR_SHIFT,
	};
}

/* Of a plain NAME, each target is a side; and so it is through cryptsetup's stack, while that runs.
 */
static int view_name(const struct stack *s, const struct found *f, struct stack_view views[SIDES])
{
	const enum side low = s->layout.backward ? SIDE_OLD : SIDE_NEW;
	const enum side high = s->layout.backward ? SIDE_NEW : SIDE_OLD;
	bool waits = false;
	int r;

	assert(s->boundary <= s->layout.size);
	r = f->stock ? stock_stack_is_suspended(s, &waits) : 0;
	if (r < 0)
		return r;
	views[low] = (struct stack_view){
		.device = waits ? 0 : f->name.device,
		.size = s->boundary << SECTOR_SHIFT,
	};
	views[high] = (struct stack_view){
		.device = waits ? 0 : f->name.device,
		.start = s->boundary << SECTOR_SHIFT,
		.size = (s->layout.size - s->boundary) << SECTOR_SHIFT,
	};
	return 0;
}

static int find_views(const struct stack *s, const struct found *f, struct stack_view views[SIDES])
{
	if (!f->stacked)
		return view_name(s, f, views);
	for (unsigned i = 0; i < SIDES; i++)
		views[i] = view_of_helper(s, &f->helpers[i]);
	return 0;
}

int stack_try(const struct stack_config *config, const struct stack_position *now,
	      struct stack_view *ret_old, struct stack_view *ret_new)
{
	_cleanup_(stack_freep) struct stack *s = NULL;
	_cleanup_(found_clear) struct found f = {};
	struct stack_view views[SIDES] = {};
	int r = stack_find(config, now, &f, &s);

	if (r < 0)
		return r;
	/* A stack that is there got its keys when it was made. */
	r = f.stacked ? 0 : stack_try_keys(s);
	if (r < 0)
		return r;
	r = find_views(s, &f, views);
	if (r < 0)
		return r;
	*ret_old = views[SIDE_OLD];
	*ret_new = views[SIDE_NEW];
	return 0;
}
