/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * While the echo is off, signals only leave a note. The terminal is put right first, and then the
 * signal is raised again for whoever handles it: it ends the process, or stops it, or returns here.
 */
#include "cli/terminal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/clock.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static volatile sig_atomic_t noted_signal;

static void note_signal(int signal)
{
	noted_signal = signal;
}

struct session {
	int fd;
	bool echo;
	struct termios before;
	sigset_t mask;
	struct sigaction actions[ARRAY_SIZE(caught)];
};

static void stop_session(struct session *s)
{
	(void)tcsetattr(s->fd, TCSAFLUSH, &s->before);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		(void)sigaction(caught[i], &s->actions[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

/* The signals are blocked except in ppoll(), so none slips in between a look and a wait. */
static int start_session(struct session *s)
{
	const struct sigaction note = {.sa_handler = note_signal};
	struct termios quiet;
	sigset_t block;

	if (tcgetattr(s->fd, &s->before) < 0)
		return -errno;
	quiet = s->before;
	if (!s->echo)
		quiet.c_lflag &= ~(tcflag_t)ECHO;
	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&block, caught[i]);
	noted_signal = 0;
	if (sigprocmask(SIG_BLOCK, &block, &s->mask) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		(void)sigaction(caught[i], &note, &s->actions[i]);
	if (tcsetattr(s->fd, TCSAFLUSH, &quiet) < 0) {
		int r = -errno;

		stop_session(s);
		return r;
	}
	return 0;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* @deadline in microseconds on the monotonic clock, 0: none. */
static int wait_readable(const struct session *s, uint64_t deadline)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	uint64_t now = now_usec();
	uint64_t left = deadline > now ? deadline - now : 0;
	const struct timespec timeout = {.tv_sec = (time_t)(left / 1000000),
					 .tv_nsec = (long)(left % 1000000 * 1000)};
	int r = ppoll(&p, 1, deadline ? &timeout : NULL, &s->mask);

	if (r < 0)
		return -errno;
	return r == 0 ? -ETIME : 0;
}

/* The terminal gives whole lines; byte by byte nothing of the next one is taken. */
static int read_line(const struct session *s, uint64_t deadline, struct secret *line)
{
	size_t n = 0;

	for (;;) {
		ssize_t got;
		int r = wait_readable(s, deadline);

		if (r < 0)
			return r;
		assert(n <= line->size);
		if (n == line->size)
			return -E2BIG;
		got = read(s->fd, line->data + n, 1);
		if (got < 0)
			return -errno;
		if (got == 0 || line->data[n] == '\n')
			break;
		n++;
	}
	secret_truncate(line, n);
	return 0;
}

static int prompt_for_line(const struct session *s, const char *prompt, uint64_t deadline,
			   struct secret *line)
{
	int r = write_all(s->fd, prompt);

	return r < 0 ? r : read_line(s, deadline, line);
}

static int ask_once(struct session *s, const char *prompt, uint64_t deadline, struct secret *line)
{
	int r;

	r = start_session(s);
	if (r < 0)
		return r;
	r = prompt_for_line(s, prompt, deadline, line);
	stop_session(s);
	if (!s->echo)
		(void)write_all(s->fd, "\n");
	if (noted_signal)
		(void)raise(noted_signal);
	return r;
}

static int ask_at_terminal(const char *prompt, unsigned timeout, bool echo, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *line = NULL;
	_cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct session s = {.fd = fd, .echo = echo};
	uint64_t deadline = timeout ? now_usec() + timeout * UINT64_C(1000000) : 0;
	int r;

	if (fd < 0)
		return -ENOTTY;
	r = secret_new(TERMINAL_LINE_MAX + 1, &line);
	if (r < 0)
		return r;
	do {
		r = ask_once(&s, prompt, deadline, line);
	} while (r == -EINTR && noted_signal == SIGTSTP);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(line);
	return 0;
}

int terminal_read(const char *prompt, unsigned timeout, struct secret **ret)
{
	return ask_at_terminal(prompt, timeout, false, ret);
}

int terminal_confirm(const char *question, bool *ret)
{
	_cleanup_(secret_freep) struct secret *line = NULL;
	char prompt[1024];
	int r;

	(void)snprintf(prompt, sizeof(prompt),
		       "%s\nAre you sure? (Type 'yes' in capital letters): ", question);
	r = ask_at_terminal(prompt, 0, true, &line);
	if (r < 0)
		return r;
	*ret = line->size == 3 && memcmp(line->data, "YES", 3) == 0;
	return 0;
}
