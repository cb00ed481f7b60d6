/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/process.h"

#define FIRST_SIZE 4096        /* bytes of an answer; most are smaller */
#define ABOVE      FILE_FD_MIN /* descriptors of ours are not those of the process */

extern char **environ;

struct talk {
	int in, out, stop; /* out: -1 when all was written */
	const struct secret *input;
	size_t written;
	struct secret *said;
	size_t used, max;
};

static int make_pipe(int *ret_read, int *ret_write)
{
	int pair[2], r = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fcntl(pair[0], F_DUPFD_CLOEXEC, ABOVE);
	*ret_write = fcntl(pair[1], F_DUPFD_CLOEXEC, ABOVE);
	if (*ret_read < 0 || *ret_write < 0)
		r = -errno;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return r;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int output,
		  int input, const struct luks_place *place)
{
	sigset_t none;
	int e = posix_spawn_file_actions_adddup2(actions, output, CHILD_OUTPUT_FD);

	if (e == 0 && input >= 0)
		e = posix_spawn_file_actions_adddup2(actions, input, CHILD_INPUT_FD);
	if (e == 0 && place)
		e = posix_spawn_file_actions_adddup2(actions, place->data.fd, CHILD_DATA_FD);
	if (e == 0 && place)
		e = posix_spawn_file_actions_adddup2(actions, place->header.fd, CHILD_HEADER_FD);
	(void)sigemptyset(&none);
	if (e == 0)
		e = posix_spawnattr_setsigmask(attributes, &none);
	if (e == 0)
		e = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
	return -e;
}

static int spawn(const char *const *argv, int output, int input, const struct luks_place *place,
		 pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return r;
	r = -posix_spawnattr_init(&attributes);
	if (r < 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	r = set_up(&actions, &attributes, output, input, place);
	if (r == 0)
		r = -posix_spawn(ret, "/proc/self/exe", &actions, &attributes,
				 (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* It has said all that it had to say. One that even a kill does not end at once is left behind. */
static void end(const char *const *argv, pid_t pid)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

	(void)kill(pid, SIGKILL);
	if (p.fd >= 0 && poll(&p, 1, 1000) == 0)
		log_warning("process %d (%s %s) cannot be ended", (int)pid, argv[0], argv[1]);
	else
		(void)waitpid(pid, NULL, 0);
	cleanup_close(&p.fd);
}

/* More room, with what there is so far. */
static int grow(struct talk *t)
{
	struct secret *larger;
	int r = secret_new(t->said ? t->said->size * 2 : FIRST_SIZE, &larger);

	if (r < 0)
		return r;
	if (t->said)
		memcpy(larger->data, t->said->data, t->used);
	secret_free(t->said);
	t->said = larger;
	return 0;
}

/* 1: the process has closed its output. */
static int hear(struct talk *t)
{
	ssize_t n;
	int r = t->said && t->used < t->said->size ? 0 : grow(t);

	if (r < 0)
		return r;
	n = read(t->in, t->said->data + t->used, t->said->size - t->used);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	t->used += (size_t)n;
	if (t->used > t->max)
		return -EFBIG;
	return n == 0;
}

/* A process that does not want its input says why on its output. */
static void tell(struct talk *t)
{
	const ssize_t n = write(t->out, t->input->data + t->written, t->input->size - t->written);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	t->written += n > 0 ? (size_t)n : 0;
	if (n < 0 || t->written == t->input->size)
		(void)close(TAKE_FD(t->out));
}

static int talk(struct talk *t, uint64_t deadline)
{
	for (;;) {
		struct pollfd p[] = {{.fd = t->in, .events = POLLIN},
				     {.fd = t->stop, .events = POLLIN},
				     {.fd = t->out, .events = POLLOUT}};
		const uint64_t now = now_usec();
		const uint64_t left = now < deadline ? (deadline - now + 999) / 1000 : 0;
		const int n = poll(p, ARRAY_SIZE(p), (int)MIN(left, UINT64_C(1000000)));
		int r = 0;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents)
			return -ECANCELED;
		if (n > 0 && p[2].revents)
			tell(t);
		if (n > 0 && p[0].revents)
			r = hear(t);
		if (r != 0)
			return MIN(r, 0);
		if (left == 0)
			return -ETIMEDOUT;
	}
}

int child_run(const char *const *argv, const struct secret *input, const struct luks_place *place,
	      int stop_fd, uint64_t deadline, size_t said_max, struct secret **ret_said)
{
	_cleanup_close_ int output = -1, heard = -1, wanted = -1, told = -1;
	struct talk t = {.stop = stop_fd, .input = input, .max = said_max};
	pid_t pid;
	int r = make_pipe(&heard, &output);

	*ret_said = NULL;
	if (r == 0 && input)
		r = make_pipe(&wanted, &told);
	if (r == 0 && input && fcntl(told, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		r = spawn(argv, output, wanted, place, &pid);
	if (r < 0)
		return r;
	(void)close(TAKE_FD(output));
	if (input)
		(void)close(TAKE_FD(wanted));
	t.in = heard;
	t.out = TAKE_FD(told);
	r = talk(&t, deadline);
	cleanup_close(&t.out);
	end(argv, pid);
	if (t.said && t.used > 0) {
		secret_truncate(t.said, t.used);
		*ret_said = TAKE_PTR(t.said);
	}
	secret_free(t.said);
	return r;
}

/* It died before it could be asked to take us with it: nobody reads our output. */
static bool parent_is_gone(void)
{
	struct pollfd p = {.fd = CHILD_OUTPUT_FD};

	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

/* A stop is the parent's to notice; the terminal sends its signals to both. */
static void leave_signals_to_parent(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)signal(signals[i], SIG_IGN);
}

int child_protect(void)
{
	int r;

	leave_signals_to_parent();
	/* Of the thread that waits for us; it does so to our end. */
	r = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : process_protect();
	if (r < 0)
		return log_error_errno(r, "cannot set up the process");
	if (parent_is_gone())
		return -ESRCH;
	return process_be_expendable();
}

int child_say(const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		const ssize_t n = write(CHILD_OUTPUT_FD, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}
