/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/agent.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"

#define AGENT          "pkttyagent"
#define READY_MSEC     10000 /* a bus that is slower than this has other troubles */
#define FD_TEXT        16
#define EXIT_NOT_FOUND 127

/* It asks at the terminal, whatever standard input and output are. */
static void become_agent(int notify_fd)
{
	char fd[FD_TEXT];

	assert(notify_fd > STDERR_FILENO);
	(void)snprintf(fd, sizeof(fd), "%d", notify_fd);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && fcntl(notify_fd, F_SETFD, 0) == 0)
		(void)execlp(AGENT, AGENT, "--fallback", "--notify-fd", fd, (char *)NULL);
	_exit(EXIT_NOT_FOUND);
}

/* The end of the pipe is closed when polkit knows the agent, and when the agent ends. */
static void wait_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	do {
		n = poll(&p, 1, READY_MSEC);
	} while (n < 0 && errno == EINTR);
}

pid_t agent_start(void)
{
	_cleanup_close_ int read_end = -1, write_end = -1;
	int pair[2];
	pid_t pid;

	if (geteuid() == 0 || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return 0;
	read_end = pair[0];
	write_end = pair[1];
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_agent(write_end);
	if (pid < 0)
		return 0;
	(void)close(TAKE_FD(write_end));
	wait_ready(read_end);
	return pid;
}

void agent_stop(pid_t agent)
{
	assert(agent >= 0); /* kill(2) takes a negative number for a group of processes */
	if (agent <= 0)
		return;
	(void)kill(agent, SIGTERM);
	(void)kill(agent, SIGCONT); /* it may be stopped: it reads from the terminal */
	while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
		;
}
