/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/freezer-dm.h"

#include <stddef.h>

static struct stack *stack_of(struct freezer *f)
{
	return ((struct freezer_dm *)((char *)f - offsetof(struct freezer_dm, freezer)))->stack;
}

static int dm_freeze(struct freezer *f, uint64_t offset, uint64_t size)
{
	return stack_freeze(stack_of(f), offset, size);
}

static int dm_thaw(struct freezer *f, const struct position *now)
{
	return stack_thaw(stack_of(f), now->boundary);
}

static int dm_fail(struct freezer *f)
{
	return stack_fail(stack_of(f));
}

void freezer_dm_init(struct freezer_dm *f, struct stack *stack)
{
	static const struct freezer_ops ops = {
		.freeze = dm_freeze,
		.thaw = dm_thaw,
		.fail = dm_fail,
	};

	*f = (struct freezer_dm){.freezer = {.ops = &ops}, .stack = stack};
}
