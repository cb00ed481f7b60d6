/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What stack.c (the running stack), found.c and hot-stack.c (what is there before), and takeover.c
 * (how it comes to be) share.
 */
#pragma once

#include "dm/layout.h"
#include "dm/stack.h"
#include "dm/task.h"

enum stack_state {
	STACK_CLEAN,  /* all I/O goes through */
	STACK_FROZEN, /* I/O to the range waits in the suspended hotzone device */
	STACK_FAILED, /* the hotzone device answers EIO */
	STACK_GONE,   /* dissolved: NAME is as cryptsetup makes it */
};

/* Sizes and offsets are 512-byte sectors. */
struct stack {
	enum stack_state state;
	char name[DM_NAME_MAX + 1], uuid[37];
	char pieces_name[DM_NAME_MAX + 1], hotzone_name[DM_NAME_MAX + 1];
	char helper_names[SIDES][DM_NAME_MAX + 1];
	struct layout layout;
	bool keyring; /* keys travel as kernel keys, not in the tables */
	const struct secret *keys[SIDES];
	struct secret *key_texts[SIDES]; /* what layout.sides[].key points into */
	uint64_t boundary;
	bool thawed; /* taken over with a hot header, behind whose hotzone @boundary is */
	uint64_t hot_offset, hot_size; /* FROZEN, FAILED: the range that is */
};

/* What stands there before anything is changed. */
struct found {
	struct device_info name, pieces, hotzone, helpers[SIDES];
	struct table name_table, pieces_table;
	struct table stock_table; /* what NAME's would be without cryptsetup's stack */
	bool stacked, stock;
};
void found_clear(struct found *f);

/*
 * Sets @f, which is empty, and a new @ret to what stack_new() finds, and checks all of it. Changes
 * nothing. @f is to be cleared after a failure, too.
 */
int stack_find(const struct stack_config *config, const struct stack_position *now, struct found *f,
	       struct stack **ret);

/*
 * Is the hot range of @hot_size behind @s->boundary frozen, or, where that @may_be_thawed, let go?
 * In that case sets @s->thawed, and the boundary to the other side of the range. -EUNATCH: neither.
 * -ENOTUNIQ: the pieces send some of it to a side where its data is not.
 */
int stack_check_hot(struct stack *s, const struct found *f, uint64_t hot_size, bool may_be_thawed);

/* Loads a table with crypt targets, whose keys have to be in the keyring just then. */
int stack_load_crypt(const struct stack *s, const char *name, const struct table *t);

/* Has the kernel's keyring room for the keys? Adds them, and removes them again. */
int stack_try_keys(const struct stack *s);

/* Loads and brings to life. On failure the device is as before, suspended or running. */
int stack_switch(const char *name, const struct table *t, bool was_suspended);

/* Makes the device run, with the table that is live. */
int stack_run_device(const char *name, const struct device_info *info);

/* Gives NAME, which is running, a table of crypt targets. */
int stack_make_plain(const struct stack *s, const struct table *plain);

/* Removes the helpers that are there; NAME must not use them any more. */
int stack_remove_helpers(const struct stack *s);
