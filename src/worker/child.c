/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/child.h"

#include <assert.h>
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
	int in, out, stop; /* out: -1 without input, or when all was written */
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

/* Our own descriptors are all above those that the process gets, which replace what is there. */
static int hand_on_files(posix_spawn_file_actions_t *actions, int output, int input,
			 const struct luks_place *place)
{
	const struct {
		int ours, theirs;
	} files[] = {
		{output, CHILD_OUTPUT_FD},
		{input, CHILD_INPUT_FD},
		{place ? place->data.fd : -1, CHILD_DATA_FD},
		{place ? place->header.fd : -1, CHILD_HEADER_FD},
	};

	assert(output >= ABOVE && (input < 0 || input >= ABOVE));
	assert(!place || (place->data.fd >= ABOVE && place->header.fd >= ABOVE));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int e;

		if (files[i].ours < 0)
			continue;
		e = posix_spawn_file_actions_adddup2(actions, files[i].ours, files[i].theirs);
		if (e != 0)
			return -e;
	}
	return 0;
}

static int spawn_with(const char *const *argv, const posix_spawn_file_actions_t *actions,
		      pid_t *ret)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	int e = posix_spawnattr_init(&attributes);

	if (e != 0)
		return -e;
	(void)sigemptyset(&none);
	e = posix_spawnattr_setsigmask(&attributes, &none)
		    ?: posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK)
		    ?: posix_spawn(ret, "/proc/self/exe", actions, &attributes,
				   (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	return -e;
}

static int spawn(const char *const *argv, int output, int input, const struct luks_place *place,
		 pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return r;
	r = hand_on_files(&actions, output, input, place) ?: spawn_with(argv, &actions, ret);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* It has said all that it had to say. One that even a kill does not end at once is left behind. */
static void end_child(const char *const *argv, pid_t pid)
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
static int grow_answer(struct talk *t)
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
static int hear_child(struct talk *t)
{
	ssize_t n;
	int r = t->said && t->used < t->said->size ? 0 : grow_answer(t);

	if (r < 0)
		return r;
	assert(t->used < t->said->size); /* to read nothing is to see the end */
	n = read(t->in, t->said->data + t->used, t->said->size - t->used);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	t->used += (size_t)n;
	if (t->used > t->max)
		return -EFBIG;
	return n == 0;
}

/* A process that does not want its input says why on its output. */
static void tell_child(struct talk *t)
{
	ssize_t n;

	assert(t->input && t->written <= t->input->size);
	n = write(t->out, t->input->data + t->written, t->input->size - t->written);
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
			tell_child(t);
		if (n > 0 && p[0].revents)
			r = hear_child(t);
		if (r != 0)
			return MIN(r, 0);
		if (left == 0)
			return -ETIMEDOUT;
	}
}

/* The process, and the two pipes to talk to it through. */
static int start_child(const char *const *argv, const struct luks_place *place, struct talk *t,
		       pid_t *ret)
{
	_cleanup_close_ int output = -1, heard = -1, wanted = -1, told = -1;
	int r = make_pipe(&heard, &output);

	if (r < 0)
		return r;
	if (t->input) {
		r = make_pipe(&wanted, &told);
		if (r < 0)
			return r;
		if (fcntl(told, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	r = spawn(argv, output, wanted, place, ret);
	if (r < 0)
		return r;
	t->in = TAKE_FD(heard);
	t->out = TAKE_FD(told);
	return 0;
}

int child_run(const char *const *argv, const struct secret *input, const struct luks_place *place,
	      int stop_fd, uint64_t deadline, size_t said_max, struct secret **ret_said)
{
	struct talk t = {.in = -1, .out = -1, .stop = stop_fd, .input = input, .max = said_max};
	pid_t pid;
	int r;

	assert(argv[0] && argv[1]); /* the program and the verb */
	*ret_said = NULL;
	r = start_child(argv, place, &t, &pid);
	if (r < 0)
		return r;
	r = talk(&t, deadline);
	cleanup_close(&t.out);
	end_child(argv, pid);
	cleanup_close(&t.in);
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
