/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "worker/child.h"
#include "cli/program.h"
#include "worker/read-file.h"

#define WORKER_CONTROL_FD 3
#define WORKER_ARGS_MAX   14

/* One descriptor is handed to the process, whatever it is for. */
_Static_assert(WORKER_CONTROL_FD == CHILD_OUTPUT_FD, "a worker has one descriptor of ours");

extern char **environ;

/* What systemd told us is not for the worker: it has neither our fds nor our watchdog. */
static char **worker_environment(void)
{
	static const char *const ours[] = {"LISTEN_FDS=",    "LISTEN_PID=",   "LISTEN_FDNAMES=",
					   "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC="};
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	for (size_t i = 0; env && i < n; i++) {
		bool drop = false;

		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			drop = drop || strncmp(environ[i], ours[k], strlen(ours[k])) == 0;
		if (!drop)
			env[kept++] = environ[i];
	}
	return env;
}

/* All signals as at the start of a program: the loop blocks some. */
static int default_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = -posix_spawnattr_setsigmask(attr, &none);
	if (r < 0)
		return r;
	r = -posix_spawnattr_setsigdefault(attr, &all);
	if (r < 0)
		return r;
	return -posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						       POSIX_SPAWN_SETSID);
}

/* A program to start, with its arguments and its environment. */
struct spawn_program {
	const char *path;
	char *const *argv, *const *env;
	int fd; /* the one descriptor of ours that the process gets */
};

static int spawn_with(const struct spawn_program *p, posix_spawn_file_actions_t *actions,
		      posix_spawnattr_t *attr, pid_t *ret)
{
	int r = default_signals(attr);

	if (r < 0)
		return r;
	/* Also where the two are the same: close-on-exec goes. */
	r = -posix_spawn_file_actions_adddup2(actions, p->fd, WORKER_CONTROL_FD);
	return r < 0 ? r : -posix_spawn(ret, p->path, actions, attr, p->argv, p->env);
}

static int spawn_with_actions(const struct spawn_program *p, posix_spawn_file_actions_t *actions,
			      pid_t *ret)
{
	posix_spawnattr_t attr;
	int r = -posix_spawnattr_init(&attr);

	if (r < 0)
		return r;
	r = spawn_with(p, actions, &attr, ret);
	(void)posix_spawnattr_destroy(&attr);
	return r;
}

static int spawn_process(const char *path, char *const *argv, int fd, pid_t *ret)
{
	_cleanup_free_ char **env = worker_environment();
	const struct spawn_program p = {.path = path, .argv = argv, .env = env, .fd = fd};
	posix_spawn_file_actions_t actions;
	int r;

	assert(fd > STDERR_FILENO);
	if (!env)
		return -ENOMEM;
	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	r = spawn_with_actions(&p, &actions, ret);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

struct spawn_arguments {
	size_t n;
	int error; /* the first failure; nothing is added after it */
	char *argv[WORKER_ARGS_MAX + 1];
};

static void arguments_clear(struct spawn_arguments *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->argv[i]);
}

static void __attribute__((format(printf, 2, 3)))
add_argument(struct spawn_arguments *a, const char *format, ...)
{
	va_list ap;

	assert(a->n < WORKER_ARGS_MAX);
	if (a->error < 0)
		return;
	va_start(ap, format);
	if (vasprintf(&a->argv[a->n], format, ap) < 0) {
		a->argv[a->n] = NULL;
		a->error = -ENOMEM;
	} else {
		a->n++;
	}
	va_end(ap);
}

