/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a stack comes to be, on a volume as cryptsetup opened it or on what a worker left that died
 * at any of its ioctls. What is found is one of these, and goes to a stack at rest by these steps:
 *
 *    NAME's table   hotzone device         header   what is done
 *    plain          -                      clean    helpers, hotzone, pieces, NAME on top of them
 *    plain          -                      hot      -EUNATCH
 *    cryptsetup's   -                      clean    as plain, once NAME is plain (stock-stack.h)
 *    stack          any                    clean    hotzone (I/O may wait in it), pieces to rest
 *    stack          suspended, or error    hot      it stays frozen
 *    stack          hot range by new key   hot      as clean behind the hot range: it was let go
 *    stack          running                hot      -EUNATCH
 *
 * Inactive tables are never trusted: each is replaced before its device is resumed. I/O that waits
 * in the hotzone device goes on only by a table that was made from the header.
 */
#include <assert.h>

#include "dm/names.h"
#include "dm/stack-private.h"
#include "dm/stock-stack.h"

/* Makes a helper, running; sets @ret to its number. */
static int make_device(const struct stack *s, const char *name, const struct table *t, dev_t *ret)
{
	char uuid[DM_UUID_MAX + 1];
	struct device_info info;
	int r = name_uuid(UUID_HELPER, s->uuid, name, uuid);

	if (r < 0)
		return r;
	r = task_create(name, uuid);
	if (r < 0)
		return r;
	r = table_is_crypt(t) ? stack_load_crypt(s, name, t) : task_load(name, t);
	if (r < 0)
		return r;
	r = task_start(name);
	if (r < 0)
		return r;
	r = task_info(name, &info);
	if (r < 0)
		return r;
	*ret = info.device;
	return 0;
}

static int make_helper(struct stack *s, enum side side)
{
	struct table t;
	int r = layout_side(&s->layout, side, &t);

	return r < 0 ? r : make_device(s, s->helper_names[side], &t, &s->layout.helpers[side]);
}

static int make_hotzone_device(struct stack *s)
{
	struct table split;
	int r = layout_split(&s->layout, s->boundary, &split);

	return r < 0 ? r : make_device(s, s->hotzone_name, &split, &s->layout.hotzone);
}

static int make_pieces_device(struct stack *s)
{
	struct table rest;
	int r = layout_rest(&s->layout, &rest);

	return r < 0 ? r : make_device(s, s->pieces_name, &rest, &s->layout.pieces);
}

static int enter_stack(const struct stack *s)
{
	struct table top;
	int r = layout_top(&s->layout, &top);

	return r < 0 ? r : stack_switch(s->name, &top, false);
}

/* Each table is made of the numbers of the devices before. */
static int make_stack(struct stack *s)
{
	int r = make_helper(s, SIDE_OLD);

	if (r < 0)
		return r;
	r = make_helper(s, SIDE_NEW);
	if (r < 0)
		return r;
	r = make_hotzone_device(s);
	if (r < 0)
		return r;
	r = make_pieces_device(s);
	return r < 0 ? r : enter_stack(s);
}

/* On a volume as cryptsetup opened it; helpers are what is left of a stack that came or went. */
static int make_fresh(struct stack *s, const struct found *f)
{
	/* An inactive table keeps what it names in use. */
	int r = f->name.inactive_table ? task_clear(s->name) : 0;

	if (r < 0)
		return r;
	r = stack_remove_helpers(s);
	if (r < 0)
		return r;
	r = make_stack(s);
	if (r < 0)
		(void)stack_remove_helpers(s);
	return r;
}

/* Nobody suspends the crypt helpers, but whoever did must not make us wait for ever. */
static int run_helpers(const struct stack *s, const struct found *f)
{
	for (unsigned i = 0; i < SIDES; i++) {
		const int r = stack_run_device(s->helper_names[i], &f->helpers[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A clean header: everything is made to run, with all I/O through the hotzone device. */
static int release_all(struct stack *s, const struct found *f)
{
	struct table split, rest;
	int r;

	assert(s->state == STACK_CLEAN);
	r = run_helpers(s, f);
	if (r < 0)
		return r;
	r = layout_split(&s->layout, s->boundary, &split);
	if (r < 0)
		return r;
	r = stack_switch(s->hotzone_name, &split, f->hotzone.suspended);
	if (r < 0)
		return r;
	r = layout_rest(&s->layout, &rest);
	if (r < 0)
		return r;
	r = stack_switch(s->pieces_name, &rest, f->pieces.suspended);
	return r < 0 ? r : stack_run_device(s->name, &f->name);
}

/* Suspended, over the table that is live. */
static int suspend_hotzone(const struct stack *s, const struct device_info *hotzone)
{
	const int r = hotzone->inactive_table ? task_clear(s->hotzone_name) : 0;

	return r < 0 || hotzone->suspended ? r : task_suspend(s->hotzone_name);
}

/* A hot header: the range stays frozen, the rest runs. */
static int keep_frozen(struct stack *s, const struct found *f)
{
	int r;

	assert(!s->thawed && s->hot_size > 0);
	r = run_helpers(s, f);
	if (r < 0)
		return r;
	r = suspend_hotzone(s, &f->hotzone);
	if (r < 0)
		return r;
	r = stack_run_device(s->pieces_name, &f->pieces);
	if (r < 0)
		return r;
	r = stack_run_device(s->name, &f->name);
	if (r < 0)
		return r;
	s->state = STACK_FROZEN;
	return 0;
}

static int begin_stack(struct stack *s, const struct found *f)
{
	int r = f->stock ? stock_stack_dissolve(s, &f->stock_table) : 0;

	return r < 0 ? r : make_fresh(s, f);
}

static int set_going(struct stack *s, const struct found *f, bool hot)
{
	if (!f->stacked)
		return begin_stack(s, f);
	return hot && !s->thawed ? keep_frozen(s, f) : release_all(s, f);
}

int stack_new(const struct stack_config *config, const struct stack_position *now,
	      struct stack **ret)
{
	_cleanup_(stack_freep) struct stack *s = NULL;
	_cleanup_(found_clear) struct found f = {};
	int r = stack_find(config, now, &f, &s);

	if (r < 0)
		return r;
	r = set_going(s, &f, now->hotzone_size > 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}
