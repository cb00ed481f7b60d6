/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How recrypt-worker derives keys (luks/derive.h): in a process of its own, `recrypt-worker
 * derive`, which child.h runs and kills.
 */
#pragma once

#include "luks/derive.h"

#define DERIVE_VERB "derive"

/*
 * From now on keys are derived so. @stop_fd is the caller's, and readable when a stop is wanted.
 * What @limits has as 0 is the default.
 */
void derive_set_up(const struct luks_cost_limits *limits, uint64_t timeout_usec, int stop_fd);

/* The process that derives. */
int derive_main(int argc, char **argv);
