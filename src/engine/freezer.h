/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who keeps the application away from a range while it is converted. Online this is the dm stack;
 * offline there is nobody to keep away and the engine has no freezer.
 */
#pragma once

#include <stdint.h>

#include "engine/header-store.h"

struct freezer {
	const struct freezer_ops *ops;
};

/* All return 0 or a negative errno. After a failure the range is as it was before the call. */
struct freezer_ops {
	/*
	 * What may take its time while nobody waits yet: freeze() comes next, and what this did is
	 * undone when that fails, or by thaw() or fail(). May be NULL.
	 */
	int (*prepare)(struct freezer *f);
	/*
	 * I/O to [offset, offset + size) waits from now on, and none is in flight. Only one range
	 * is frozen at a time.
	 */
	int (*freeze)(struct freezer *f, uint64_t offset, uint64_t size);
	/* Lets the waiting I/O go, to where @now says the data is; @now is clean and durable. */
	int (*thaw)(struct freezer *f, const struct position *now);
	/* Gives the frozen range up: its I/O gets EIO, everything else goes on. */
	int (*fail)(struct freezer *f);
};
