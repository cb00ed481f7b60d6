/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine in small: freezes a range, keeps its plaintext in a journal in shared memory, writes
 * it to the new side, and thaws. Whoever takes over writes the journal again, unless all of it was
 * written before: with the checksums of a header that would be seen.
 */
#include "dm/vm-test-stack.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/io.h"

uint64_t hotzone_offset(void)
{
	return args.backward ? shared->position.boundary - HOTZONE : shared->position.boundary;
}

/* The hotzone's plaintext, from where it is safe, to the new side. Any number of times. */
static void replay_journal(const struct stack *s)
{
	_cleanup_close_ int fd = open_dm(stack_side_name(s, true));
	void *buf = aligned_buffer(HOTZONE);

	memcpy(buf, shared->journal, HOTZONE);
	must(pwrite_full(fd, buf, HOTZONE, hotzone_offset()), "write to the new side");
	free(buf);
}

static uint64_t behind(void)
{
	const uint64_t boundary = shared->position.boundary;

	return args.backward ? boundary - HOTZONE : boundary + HOTZONE;
}

void commit(bool hot, uint64_t boundary)
{
	shared->converted = false;
	shared->position.boundary = boundary;
	__sync_synchronize();
	shared->position.hotzone_size = hot ? HOTZONE : 0;
	__sync_synchronize();
}

static void write_new(const struct stack *s)
{
	if (!shared->converted)
		replay_journal(s);
	shared->converted = true;
}

void finish_hotzone(struct stack *s)
{
	const uint64_t boundary = behind();

	write_new(s);
	/* The two halves of a position become visible together, as a header does. */
	shared->position.hotzone_size = 0;
	shared->position.boundary = boundary;
	must(stack_thaw(s, boundary), "thaw");
}

/* @boundary: where the hotzone lies on its unconverted side. */
static void begin_at(struct stack *s, uint64_t boundary)
{
	const uint64_t offset = args.backward ? boundary - HOTZONE : boundary;
	_cleanup_close_ int fd = open_dm(stack_side_name(s, false));
	void *buf = aligned_buffer(HOTZONE);

	must(stack_freeze(s, offset, HOTZONE), "freeze");
	must(pread_full(fd, buf, HOTZONE, offset), "read from the old side");
	memcpy(shared->journal, buf, HOTZONE);
	free(buf);
}

void begin_hotzone(struct stack *s)
{
	begin_at(s, shared->position.boundary);
}

void convert_merged(struct stack *s)
{
	begin_hotzone(s);
	commit(true, shared->position.boundary);
	write_new(s);
	must(stack_thaw(s, behind()), "thaw with a hot header");
	must(stack_freeze(s, args.backward ? behind() - HOTZONE : behind(), HOTZONE), "freeze");
	must(stack_thaw(s, behind()), "thaw as it was, with a hot header before it");
	begin_at(s, behind());
	commit(true, behind());
	finish_hotzone(s);
}

void convert_one(struct stack *s)
{
	begin_hotzone(s);
	commit(true, shared->position.boundary);
	finish_hotzone(s);
}

uint64_t left(void)
{
	return args.backward ? shared->position.boundary : volume_size - shared->position.boundary;
}

void turn_around_at_end(void)
{
	if (left() >= HOTZONE)
		return;
	shared->swapped = !shared->swapped;
	shared->position.boundary = args.backward ? volume_size : 0;
}

void leave(struct stack *s)
{
	(void)stack_free(s);
	drop_keys();
}

struct stack *take(void)
{
	const struct stack_config c = make_config();
	struct stack *s;

	must(stack_new(&c, &shared->position, &s), "stack_new");
	if (stack_is_thawed(s))
		commit(false, behind());
	return s;
}
