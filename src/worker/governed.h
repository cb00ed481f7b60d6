/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The governor of a run: looks at the load between hotzones, when a tenth of a second has passed,
 * and asks the governor for the rate. With nothing frozen, so the looks cost nobody anything.
 */
#pragma once

#include "pace/governor.h"
#include "pace/load.h"
#include "pace/rate.h"

struct governed {
	const char *name; /* of the open mapping; NULL: offline, and there is nothing to govern */
	struct load load;
	bool opened; /* or it could not be */
	struct governor governor;
	struct load_figures last;
	uint64_t last_usec, last_converted; /* 0: there was none */
	uint64_t rate;
	char reason[128]; /* why, in words; "": it has nothing to do */
};

/* Bytes/s for what follows, 0: no limit; @converted bytes are done in all. */
uint64_t governed_rate(struct governed *g, const struct governor_config *config,
		       uint64_t converted);

/* Bytes of a hotzone, 0: any size, where @rate is the lower of @governed and another limit. */
uint64_t governed_hotzone(uint64_t governed, struct rate *rate);
