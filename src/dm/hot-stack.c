/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stack under a hot header: does I/O to the hot range still wait, or did the dead worker let it
 * go?
 *
 *    hot range in the pieces   hotzone device      it is
 *    the header's              suspended, error    frozen: to be recovered
 *    the header's, or all      by the new key      let go: converted
 *    none, or the one behind   any                 let go: what waits is the range behind
 *
 * Anything else is -EUNATCH or -ENOTUNIQ, and nothing is changed.
 */
#include <assert.h>
#include <errno.h>

#include "dm/stack-private.h"

static bool is_error(const struct table *t)
{
	return t->count == 1 && t->targets[0].type == TARGET_ERROR;
}

/* -EUNATCH unless nothing but errors comes out of the hotzone device, and the hot range is in it.
 */
static int check_frozen(struct stack *s, const struct found *f)
{
	int r = layout_hot_range(&s->layout, &f->pieces_table, &s->hot_offset, &s->hot_size);

	if (r < 0)
		return -EUNATCH;
	if (!f->hotzone.suspended) {
		_cleanup_table_ struct table t = {};

		r = task_table(s->hotzone_name, &t);
		if (r < 0)
			return r;
		if (!is_error(&t))
			return -EUNATCH;
	}
	return 0;
}

/* Does the running hotzone device send all that is in front of @boundary to the new side? */
static bool is_let_go(const struct stack *s, const struct table *hotzone, uint64_t boundary)
{
	struct table split, converted;

	if (layout_split(&s->layout, boundary, &split) < 0 ||
	    layout_one_side(&s->layout, SIDE_NEW, &converted) < 0)
		return false;
	return table_equal(hotzone, &split) || table_equal(hotzone, &converted);
}

/*
 * -EUNATCH unless all I/O to the hot range is by the new key, which a worker allows once it is
 * durable. Another range behind it may be frozen by now; what waits there was not converted.
 */
static int check_thawed(const struct stack *s, const struct found *f, uint64_t boundary)
{
	_cleanup_table_ struct table t = {};
	uint64_t offset, size;
	int r = layout_hot_range(&s->layout, &f->pieces_table, &offset, &size);
	const bool behind =
		r < 0 || (s->layout.backward ? offset + size == boundary : offset == boundary);

	if (!layout_fits(&s->layout, &f->pieces_table, boundary, 0))
		return -EUNATCH;
	if (behind)
		return 0;
	if (f->hotzone.suspended)
		return -EUNATCH;
	r = task_table(s->hotzone_name, &t);
	if (r < 0)
		return r;
	return is_let_go(s, &t, boundary) ? 0 : -EUNATCH;
}

int stack_check_hot(struct stack *s, const struct found *f, uint64_t hot_size, bool may_be_thawed)
{
	const uint64_t behind =
		s->layout.backward ? s->boundary - hot_size : s->boundary + hot_size;
	const uint64_t end = s->layout.backward ? 0 : s->layout.size;
	const bool fits = layout_fits(&s->layout, &f->pieces_table, s->boundary, hot_size);
	int r, r2;

	assert(f->stacked && hot_size > 0);
	r = check_frozen(s, f);
	if (r == 0 && fits)
		return 0;
	if ((r < 0 && r != -EUNATCH) || !may_be_thawed || behind == end)
		return r < 0 ? r : -ENOTUNIQ;
	r2 = check_thawed(s, f, behind);
	if (r2 == -EUNATCH)
		return r < 0 ? r : -ENOTUNIQ;
	s->boundary = behind;
	s->thawed = r2 == 0;
	return r2;
}
