/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/file-reader.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/workers/spawn.h"
#include "util/checked.h"
#include "worker/read-file.h"

#define ANSWER_MAX (sizeof(struct read_file_frame) + READ_FILE_MAX)

struct file_reader {
	struct file_reading by;
	char *path;
	int fd, pidfd; /* of the process; -1: none, or closed */
	sd_event_source *answer, *limit;
	char *said; /* ANSWER_MAX bytes and one more */
	size_t used;
	file_reader_done_t done;
	void *userdata;
};

static void stop_waiting(struct file_reader *f)
{
	f->answer = sd_event_source_disable_unref(f->answer);
	f->limit = sd_event_source_disable_unref(f->limit);
}

/* It only reads, and may be in a system call that a dead server would have to end. */
static void kill_process(struct file_reader *f)
{
	if (f->pidfd >= 0 && syscall(SYS_pidfd_send_signal, f->pidfd, SIGKILL, NULL, 0) == 0)
		stuck_add(f->by.stuck, f->by.event, TAKE_FD(f->pidfd));
}

static void fail(struct file_reader *f, int error, const char *reason)
{
	assert(error < 0 && f->answer);
	stop_waiting(f);
	kill_process(f);
	f->done(f->userdata,
		&(struct file_answer){.path = f->path, .error = error, .reason = reason});
}

/* The process has closed the pipe: what it said is whole, or it died. */
static void tell_answer(struct file_reader *f)
{
	struct read_file_frame frame = {};
	struct file_answer a = {.path = f->path, .reason = ""};
	char *text = f->said + sizeof(frame);

	assert(f->used <= ANSWER_MAX);
	if (f->used >= sizeof(frame))
		memcpy(&frame, f->said, sizeof(frame));
	if (f->used < sizeof(frame) || frame.size != f->used - sizeof(frame)) {
		fail(f, -EIO, "the process that reads it died");
		return;
	}
	stop_waiting(f);
	f->said[f->used] = '\0';
	a.error = MIN(frame.error, 0);
	if (a.error < 0)
		a.reason = text;
	else
		a.text = text;
	a.size = frame.size;
	f->done(f->userdata, &a);
}

static int on_answer(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct file_reader *f = userdata;
	ssize_t n;

	assert(f->used <= ANSWER_MAX);
	n = read(fd, f->said + f->used, ANSWER_MAX + 1 - f->used);
	(void)s;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		fail(f, -errno, "the answer of the process that reads it cannot be read");
		return 0;
	}
	f->used += (size_t)n;
	if (f->used > ANSWER_MAX)
		fail(f, -EFBIG, "the process that reads it says too much");
	else if (n == 0)
		tell_answer(f);
	return 0;
}

static int on_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct file_reader *f = userdata;

	(void)s;
	(void)usec;
	fail(f, -ETIMEDOUT, "it does not answer within ProbeTimeout=");
	return 0;
}

static int wait_for_answer(struct file_reader *f)
{
	int r = sd_event_add_io(f->by.event, &f->answer, f->fd, EPOLLIN, on_answer, f);

	if (r < 0)
		return r;
	r = sd_event_add_time_relative(f->by.event, &f->limit, CLOCK_MONOTONIC, f->by.timeout_usec,
				       10000, on_limit, f);
	return r < 0 ? r : 0;
}

int file_reader_new(const struct file_reading *by, const char *path, file_reader_done_t done,
		    void *userdata, struct file_reader **ret)
{
	_cleanup_(file_reader_freep) struct file_reader *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	*f = (struct file_reader){
		.by = *by, .fd = -1, .pidfd = -1, .done = done, .userdata = userdata};
	f->path = strdup(path);
	f->said = malloc(ANSWER_MAX + 1);
	if (!f->path || !f->said)
		return -ENOMEM;
	r = spawn_file_reader(by->event, path, &f->fd, &f->pidfd);
	if (r < 0)
		return r;
	r = wait_for_answer(f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

struct file_reader *file_reader_free(struct file_reader *f)
{
	if (!f)
		return NULL;
	if (f->answer)
		kill_process(f);
	stop_waiting(f);
	cleanup_close(&f->fd);
	cleanup_close(&f->pidfd);
	free(f->path);
	free(f->said);
	free(f);
	return NULL;
}
