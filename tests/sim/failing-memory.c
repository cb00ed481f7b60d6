/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "failing-memory.h"

#include "allocator.h"

static struct {
	bool on, libraries, watching;
	unsigned paused, seen, fail_at, watched;
} memory;

void memory_begin(unsigned n)
{
	memory.seen = 0;
	memory.fail_at = n;
	memory.on = true;
	memory.libraries = false;
}

void memory_fail_libraries(void)
{
	memory.libraries = true;
}

bool memory_end(void)
{
	memory.on = false;
	return memory.seen > memory.fail_at;
}

void memory_pause(void)
{
	memory.paused++;
}

void memory_resume(void)
{
	memory.paused--;
}

void memory_watch(bool on)
{
	memory.watching = on;
}

unsigned memory_watched(void)
{
	return memory.watched;
}

bool allocation_fails(const void *caller)
{
	const bool ours = allocation_is_of_program(caller);

	if (!memory.on || memory.paused > 0 || (!ours && !memory.libraries))
		return false;
	if (memory.watching && ours)
		memory.watched++;
	return memory.seen++ == memory.fail_at;
}
