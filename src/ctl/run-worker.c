/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *     keys at the terminal --- signals to the group ---> recryptctl, recrypt-worker
 *     kill, systemd, hangup -- signals to recryptctl --> recryptctl --> recrypt-worker
 *                              recryptctl dies           the socket closes: SIGTERM
 *
 * recryptctl obeys no signal by itself. It ends and stops when the worker has done so.
 */
#include "ctl/run-worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/exit-code.h"
#include "util/log.h"

/* What is passed on to the worker. SIGTSTP and the like stop this process when the worker stops. */
static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
				SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

static sigset_t set_of(const int *signals, size_t n)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, signals[i]);
	return set;
}

static void change_mask(int how, int signal)
{
	const sigset_t set = set_of(&signal, 1);

	(void)sigprocmask(how, &set, NULL);
}

/* recrypt-worker PROGRAM_ATTACHED FD VERB [OPTION...]; the caller's to free, not deep. */
static char **worker_arguments(char **argv, char *fd)
{
	static char attached[] = PROGRAM_ATTACHED;
	size_t n = 0;
	char **arguments;

	while (argv[n])
		n++;
	arguments = calloc(n + 3, sizeof(*arguments));
	if (!arguments)
		return NULL;
	arguments[0] = argv[0];
	arguments[1] = attached;
	arguments[2] = fd;
	memcpy(&arguments[3], &argv[1], n * sizeof(*arguments)); /* and the NULL */
	return arguments;
}

static int tell_not_started(const char *path, int error)
{
	return log_error_errno(error, "%s: cannot be started", path);
}

static void __attribute__((noreturn))
become_worker(const char *path, char **arguments, int fd, const sigset_t *mask)
{
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	if (fcntl(fd, F_SETFD, 0) >= 0)
		(void)execv(path, arguments);
	_exit(exit_code(tell_not_started(path, -errno)));
}

/* As the worker has stopped: the shell sees that the job did, and continues both. */
static void stop_by(int signal)
{
	(void)raise(signal);
	change_mask(SIG_UNBLOCK, signal); /* returns after SIGCONT */
	change_mask(SIG_BLOCK, signal);
}

/* For the shell the job was killed by a signal. The worker has left a core dump, or none. */
static void __attribute__((noreturn)) die_of(int number)
{
	const struct rlimit none = {};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
	change_mask(SIG_UNBLOCK, number);
	_exit(128 + number);
}

/* A SIGSTOP is for the worker alone: a job is stopped by other signals. */
static void follow_worker(pid_t worker)
{
	int status;

	while (waitpid(worker, &status, WNOHANG | WUNTRACED) == worker) {
		if (WIFEXITED(status))
			exit(WEXITSTATUS(status));
		if (WIFSIGNALED(status))
			die_of(WTERMSIG(status));
		if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGSTOP)
			stop_by(WSTOPSIG(status));
	}
}

/* Keys at the terminal signal the whole group: the worker has got it by itself. */
static bool is_of_terminal(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return info->si_code == SI_KERNEL;
	default:
		return false; /* SIGHUP is for the leader of the session, which this may be */
	}
}

static void __attribute__((noreturn)) serve_worker(pid_t worker, const sigset_t *set)
{
	siginfo_t info;

	for (;;) {
		const int number = sigwaitinfo(set, &info);

		if (number == SIGCHLD)
			follow_worker(worker);
		else if (number > 0 && !is_of_terminal(&info))
			(void)kill(worker, number);
	}
}

static int start_worker(const char *path, char **argv, const sigset_t *set)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	_cleanup_free_ char **arguments = NULL;
	int fds[2];
	char number[12];
	sigset_t mask;
	pid_t worker;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	(void)snprintf(number, sizeof(number), "%d", theirs);
	arguments = worker_arguments(argv, number);
	if (!arguments)
		return -ENOMEM;
	(void)fflush(stdout);
	/* One that is ignored would be reaped by the kernel, and its exit code lost. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, set, &mask);
	worker = fork();
	if (worker < 0)
		return -errno;
	if (worker == 0)
		become_worker(path, arguments, theirs, &mask);
	(void)close(TAKE_FD(theirs));
	serve_worker(worker, set);
}

int run_worker(char **argv)
{
	sigset_t set = set_of(passed_on, ARRAY_SIZE(passed_on));
	char path[PATH_MAX];
	int r = program_find_worker(path, sizeof(path));

	(void)sigaddset(&set, SIGCHLD);
	return tell_not_started(path, r < 0 ? r : start_worker(path, argv, &set));
}
