/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Processes that were killed since they did not answer. A kill does not end every system call: one
 * on a dead mount may wait for ever, and only a few of these may be there.
 */
#pragma once

#include <systemd/sd-event.h>

struct stuck {
	unsigned n; /* that have not ended */
};

/* Takes the pidfd of a process that was killed. It counts until the process has ended. */
void stuck_add(struct stuck *s, sd_event *event, int pidfd);
