/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded to user-mode Linux, whose guests die at their first instruction on a CPU with AMX
 * without this. Its kernel 6.1 has room for the registers that CPUs had before, and a host sets
 * either all that it knows of or none (ptrace(2), PTRACE_SETREGSET: EFAULT). What it leaves out
 * stays as it is.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Larger than any CPU's: AMX takes 8 KiB of it. */
#define ALL_REGISTERS 65536

typedef long (*ptrace_func)(enum __ptrace_request request, ...);

static ptrace_func real;

__attribute__((constructor)) static void find_real(void)
{
	real = (ptrace_func)dlsym(RTLD_NEXT, "ptrace");
}

static long set_some(pid_t pid, void *what, const struct iovec *some)
{
	static char buffer[ALL_REGISTERS];
	struct iovec all = {buffer, sizeof(buffer)};

	if (real(PTRACE_GETREGSET, pid, what, &all) < 0)
		return -1;
	if (some->iov_len > all.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(buffer, some->iov_base, some->iov_len);
	return real(PTRACE_SETREGSET, pid, what, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	void *address, *data;
	va_list ap;
	pid_t pid;
	long r;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	address = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	r = real(request, pid, address, data);
	/* Whatever errno says: a timer's handler may have changed it. */
	if (r < 0 && request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		r = set_some(pid, address, data);
	return r;
}
