/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory for keys and passphrases: locked (never in swap), left out of core dumps, not inherited
 * by children, and wiped before it is given back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct secret {
	size_t size;   /* bytes in use */
	uint8_t *data; /* zeroed at birth */
};

/* -ENOMEM also where the memory cannot be locked. */
int secret_new(size_t size, struct secret **ret);
int secret_copy(const void *data, size_t size, struct secret **ret);

/* Uses the first @size bytes only; what stands behind them is wiped. */
void secret_truncate(struct secret *s, size_t size);

struct secret *secret_free(struct secret *s);
DEFINE_CLEANUP(struct secret, secret_free)

/*
 * For a process that has secrets: no core dump, and no other process of the same user looks into
 * its memory. 0 or a negative errno.
 */
int secret_forbid_looking_in(void);
