/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The worker that recryptctl starts for a run in the foreground, as a process.
 *
 *     keys at the terminal --- signals to the group ---> recryptctl, recrypt-worker
 *     kill, systemd, hangup -- signals to recryptctl --> recryptctl --> recrypt-worker
 *                              recryptctl dies           the control socket closes
 *
 * recryptctl obeys no signal by itself. It ends and stops when the worker has done so.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/options.h"

struct worker_process {
	pid_t pid;
	int control_fd; /* see proto/service-bus.h */
	int signal_fd;  /* readable: worker_process_read_signal() has something to do */
	bool ended;
	int status; /* as of waitpid(2), once it has ended */
};

#define WORKER_PROCESS_NONE                                                                        \
	{                                                                                          \
		.pid = -1, .control_fd = -1, .signal_fd = -1                                       \
	}

/*
 * Starts it, with what @o says of the volume. From here on signals come to ret->signal_fd. Logs
 * failures.
 */
int worker_process_start(const struct options *o, struct worker_process *ret);

/* Passes a signal on, or follows what has become of the worker. */
void worker_process_read_signal(struct worker_process *p);

/* Between these two a signal interrupts what waits for a person, and is passed on afterwards. */
void worker_process_begin_to_ask(struct worker_process *p);
void worker_process_end_to_ask(struct worker_process *p);

/* Says by the control socket that nobody is interested any more, and waits for its end. */
void worker_process_wait(struct worker_process *p);

/* As the worker ended: its exit code, or the signal that killed it, which then kills this process.
 */
int worker_process_exit_code(const struct worker_process *p);
