/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "allocator.h"

#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	uintptr_t from, to;
} code;

/* The first object is the program. */
static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		code.from = info->dlpi_addr + p->p_vaddr;
		code.to = code.from + p->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void find_program(void)
{
	(void)dl_iterate_phdr(find_code, NULL);
}

bool allocation_is_of_program(const void *caller)
{
	return (uintptr_t)caller >= code.from && (uintptr_t)caller < code.to;
}

/* The sanitizer has an allocator of its own, which cannot be replaced. */
#ifndef __SANITIZE_ADDRESS__

/* glibc has these so that malloc() can be replaced. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static bool fails(const void *caller)
{
	if (!allocation_fails(caller))
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
#endif
