/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: how far the work is, and what it costs others. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/messages.h"

struct volume_progress {
	uint64_t bytes_total, bytes_done;
	uint64_t rate;              /* bytes/s, smoothed; 0 when nothing runs */
	uint64_t expected_end_usec; /* realtime; 0: unknown */
	uint64_t hotzone_offset, hotzone_size;
	uint64_t longest_stall_usec, stall_999_usec, longest_suspend_usec; /* of the present run */
	uint64_t worst_stall_usec;       /* of all runs of the rotation that this daemon has seen */
	uint64_t unavoidable_stall_usec; /* now; 0: the stall target is within reach */
	uint64_t governor_rate;          /* bytes/s that the governor allows; 0: no limit */
	char governor_reason[128];       /* "": it has nothing to do */
};

/* As the header says. */
void progress_looked(struct volume_progress *p, const struct worker_look *look);
/* A run begins, and with it the figures of stalls. */
void progress_begun(struct volume_progress *p);
/* As the worker says; progress_expect() is next. */
void progress_heard(struct volume_progress *p, const struct worker_progress *w);
void progress_expect(struct volume_progress *p, uint64_t end_usec);
/* Nothing runs. True: that is new. */
bool progress_stopped(struct volume_progress *p);

void progress_rotation_ended(struct volume_progress *p);

uint64_t progress_left(const struct volume_progress *p);
