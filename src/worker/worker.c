/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recrypt-worker: one process, one volume. Started by recryptctl with its own command line, it asks
 * for passphrases, does one job in the foreground, and stops between two hotzones when it is asked
 * to, or recryptctl dies. Started by recryptd it does what that asks for, see service.h, provider.h
 * and read-file.h.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/exit-code.h"
#include "util/io.h"
#include "util/log.h"
#include "worker/derive.h"
#include "worker/desk-terminal.h"
#include "worker/parent.h"
#include "worker/process.h"
#include "cli/program.h"
#include "worker/provider.h"
#include "worker/read-file.h"
#include "worker/service.h"

static volatile sig_atomic_t stop;
static int stop_fd = -1; /* readable when @stop is set */

static void on_signal(int signal)
{
	const int saved = errno;
	const uint64_t one = 1;

	if (signal == SIGTERM)
		process_outlive_final_kill();
	stop = 1;
	(void)!write(stop_fd, &one, sizeof(one));
	errno = saved;
}

static int catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction act = {.sa_handler = on_signal};

	assert(stop_fd < 0);
	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &act, NULL) < 0)
			return -errno;
	act.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &act, NULL) < 0 ? -errno : 0;
}

/* @parent_fd: of PROGRAM_ATTACHED, or -1. */
static int set_up_process(int parent_fd)
{
	int r = process_protect();

	if (r < 0)
		return r;
	r = catch_signals();
	return r < 0 || parent_fd < 0 ? r : parent_watch(parent_fd);
}

/* recrypt-worker PROGRAM_ATTACHED FD, before all that recryptctl was given. */
static int take_parent_fd(int *argc, char ***argv)
{
	char *program = (*argv)[0];
	int fd;

	if (*argc < 3 || strcmp((*argv)[1], PROGRAM_ATTACHED) != 0)
		return -1;
	fd = atoi((*argv)[2]); /* what is none cannot be watched */
	*argc -= 2;
	*argv += 2;
	(*argv)[0] = program;
	return fd < 0 ? INT_MAX : fd;
}

static int run_verb(const struct options *o)
{
	switch (o->verb) {
	case VERB_REENCRYPT:
		return terminal_work(o, &stop, work_reencrypt);
	case VERB_RECOVER:
		return terminal_work(o, &stop, work_recover);
	case VERB_CANCEL:
		return terminal_work(o, &stop, work_cancel);
	case VERB_STATUS:
	case VERB_HELP:
	case VERB_VERSION:
	case VERB_LIST:
	case VERB_ROTATE:
	case VERB_SUSPEND:
	case VERB_RESUME:
	case VERB_RATE:
	case VERB_UNLOCK:
	case VERB_LOCK:
	case VERB_ACCEPT:
	case VERB_KEYS:
	case VERB_CHECK:
	case VERB_MONITOR:
	case VERB_WAIT:
	case VERB_ADD:
	case VERB_REMOVE:
		break;
	}
	return log_error_errno(-EINVAL, "recrypt-worker is started by recryptctl");
}

int main(int argc, char **argv)
{
	struct options o;
	int parent_fd, r;

	if (open_standard_streams() < 0)
		return EXIT_FAILURE;
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return exit_code(service_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], PROVIDER_VERB) == 0)
		return exit_code(provider_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], DERIVE_VERB) == 0)
		return exit_code(derive_main());
	if (argc > 1 && strcmp(argv[1], READ_FILE_VERB) == 0)
		return exit_code(read_file_main(argc - 1, argv + 1));
	parent_fd = take_parent_fd(&argc, &argv);
	r = program_start(argc, argv, &o);
	if (r < 0)
		return exit_code(r);
	r = set_up_process(parent_fd);
	if (r < 0)
		return exit_code(log_error_errno(r, "cannot set up the process"));
	derive_set_up(&(struct luks_cost_limits){o.derive.memory_max, o.derive.cost_max},
		      o.derive.timeout * UINT64_C(1000000), stop_fd);
	r = run_verb(&o);
	(void)close(TAKE_FD(stop_fd));
	return exit_code(r);
}
