/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/worker-process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/exit-code.h"
#include "util/log.h"

#define ARGUMENTS_MAX 16

/* What is passed on to the worker. SIGTSTP and the like stop this process when the worker stops. */
static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
				SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

/* What ends the wait for a person. */
static const int interrupting[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};

static sigset_t set_of(const int *signals, size_t n)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, signals[i]);
	return set;
}

static sigset_t taken_signals(void)
{
	sigset_t set = set_of(passed_on, ARRAY_SIZE(passed_on));

	(void)sigaddset(&set, SIGCHLD);
	return set;
}

static void change_mask(int how, int signal)
{
	const sigset_t set = set_of(&signal, 1);

	(void)sigprocmask(how, &set, NULL);
}

/* --- starting --- */

/* recrypt-worker serve ...; texts are not copied, but for those that are made of numbers. */
struct worker_arguments {
	size_t n;
	bool failed; /* no memory */
	char *argv[ARGUMENTS_MAX + 1];
};

static void arguments_clear(struct worker_arguments *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->argv[i]);
}

static void __attribute__((format(printf, 2, 3)))
add_argument(struct worker_arguments *a, const char *format, ...)
{
	va_list ap;

	assert(a->n < ARGUMENTS_MAX);
	va_start(ap, format);
	if (vasprintf(&a->argv[a->n], format, ap) < 0)
		a->failed = true;
	else
		a->n++;
	va_end(ap);
}

static void add_target(struct worker_arguments *a, const struct target_options *t)
{
	if (t->header)
		add_argument(a, "--header=%s", t->header);
	if (t->active_name)
		add_argument(a, "--active-name=%s", t->active_name);
	if (t->device_size > 0)
		add_argument(a, "--device-size=%" PRIu64, t->device_size);
	if (t->allow_shared)
		add_argument(a, "--allow-shared-files");
}

static void add_costs(struct worker_arguments *a, const struct options *o)
{
	add_argument(a, "--threads=%" PRIu32, o->pace.threads);
	add_argument(a, "--key-timeout=%u", o->derive.timeout);
	add_argument(a, "--key-memory-max=%" PRIu64, o->derive.memory_max);
	add_argument(a, "--key-cost-max=%" PRIu32, o->derive.cost_max);
}

static int make_arguments(const struct options *o, int control_fd, struct worker_arguments *ret)
{
	add_argument(ret, "recrypt-worker");
	add_argument(ret, "serve");
	add_argument(ret, "--foreground");
	add_argument(ret, "--control-fd=%d", control_fd);
	if (o->output.debug)
		add_argument(ret, "--debug");
	else if (o->output.verbose)
		add_argument(ret, "--verbose");
	add_target(ret, &o->target);
	add_costs(ret, o);
	if (o->target.device) {
		add_argument(ret, "--");
		add_argument(ret, "%s", o->target.device);
	}
	return ret->failed ? -ENOMEM : 0;
}

static int tell_not_started(const char *path, int error)
{
	return log_error_errno(error, "%s: cannot be started", path);
}

/* What is typed or piped in is for recryptctl, which also writes what is printed. */
static void leave_streams(void)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)dup2(fd, STDIN_FILENO);
	(void)dup2(fd, STDOUT_FILENO);
}

static void __attribute__((noreturn))
become_worker(const char *path, char **argv, int fd, const sigset_t *mask)
{
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	leave_streams();
	if (fcntl(fd, F_SETFD, 0) >= 0)
		(void)execv(path, argv);
	_exit(exit_code(tell_not_started(path, -errno)));
}

static int fork_worker(const char *path, char **argv, int control_fd, struct worker_process *p)
{
	const sigset_t set = taken_signals();
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t mask;

	(void)fflush(stdout);
	/* One that is ignored would be reaped by the kernel, and its exit code lost. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, &set, &mask);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (p->signal_fd < 0)
		return -errno;
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid == 0)
		become_worker(path, argv, control_fd, &mask);
	/* Where nobody reads the progress, nobody misses it. */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	return 0;
}

static int start(const struct options *o, const char *path, struct worker_process *p)
{
	_cleanup_(arguments_clear) struct worker_arguments a = {};
	_cleanup_close_ int theirs = -1;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	p->control_fd = fds[0];
	theirs = fds[1];
	r = make_arguments(o, theirs, &a);
	return r < 0 ? r : fork_worker(path, a.argv, theirs, p);
}

int worker_process_start(const struct options *o, struct worker_process *ret)
{
	char path[PATH_MAX];
	int r = program_find_worker(path, sizeof(path));

	if (r < 0)
		return tell_not_started(path, r);
	r = start(o, path, ret);
	return r < 0 ? tell_not_started(path, r) : 0;
}

/* --- signals --- */

/* As the worker has stopped: the shell sees that the job did, and continues both. */
static void stop_by(int signal)
{
	(void)raise(signal);
	change_mask(SIG_UNBLOCK, signal); /* returns after SIGCONT */
	change_mask(SIG_BLOCK, signal);
}

/* A SIGSTOP is for the worker alone: a job is stopped by other signals. */
static void follow(struct worker_process *p)
{
	int status;

	while (!p->ended && waitpid(p->pid, &status, WNOHANG | WUNTRACED) == p->pid) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			p->ended = true;
			p->status = status;
		} else if (WSTOPSIG(status) != SIGSTOP) {
			stop_by(WSTOPSIG(status));
		}
	}
}

/* Keys at the terminal signal the whole group: the worker has got it by itself. */
static bool is_of_terminal(const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return info->ssi_code == SI_KERNEL;
	default:
		return false; /* SIGHUP is for the leader of the session, which this may be */
	}
}

static void pass_on(const struct worker_process *p, int signal)
{
	if (!p->ended)
		(void)kill(p->pid, signal);
}

void worker_process_read_signal(struct worker_process *p)
{
	struct signalfd_siginfo info;

	if (read(p->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		follow(p);
	else if (!is_of_terminal(&info))
		pass_on(p, (int)info.ssi_signo);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	if (signal != SIGCHLD)
		interrupted = signal;
}

/* The death of the worker interrupts as well, but not that it is stopped, as this process is. */
void worker_process_begin_to_ask(struct worker_process *p)
{
	const struct sigaction note = {.sa_handler = on_interrupt, .sa_flags = SA_NOCLDSTOP};
	const sigset_t set = taken_signals();

	(void)p;
	interrupted = 0;
	for (size_t i = 0; i < ARRAY_SIZE(interrupting); i++)
		(void)sigaction(interrupting[i], &note, NULL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void worker_process_end_to_ask(struct worker_process *p)
{
	const struct sigaction none = {.sa_handler = SIG_DFL};
	const sigset_t set = taken_signals();

	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(interrupting); i++)
		(void)sigaction(interrupting[i], &none, NULL);
	if (interrupted)
		pass_on(p, interrupted);
	follow(p);
}

/* --- the end --- */

void worker_process_wait(struct worker_process *p)
{
	if (p->control_fd >= 0)
		(void)close(TAKE_FD(p->control_fd));
	while (p->pid > 0 && !p->ended)
		worker_process_read_signal(p);
	if (p->signal_fd >= 0)
		(void)close(TAKE_FD(p->signal_fd));
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

int worker_process_exit_code(const struct worker_process *p)
{
	assert(p->ended);
	if (WIFSIGNALED(p->status))
		die_of(WTERMSIG(p->status));
	return WEXITSTATUS(p->status);
}
