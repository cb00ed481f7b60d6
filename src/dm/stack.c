/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps of one hotzone. Every ioctl leaves a state from which the next stack_new() goes on.
 *
 *            stack_freeze                  stack_thaw
 *    CLEAN --------------> FROZEN -----------------------> CLEAN ---> stack_dissolve
 *                             `--stack_fail--> FAILED --stack_thaw--'
 *
 * The pieces device is suspended before the hotzone device below it, and is running again before
 * I/O may wait there: a suspend waits for what is in flight, so it would wait for ever for what is
 * parked below.
 *
 * NAME itself stays as it is meanwhile, so that udev has nothing to look at. `cryptsetup close
 * NAME` removes NAME, what NAME uses, and what that uses, each in the reverse order of its table,
 * and gives up on a device that another one still uses. So all helpers must be found that way, and
 * the hotzone device must not use the helper that stands behind it in the pieces. It does not when
 * it lies over NAME-new alone in a forward conversion, or when the pieces device uses nothing but
 * it. While a range is frozen, cryptsetup's commands wait: they read from each device that they
 * find (from its own stack as well).
 */
#include "dm/stack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dm/kernel-key.h"
#include "dm/stack-private.h"
#include "util/checked.h"
#include "util/log.h"

static bool is_named(const struct secret *text)
{
	return kernel_key_is_named((const char *)text->data, text->size);
}

struct kernel_keys {
	int32_t serials[SIDES];
	unsigned count;
};

static int add_keys(const struct stack *s, struct kernel_keys *k)
{
	for (unsigned i = 0; i < SIDES; i++) {
		int r;

		assert(s->key_texts[i]);
		if (!is_named(s->key_texts[i]))
			continue;
		r = kernel_key_add(s->key_texts[i], s->keys[i], &k->serials[k->count]);
		if (r < 0)
			return r;
		k->count++;
	}
	return 0;
}

/* Both sides may be one key under one description: then it is gone the second time. */
static int drop_keys(const struct kernel_keys *k)
{
	int r = 0;

	for (unsigned i = 0; i < k->count; i++) {
		int e = i == 0 || k->serials[i] != k->serials[0] ? kernel_key_drop(k->serials[i])
								 : 0;

		r = r < 0 ? r : e;
	}
	return r;
}

static int load_with_keys(const struct stack *s, const char *name, const struct table *t,
			  struct kernel_keys *keys)
{
	int r = add_keys(s, keys);

	return r < 0 ? r : task_load(name, t);
}

int stack_load_crypt(const struct stack *s, const char *name, const struct table *t)
{
	struct kernel_keys keys = {};
	int r, r2;

	assert(table_is_crypt(t));
	r = load_with_keys(s, name, t, &keys);
	r2 = drop_keys(&keys);
	return r < 0 ? r : r2;
}

int stack_try_keys(const struct stack *s)
{
	struct kernel_keys keys = {};
	int r = add_keys(s, &keys), r2 = drop_keys(&keys);

	return r < 0 ? r : r2;
}

/* The kernel suspends a running device to swap tables, and leaves it so when it cannot. */
static int resume_or_undo(const char *name, bool was_suspended)
{
	int r = task_resume(name);

	if (r < 0) {
		(void)task_clear(name);
		if (!was_suspended)
			(void)task_resume(name);
	}
	return r;
}

int stack_switch(const char *name, const struct table *t, bool was_suspended)
{
	int r;

	assert(!table_is_crypt(t)); /* it would need keys */
	r = task_load(name, t);
	return r < 0 ? r : resume_or_undo(name, was_suspended);
}

int stack_run_device(const char *name, const struct device_info *info)
{
	int r = info->inactive_table ? task_clear(name) : 0;

	return r < 0 || !info->suspended ? r : task_resume(name);
}

int stack_make_plain(const struct stack *s, const struct table *plain)
{
	int r;

	assert(s->state == STACK_CLEAN);
	r = stack_load_crypt(s, s->name, plain);
	return r < 0 ? r : resume_or_undo(s->name, false);
}

int stack_remove_helpers(const struct stack *s)
{
	const char *const names[] = {s->pieces_name, s->hotzone_name, s->helper_names[SIDE_OLD],
				     s->helper_names[SIDE_NEW]};

	assert(s->state == STACK_CLEAN || s->state == STACK_GONE);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct device_info info;
		int r = task_info(names[i], &info);

		if (r < 0)
			return r;
		if (!info.exists)
			continue;
		r = task_remove(names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Bytes to sectors. */
static int range_in_sectors(const struct stack *s, uint64_t offset, uint64_t size,
			    uint64_t *ret_offset, uint64_t *ret_size)
{
	if (!is_aligned(offset, SECTOR_SIZE) || !is_aligned(size, SECTOR_SIZE) ||
	    !range_inside(offset >> SECTOR_SHIFT, size >> SECTOR_SHIFT, s->layout.size))
		return -EINVAL;
	*ret_offset = offset >> SECTOR_SHIFT;
	*ret_size = size >> SECTOR_SHIFT;
	return 0;
}

int stack_freeze(struct stack *s, uint64_t offset, uint64_t size)
{
	struct table hot;
	int r = range_in_sectors(s, offset, size, &offset, &size);

	if (r < 0)
		return r;
	if (s->state != STACK_CLEAN || size == 0 ||
	    s->boundary != (s->layout.backward ? offset + size : offset))
		return -EINVAL;
	r = layout_hot(&s->layout, offset, size, &hot);
	if (r < 0)
		return r;
	r = task_load(s->pieces_name, &hot);
	if (r < 0)
		return r;
	r = task_suspend(s->pieces_name);
	if (r < 0)
		goto clear;
	r = task_suspend(s->hotzone_name);
	if (r < 0)
		goto resume;
	r = task_resume(s->pieces_name);
	if (r < 0)
		goto resume_hotzone;
	s->state = STACK_FROZEN;
	s->hot_offset = offset;
	s->hot_size = size;
	return 0;

resume_hotzone:
	(void)task_resume(s->hotzone_name);
resume:
	(void)task_clear(s->pieces_name);
	(void)task_resume(s->pieces_name);
	return r;
clear:
	(void)task_clear(s->pieces_name);
	return r;
}

/* Forward, all of the range converted and something left behind it: its table can stay. */
static int thaw_converted(struct stack *s)
{
	struct table t;
	int r;

	assert(!s->layout.backward);
	r = layout_one_side(&s->layout, SIDE_NEW, &t);
	return r < 0 ? r : stack_switch(s->hotzone_name, &t, s->state == STACK_FROZEN);
}

/*
 * The waiting I/O is gone after the first step. The pieces device's table is right then, and only
 * not the one that `cryptsetup close` likes best; that it could not be changed is no failure of the
 * thaw.
 */
static int thaw_split(struct stack *s, uint64_t boundary)
{
	struct table split, rest;
	int r = layout_split(&s->layout, boundary, &split);

	if (r < 0)
		return r;
	r = layout_rest(&s->layout, &rest);
	if (r < 0)
		return r;
	r = stack_switch(s->hotzone_name, &split, s->state == STACK_FROZEN);
	if (r < 0)
		return r;
	r = stack_switch(s->pieces_name, &rest, false);
	if (r < 0)
		log_warning_errno(r,
				  "%s: cannot go back to one piece; \"cryptsetup close\" may leave "
				  "helpers of it behind",
				  s->name);
	return 0;
}

int stack_thaw(struct stack *s, uint64_t boundary)
{
	uint64_t unused;
	int r = range_in_sectors(s, boundary, 0, &boundary, &unused);

	if (r < 0)
		return r;
	if ((s->state != STACK_FROZEN && s->state != STACK_FAILED) || boundary < s->hot_offset ||
	    boundary > s->hot_offset + s->hot_size)
		return -EINVAL;
	if (!s->layout.backward && boundary == s->hot_offset + s->hot_size &&
	    boundary < s->layout.size)
		r = thaw_converted(s);
	else
		r = thaw_split(s, boundary);
	if (r < 0)
		return r;
	s->state = STACK_CLEAN;
	s->boundary = boundary;
	return 0;
}

int stack_fail(struct stack *s)
{
	struct table t;
	int r;

	if (s->state == STACK_FAILED)
		return 0;
	if (s->state != STACK_FROZEN)
		return -EINVAL;
	r = layout_error(&s->layout, &t);
	if (r < 0)
		return r;
	r = stack_switch(s->hotzone_name, &t, true);
	if (r < 0)
		return r;
	s->state = STACK_FAILED;
	return 0;
}

/* NAME without its stack, which only the helpers are left of. */
static int leave_stack(struct stack *s)
{
	struct table plain;
	int r = layout_plain(&s->layout, s->boundary, &plain);

	if (r < 0)
		return r;
	r = stack_make_plain(s, &plain);
	if (r < 0)
		return r;
	s->state = STACK_GONE;
	return 0;
}

int stack_dissolve(struct stack *s, uint64_t boundary)
{
	uint64_t unused;
	int r = range_in_sectors(s, boundary, 0, &boundary, &unused);

	if (r < 0)
		return r;
	if ((s->state != STACK_CLEAN && s->state != STACK_GONE) || boundary != s->boundary)
		return -EINVAL;
	r = s->state == STACK_CLEAN ? leave_stack(s) : 0;
	return r < 0 ? r : stack_remove_helpers(s);
}

bool stack_is_thawed(const struct stack *s)
{
	return s->thawed;
}

const char *stack_side_name(const struct stack *s, bool new_side)
{
	return s->helper_names[new_side ? SIDE_NEW : SIDE_OLD];
}

struct stack *stack_free(struct stack *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i < SIDES; i++)
		s->key_texts[i] = secret_free(s->key_texts[i]);
	free(s);
	return NULL;
}
