/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ownership by scope: a variable marked _cleanup_(f) is released when it leaves its scope, and
 * TAKE_PTR()/TAKE_FD() hand it on instead.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* Declares type_freep() for _cleanup_(), from a type *type_free(type *). */
#define DEFINE_CLEANUP(type, free_fn)                                                              \
	static inline void free_fn##p(type **p)                                                    \
	{                                                                                          \
		*p = free_fn(*p);                                                                  \
	}

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) p_ = (p);                                                            \
		(p) = NULL;                                                                        \
		p_;                                                                                \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int f_ = (fd);                                                                     \
		(fd) = -1;                                                                         \
		f_;                                                                                \
	})