static int spawn_serving(const struct worker_spec *spec, const char *path, int control_fd,
			 pid_t *ret)
{
	_cleanup_(arguments_clear) struct spawn_arguments a = {};

	add_argument(&a, "recrypt-worker");
	add_argument(&a, "serve");
	add_argument(&a, "--control-fd=%d", WORKER_CONTROL_FD);
	if (spec->header_device && *spec->header_device)
		add_argument(&a, "--header=%s", spec->header_device);
	if (spec->name && *spec->name)
		add_argument(&a, "--active-name=%s", spec->name);
	if (spec->threads > 0)
		add_argument(&a, "--threads=%u", spec->threads);
	if (spec->key_timeout_usec > 0)
		add_argument(&a, "--key-timeout=%" PRIu64,
			     (spec->key_timeout_usec + 999999) / 1000000);
	if (spec->key_memory_max > 0)
		add_argument(&a, "--key-memory-max=%" PRIu64, spec->key_memory_max);
	if (spec->key_cost_max > 0)
		add_argument(&a, "--key-cost-max=%" PRIu32, spec->key_cost_max);
	if (spec->allow_shared_files)
		add_argument(&a, "--allow-shared-files");
	if (log_level() >= LOG_DEBUG)
		add_argument(&a, "--debug");
	else if (spec->quiet)
		add_argument(&a, "--quiet");
	add_argument(&a, "--");
	add_argument(&a, "%s", spec->device);
	return a.error < 0 ? a.error : spawn_process(path, a.argv, control_fd, ret);
}

static int on_exit_of_worker(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	siginfo_t info = {};

	(void)events;
	(void)userdata;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	if (info.si_code != CLD_EXITED)
		log_warning("worker %d was killed by signal %d (SIG%s)", (int)info.si_pid,
			    info.si_status, sigabbrev_np(info.si_status));
	else if (info.si_status != 0)
		log_warning("worker %d failed with exit code %d", (int)info.si_pid, info.si_status);
	(void)sd_event_source_set_floating(s, 0); /* the loop's reference was the last */
	return 0;
}

static int watch_process(sd_event *event, pid_t pid, int *ret_pidfd)
{
	_cleanup_(sd_event_source_unrefp) sd_event_source *s = NULL;
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0), copy = -1;
	int r;

	if (fd < 0)
		return -errno;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	r = sd_event_add_io(event, &s, fd, EPOLLIN, on_exit_of_worker, NULL);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(s, 1);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	r = sd_event_source_set_floating(s, 1);
	if (r < 0)
		return r;
	*ret_pidfd = TAKE_FD(copy);
	return 0;
}

int spawn_worker(sd_event *event, const struct worker_spec *spec, int *ret_control_fd,
		 int *ret_pidfd)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	char path[PATH_MAX];
	int pair[2], r;
	pid_t pid;

	r = program_find_worker(path, sizeof(path));
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	r = spawn_serving(spec, path, theirs, &pid);
	if (r < 0)
		return log_error_errno(r, "%s: cannot be started", path);
	r = watch_process(event, pid, ret_pidfd);
	if (r < 0)
		return log_error_errno(r, "worker %d cannot be watched", (int)pid);
	*ret_control_fd = TAKE_FD(ours);
	return 0;
}

int spawn_file_reader(sd_event *event, const char *file, int *ret_fd, int *ret_pidfd)
{
	_cleanup_(arguments_clear) struct spawn_arguments a = {};
	_cleanup_close_ int ours = -1, theirs = -1;
	char path[PATH_MAX];
	int ends[2], r;
	pid_t pid;

	r = program_find_worker(path, sizeof(path));
	if (r < 0)
		return r;
	add_argument(&a, "recrypt-worker");
	add_argument(&a, READ_FILE_VERB);
	add_argument(&a, "%s", file);
	if (a.error < 0)
		return a.error;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	if (fcntl(theirs, F_SETFL, 0) < 0)
		return -errno;
	r = spawn_process(path, a.argv, theirs, &pid);
	if (r < 0)
		return log_error_errno(r, "%s: cannot be started", path);
	r = watch_process(event, pid, ret_pidfd);
	if (r < 0)
		return log_error_errno(r, "process %d cannot be watched", (int)pid);
	*ret_fd = TAKE_FD(ours);
	return 0;
}
