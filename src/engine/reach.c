/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reports that the stall target is out of reach: each freeze takes nearly as long or longer,
 * whatever its size. The progress has this at any time; the log has it once in a run when it
 * begins, and once when it ends. The line waits until hotzones have grown, since the speed of a
 * byte is known then.
 */
#include <inttypes.h>

#include "engine/engine-internal.h"
#include "util/log.h"

static bool has_grown(const struct stall *s, uint64_t max)
{
	return s->per_byte > 0 && (s->size >= max || s->per_byte * (double)s->size > s->fixed / 2);
}

static void tell_out(const struct engine *e)
{
	const struct stall *s = &e->stall;
	const double usec = s->fixed + s->per_byte * (double)s->size;

	log_notice("%s: flushes and seeks of this disk take %.0f ms for each range, whatever its "
		   "size; with a stall target of %" PRIu64 " ms I/O to a range waits for about "
		   "%.0f ms, and the work does about %.1f MiB/s",
		   e->config.disk->name, s->fixed / 1000, e->limits.stall_target / 1000,
		   usec / 1000, (double)s->size / usec * 1e6 / (1 << 20));
}

void engine_tell_reach(struct engine *e)
{
	const bool is_out =
		e->config.freezer && e->limits.stall_target > 0 && e->stall.is_out_of_reach;

	e->progress.unavoidable_stall = is_out ? (uint64_t)e->stall.fixed : 0;
	if (is_out && !e->told_out_of_reach && has_grown(&e->stall, e->hotzone_max)) {
		tell_out(e);
		e->told_out_of_reach = true;
	} else if (!is_out && e->told_out_of_reach && !e->told_within_reach) {
		log_notice("%s: the stall target of %" PRIu64 " ms is within reach now",
			   e->config.disk->name, e->limits.stall_target / 1000);
		e->told_within_reach = true;
	}
}
