/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs, and calls that were accepted, as the text that outlives the daemon:
 *
 *   {"jobs":[{"id","kind","state","created","started","ended","caller","bytes","error","message",
 *             "members":[{"uuid","ended","error","message"}]}],
 *    "calls":[{"id","verb","object","job","time"}]}
 *
 * Times are of the realtime clock, in microseconds. What is wrong in it is left out, entry by
 * entry.
 */
#pragma once

#include "daemon/state/job.h"

/* The caller frees *ret. -ENOMEM. */
int kept_format(const struct jobs *jobs, char **ret);

/* Adds what @text says to @jobs. -EBADMSG: it is no such text; -ENOMEM. */
int kept_parse(struct jobs *jobs, const char *text);
