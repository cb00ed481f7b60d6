/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker in the foreground, where the daemon does not run or cannot do it. */
#pragma once

/*
 * Runs recrypt-worker with the command line @argv of this program, and ends as the worker ends:
 * with its exit code, or of the same signal. The worker has the terminal and the standard streams,
 * is in the same process group, and stops between two hotzones when this process dies. Returns only
 * when the worker cannot be started, which is logged.
 */
int run_worker(char **argv);
