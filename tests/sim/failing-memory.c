/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "failing-memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has these so that malloc() can be replaced. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* By the linker: the code that is linked statically, ours, lies between them. */
extern const char __executable_start[], etext[];

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

/* The sanitizer has an allocator of its own, which cannot be replaced. */
#ifndef __SANITIZE_ADDRESS__
static bool fails(const void *caller)
{
	const bool ours =
		(const char *)caller >= __executable_start && (const char *)caller < etext;

	if (!memory.on || memory.paused > 0 || (!ours && !memory.libraries))
		return false;
	if (memory.watching && ours)
		memory.watched++;
	if (memory.seen++ != memory.fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
	void *p = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*memptr = p;
	return 0;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (fails(__builtin_return_address(0)))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}
#endif
