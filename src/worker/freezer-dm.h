/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's freezer over the device stack. */
#pragma once

#include "dm/stack.h"
#include "engine/freezer.h"

struct freezer_dm {
	struct freezer freezer;
	struct stack *stack;
};

/* @stack stays the caller's. */
void freezer_dm_init(struct freezer_dm *f, struct stack *stack);
