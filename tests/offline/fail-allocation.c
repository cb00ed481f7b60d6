/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For LD_PRELOAD: the allocation with the number in FAIL_ALLOCATION (from 0 on, in each process)
 * fails. FAIL_ALLOCATION_OF=program: of those that the program's own code makes, as libraries may
 * not expect it (the parser of json-c does not).
 *
 * FAIL_ALLOCATION_COUNT names a file to which each process adds a line when it exits:
 *
 *    ALL STACK FREEZE END OWN GROWN
 *
 * ALL allocations; so many of them before the first device of a stack was made, before the first
 * freeze, and before the end of the last one (ALL, where there was none). A freeze lasts from the
 * first suspend of a device until no device is suspended. OWN allocations of the program's own code
 * were made in a freeze, and the kernel gave the heap GROWN bytes in one: both have to be 0. What
 * libraries allocate in a freeze comes from memory that the program has already. It cannot fail, so
 * it is not counted.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>

#include "../sim/allocator.h"

#define MAX_DEVICES 4

/* How the UUIDs of the devices begin that the worker puts under a volume. */
#define HELPER "CRYPT-SUBDEV-"

static atomic_ulong seen, own, grown, heap;
static atomic_bool frozen;
static unsigned long fail_at = UINT64_MAX;
static bool ready, everybody;
static const char *count_path;

/* Written by the one thread that talks to device-mapper. */
static unsigned long stack_at = UINT64_MAX, freeze_at = UINT64_MAX, end_at = UINT64_MAX;
static char suspended[MAX_DEVICES][DM_NAME_LEN];

__attribute__((constructor)) static void begin(void)
{
	const char *n = getenv("FAIL_ALLOCATION"), *of = getenv("FAIL_ALLOCATION_OF");

	if (n)
		fail_at = strtoul(n, NULL, 10);
	everybody = !of || strcmp(of, "program") != 0;
	count_path = getenv("FAIL_ALLOCATION_COUNT");
	ready = true;
}

static unsigned long at_most(unsigned long n, unsigned long max)
{
	return n < max ? n : max;
}

__attribute__((destructor)) static void end(void)
{
	const unsigned long all = atomic_load(&seen);
	const int fd =
		count_path ? open(count_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	ready = false;
	if (fd >= 0) {
		(void)dprintf(fd, "%lu %lu %lu %lu %lu %lu\n", all, at_most(stack_at, all),
			      at_most(freeze_at, all), at_most(end_at, all), atomic_load(&own),
			      atomic_load(&grown));
		(void)close(fd);
	}
}

/* Bytes that the allocator has from the kernel. */
static size_t heap_size(void)
{
	const struct mallinfo2 m = mallinfo2();

	return m.arena + m.hblkhd;
}

/* At each allocation in a freeze and at its end: what is mapped may be unmapped soon. */
static void note_heap(void)
{
	const size_t now = heap_size(), before = atomic_exchange(&heap, now);

	if (now > before)
		(void)atomic_fetch_add(&grown, now - before);
}

bool allocation_fails(const void *caller)
{
	const bool ours = allocation_is_of_program(caller);
	const bool in_freeze = ready && atomic_load(&frozen);

	if (in_freeze)
		note_heap();
	if (!ready || (!ours && (!everybody || in_freeze)))
		return false;
	if (in_freeze)
		(void)atomic_fetch_add(&own, 1);
	return atomic_fetch_add(&seen, 1) == fail_at;
}

static void note_suspend(const char *name)
{
	for (unsigned i = 0; i < MAX_DEVICES; i++) {
		if (suspended[i][0])
			continue;
		(void)snprintf(suspended[i], sizeof(suspended[i]), "%s", name);
		return;
	}
	abort();
}

static bool note_resume(const char *name)
{
	bool any = false;

	for (unsigned i = 0; i < MAX_DEVICES; i++) {
		if (strcmp(suspended[i], name) == 0)
			suspended[i][0] = '\0';
		any = any || suspended[i][0];
	}
	return any;
}

static void begin_freeze(void)
{
	if (atomic_load(&frozen))
		return;
	if (freeze_at == UINT64_MAX)
		freeze_at = atomic_load(&seen);
	atomic_store(&heap, heap_size());
	atomic_store(&frozen, true);
}

static void end_freeze(void)
{
	if (!atomic_exchange(&frozen, false))
		return;
	note_heap();
	end_at = atomic_load(&seen);
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct dm_ioctl *d;
	va_list ap;
	int r;

	va_start(ap, request);
	d = va_arg(ap, void *);
	va_end(ap);
	if (request == DM_DEV_CREATE && stack_at == UINT64_MAX &&
	    strncmp(d->uuid, HELPER, strlen(HELPER)) == 0)
		stack_at = atomic_load(&seen);
	if (request != DM_DEV_SUSPEND)
		return (int)syscall(SYS_ioctl, fd, request, d);
	if (d->flags & DM_SUSPEND_FLAG) {
		begin_freeze();
		r = (int)syscall(SYS_ioctl, fd, request, d);
		if (r == 0)
			note_suspend(d->name);
		else if (!note_resume(""))
			end_freeze();
		return r;
	}
	r = (int)syscall(SYS_ioctl, fd, request, d);
	if (r == 0 && !note_resume(d->name))
		end_freeze();
	return r;
}
