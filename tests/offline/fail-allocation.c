/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For LD_PRELOAD: the allocation with the number in FAIL_ALLOCATION (from 0 on, in each process)
 * fails. FAIL_ALLOCATION_OF=program: of those that the program's own code makes, as libraries may
 * not expect it (the parser of json-c does not). FAIL_ALLOCATION_COUNT names a file to which each
 * process adds how many it made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has these so that malloc() can be replaced. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static uintptr_t program_from, program_to; /* its code */
static atomic_ulong seen;
static unsigned long fail_at = UINT64_MAX;
static bool ready, everybody;
static const char *count_path;

/* The first object is the program. */
static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		program_from = info->dlpi_addr + p->p_vaddr;
		program_to = program_from + p->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *n = getenv("FAIL_ALLOCATION"), *of = getenv("FAIL_ALLOCATION_OF");

	(void)dl_iterate_phdr(find_code, NULL);
	if (n)
		fail_at = strtoul(n, NULL, 10);
	everybody = !of || strcmp(of, "program") != 0;
	count_path = getenv("FAIL_ALLOCATION_COUNT");
	ready = true;
}

__attribute__((destructor)) static void end(void)
{
	const int fd =
		count_path ? open(count_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	ready = false;
	if (fd >= 0) {
		(void)dprintf(fd, "%lu\n", atomic_load(&seen));
		(void)close(fd);
	}
}

static bool fails(const void *caller)
{
	const uintptr_t at = (uintptr_t)caller;
	const bool counts = everybody || (at >= program_from && at < program_to);

	if (!ready || !counts || atomic_fetch_add(&seen, 1) != fail_at)
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

/* Those of the C library allocate on behalf of their callers. */

char *strndup(const char *string, size_t n)
{
	const size_t size = strnlen(string, n);
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size + 1);

	if (!copy)
		return NULL;
	memcpy(copy, string, size);
	copy[size] = '\0';
	return copy;
}

char *strdup(const char *s)
{
	const size_t size = strlen(s) + 1;
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

	return copy ? memcpy(copy, s, size) : NULL;
}

int asprintf(char **ptr, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (fails(__builtin_return_address(0)))
		return -1;
	va_start(ap, fmt);
	n = vasprintf(ptr, fmt, ap);
	va_end(ap);
	return n;
}
