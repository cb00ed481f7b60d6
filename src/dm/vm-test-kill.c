/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "kill" lets a worker die before and after each of its device-mapper ioctls (this program's own
 * ioctl() stands before libc's), lets one that takes over die too, and takes over.
 */
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm/vm-test-stack.h"
#include "util/clock.h"

/* Counts down; the process dies before or after the ioctl at which it gets to 0. */
static int ioctls_to_live;
static bool die_after;

int ioctl(int fd, unsigned long request, ...)
{
	bool last = _IOC_TYPE(request) == DM_IOCTL && ioctls_to_live > 0 && --ioctls_to_live == 0;
	va_list ap;
	void *arg;
	long r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (last && !die_after)
		(void)kill(getpid(), SIGKILL);
	r = syscall(SYS_ioctl, fd, request, arg);
	if (last)
		(void)kill(getpid(), SIGKILL);
	return (int)r;
}

/* Bytes that are to be left for a life with everything in it. */
#define FULL_LIFE (6 * HOTZONE)

/*
 * One of each: converted, thawed while hot, given up and brought back, given up and converted,
 * frozen in vain. Near the end, what is left is converted.
 */
static void life(void)
{
	struct stack *s = take();

	if (shared->position.hotzone_size > 0)
		finish_hotzone(s);
	if (left() >= FULL_LIFE) {
		convert_one(s);
		convert_merged(s);
		begin_hotzone(s);
		must(stack_fail(s), "fail");
		must(stack_thaw(s, shared->position.boundary), "thaw a failed range");
		begin_hotzone(s);
		commit(true, shared->position.boundary);
		must(stack_fail(s), "fail");
		finish_hotzone(s);
		must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
		must(stack_thaw(s, shared->position.boundary), "thaw as it was");
	} else {
		while (left() >= HOTZONE)
			convert_one(s);
	}
	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
}

/* The same, in a process that dies at its @n-th ioctl. Returns whether it did. */
static bool life_until(int n, bool after)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		FATAL("fork: %m");
	if (pid == 0) {
		ioctls_to_live = n;
		die_after = after;
		life();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		FATAL("waitpid: %m");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		FATAL("a worker that was to die at ioctl %d ended with status %#x", n,
		      (unsigned)status);
	return true;
}

/* I/O goes on after all that: the writer gets something done. */
static void expect_progress(const char *when)
{
	const uint64_t from = shared->writes, start = now_usec();

	while (shared->writes < from + 20) {
		if (now_usec() > start + 30000000)
			FATAL("%s: the writer is stuck", when);
		(void)usleep(1000);
	}
}

void run_kill(void)
{
	const unsigned seed = (unsigned)getpid() ^ (unsigned)now_usec();
	pid_t writer;
	int n = 1, deaths = 0;

	printf("seed %u\n", seed);
	srandom(seed);
	fill_volume();
	writer = start_writer(seed);
	for (bool after = false;;) {
		char when[128];
		int second = 1 + (int)(random() % 30);
		/* Only one of those that do everything tells that there is no further ioctl. */
		bool full = left() >= FULL_LIFE;
		bool died = life_until(n, after);

		(void)snprintf(when, sizeof(when), "killed %s ioctl %d, then at %d",
			       after ? "after" : "before", n, second);
		deaths += died;
		if (died)
			deaths += life_until(second, random() % 2);
		life();
		expect_progress(when);
		if (shared->position.hotzone_size != 0)
			FATAL("%s: the hotzone was not finished", when);
		turn_around_at_end();
		if (!died && !full)
			continue;
		if (!died && after)
			break;
		n += after;
		after = !after;
	}
	stop_writer(writer);
	check_volume("at the end");
	printf("%d deaths at %d ioctls, %ju writes, %ju answered EIO\n", deaths, n - 1,
	       (uintmax_t)shared->writes, (uintmax_t)shared->errors);
	if (n < 60)
		FATAL("a life has more than 60 ioctls");
}
