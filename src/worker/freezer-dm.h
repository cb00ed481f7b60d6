/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's freezer over the device stack. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "dm/stack.h"
#include "engine/freezer.h"
#include "worker/luks-store.h"

struct freezer_dm {
	struct freezer freezer;
	struct stack *stack;
	struct luks_store *store;
	sigset_t signals; /* before prepare() */
	bool frozen;      /* by us, not by a worker that died; or about to be */
};

/* @stack and @store stay the caller's. */
void freezer_dm_init(struct freezer_dm *f, struct stack *stack, struct luks_store *store);
