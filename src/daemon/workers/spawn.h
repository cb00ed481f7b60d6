/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts a worker process with nothing but its control socket, or a pipe to answer on. */
#pragma once

#include <sys/types.h>

#include "daemon/workers/worker-link.h"

/*
 * *ret_control_fd is our end of the control socket, and *ret_pidfd the process; both become the
 * caller's. The process is
 * waited for by the loop, whatever happens to that; how it ended is logged where it is not as it
 * should be.
 */
int spawn_worker(sd_event *event, const struct worker_spec *spec, int *ret_control_fd,
		 int *ret_pidfd);

/*
 * The same for a process that reads @file (worker/read-file.h). *ret_fd is the end of the pipe that
 * its answer comes from, and does not block; both descriptors become the caller's.
 */
int spawn_file_reader(sd_event *event, const char *file, int *ret_fd, int *ret_pidfd);
