/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What it costs to open a keyslot. The header names the cost, and anybody who can write to the disk
 * can write the header: iterations without end, or more memory than the machine has. So the cost is
 * compared with limits before any key is derived.
 *
 * The unit of work is a step: one iteration of PBKDF2, or one pass of argon2 over one KiB of its
 * memory. Both take about as long (half a microsecond), so one limit does for all functions.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "luks/reason.h"

struct luks_cost_limits {
	uint64_t memory; /* bytes for one key derivation; 0: luks_cost_default_memory() */
	uint64_t steps;  /* of one key derivation; 0: LUKS_COST_STEPS_DEFAULT */
};

/* Some ten times of what `cryptsetup --iter-time 10000` makes on a fast machine. */
#define LUKS_COST_STEPS_DEFAULT UINT64_C(250000000)

/*
 * A quarter of the machine's memory, but no less than cryptsetup uses for a volume by default
 * (1 GiB), and no more than it ever uses (4 GiB).
 */
uint64_t luks_cost_default_memory(void);

/*
 * Compares the cost of opening @keyslot, its digest's included, with @limits and with the memory
 * that the machine has available. -ERROR_COST_TOO_HIGH: it is too high, and @why names keyslot,
 * cost, limit and setting. -ENOENT: there is no such keyslot.
 */
int luks_cost_check_keyslot(json_object *root, int keyslot, const struct luks_cost_limits *limits,
			    struct luks_reason *why);

/* The parts of that, for a cost that stands in no header yet; @what names it in the message. */
int luks_cost_check_steps(const char *what, const char *kdf, uint64_t steps,
			  const struct luks_cost_limits *limits, struct luks_reason *why);
int luks_cost_check_memory(const char *what, const char *kdf, uint64_t memory,
			   const struct luks_cost_limits *limits, struct luks_reason *why);

/* The same for the iterations of a digest. */
int luks_cost_check_digest(const char *what, uint64_t iterations,
			   const struct luks_cost_limits *limits, struct luks_reason *why);
