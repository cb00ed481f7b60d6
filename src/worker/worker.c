/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recrypt-worker: one process, one volume, one job. Started by recryptctl with its own command
 * line, it asks for passphrases, does the job in the foreground, and stops between two hotzones
 * when it is asked to.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "util/checked.h"
#include "util/log.h"
#include "worker/jobs.h"
#include "worker/program.h"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction act = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &act, NULL) < 0)
			return -errno;
	act.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &act, NULL) < 0 ? -errno : 0;
}

/* Keys are in this process: no core dump, and no ptrace by the same user. */
static int protect_process(void)
{
	const struct rlimit none = {0, 0};

#ifndef __SANITIZE_ADDRESS__ /* its leak check traces the process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
#endif
	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

/*
 * Memory that was had once is kept: malloc must not go back to the kernel, and perhaps wait for
 * swap on the volume, while a range is frozen. OpenSSL allocates a little for each digest.
 */
static int keep_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* its malloc has no such options */
	if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_TRIM_THRESHOLD, -1))
		return -ENOMEM;
#endif
	return 0;
}

static int run(const struct options *o)
{
	switch (o->verb) {
	case VERB_REENCRYPT:
		return job_reencrypt(o, &stop);
	case VERB_RECOVER:
		return job_recover(o, &stop);
	case VERB_CANCEL:
		return job_cancel(o, &stop);
	case VERB_STATUS:
	case VERB_HELP:
	case VERB_VERSION:
		break;
	}
	return log_error_errno(-EINVAL, "recrypt-worker is started by recryptctl");
}

int main(int argc, char **argv)
{
	struct options o;
	int r;

	r = program_start(argc, argv, &o);
	if (r < 0)
		return exit_code(r);
	r = protect_process();
	if (r == 0)
		r = keep_memory();
	if (r == 0)
		r = catch_signals();
	if (r < 0)
		return exit_code(log_error_errno(r, "cannot set up the process"));
	return exit_code(run(&o));
}
