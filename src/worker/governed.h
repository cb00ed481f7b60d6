/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The governor of a run: looks at the load between hotzones, when a tenth of a second has passed,
 * and asks the governor for the rate. With nothing frozen, so the looks cost nobody anything.
 */
#pragma once

#include "io/governor.h"
#include "io/load.h"
#include "worker/control.h"

struct governed {
	const char *name; /* of the open mapping; NULL: offline, and there is nothing to govern */
	struct load load;
	bool opened; /* or it could not be */
	struct governor governor;
	struct load_figures last;
	uint64_t last_usec, last_converted; /* 0: there was none */
	uint64_t rate;
};

/* Bytes/s for what follows, 0: no limit; @converted bytes are done in all. Shown by @c. */
uint64_t governed_rate(struct governed *g, struct control *c, uint64_t converted);
