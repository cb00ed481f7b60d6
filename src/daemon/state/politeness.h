/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the configuration says of staying out of the way: the governor, windows of time, and the
 * deadline that may not be missed for all that. A part of each section for volumes.
 *
 *   Governor= RateMin= RateMax= LatencyTarget= Window= (any number) Deadline=
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/deadline.h"
#include "daemon/policy/window.h"
#include "pace/governor.h"

enum politeness_setting {
	POLITENESS_GOVERNOR,
	POLITENESS_RATE_MIN,
	POLITENESS_RATE_MAX,
	POLITENESS_LATENCY_TARGET,
	POLITENESS_WINDOW,
	POLITENESS_DEADLINE,
	POLITENESS_SETTINGS
};

struct politeness {
	struct governor_config governor;
	size_t n_windows;
	struct window *windows;
	struct deadline deadline;
	uint32_t set; /* which settings the section itself has */
};

/* What holds where nothing is said. */
extern const struct politeness politeness_defaults;

/*
 * -ENOENT: it is no setting of these; -EINVAL, -ERANGE, -ENOMEM, -EDOM (config_row_set()); -E2BIG:
 * one window too many.
 */
int politeness_set(struct politeness *p, const char *key, const char *value);

/* Has @p set that itself? */
bool politeness_has(const struct politeness *p, enum politeness_setting setting);

/* What @p has not set itself is as in @defaults. -ENOMEM. */
int politeness_inherit(struct politeness *p, const struct politeness *defaults);

void politeness_clear(struct politeness *p);
