/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a hotzone took offline, and what that says of how the next ones are to be done: overlap.h.
 */
#include "engine/engine-internal.h"
#include "util/clock.h"

bool engine_is_single(const struct engine *e)
{
	return e->config.freezer || engine_has_plaintext_side(&e->config);
}

void cycle_begin_run(struct engine *e, uint64_t boundary)
{
	const struct engine_config *cfg = &e->config;
	const uint64_t left = cfg->size - plan_converted(cfg, boundary);
	const bool can_differ = !engine_is_single(e) && !cfg->skip_unwritten;

	if (cfg->never_ahead)
		overlap_begin_alone(&e->overlap, plan_alone_max(cfg));
	else
		overlap_begin(&e->overlap, plan_hotzone_max(cfg), plan_alone_max(cfg),
			      can_differ ? left : 0);
}

struct cycle cycle_begin(const struct engine *e)
{
	const uint64_t *usec = e->progress.stages.usec;

	return (struct cycle){
		.begin = now_usec(),
		.load = usec[STAGE_LOAD],
		.data = usec[STAGE_LOAD] + usec[STAGE_STORE] + usec[STAGE_FLUSH],
	};
}

void cycle_end(struct engine *e, uint64_t size, struct cycle *c)
{
	const struct cycle now = cycle_begin(e);

	overlap_update(&e->overlap, &(struct overlap_sample){.size = size,
							     .load = now.load - c->load,
							     .data = now.data - c->data,
							     .cycle = now.begin - c->begin});
	*c = now;
}
