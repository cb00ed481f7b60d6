/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk in memory whose requests end when a model of a disk says so (disk-model.h), as a file
 * system with three files:
 *
 *     disk    the disk. With O_DIRECT the kernel splits a large request into such of 1 MiB, which
 *             are under way together, as it does for a block device
 *     flush   fsync() of it flushes the disk, and keeps no write away (disk-flush.c)
 *     log     one line for each request since the log was last written to: R, W, F or B (write-back
 *             by the disk itself), offset, size, then the times of arrival, start, end and done
 *
 * The model's clock follows the monotonic clock. A thread that wakes up late moves no event of the
 * model: the next one begins where the one before ended. With slow_motion=N a second of the model
 * takes N seconds, so the CPU looks N times as fast beside the disk.
 *
 *     disk-fuse MOUNTPOINT PARAMETER=NUMBER...     stays in the foreground; ends on SIGTERM
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/prctl.h>

#include "disk-model.h"

enum { ROOT = FUSE_ROOT_ID, DISK, LOG, FLUSH };

struct pending {
	struct disk_request request;
	fuse_req_t reply_to;
};

static struct {
	struct fuse_session *session;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct disk_model *model;
	int64_t size, begin, slow_motion, latest;
	uint8_t *data; /* without the lock: a program that reads what it is just writing gets either
			*/
	/* How late replies were, in the model's time. */
	int64_t replies, late, latest_reply;
	struct disk_request *log;
	size_t log_length, log_room;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .slow_motion = 1};

static int64_t monotonic(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t model_now(void)
{
	return (monotonic() - disk.begin) / disk.slow_motion;
}

/* ---- requests and replies ---- */

static void log_request(void *arg, const struct disk_request *r)
{
	(void)arg;
	if (disk.log_length == disk.log_room) {
		const size_t room = MAX(disk.log_room * 2, 4096);
		struct disk_request *log = reallocarray(disk.log, room, sizeof(*log));

		if (!log)
			return;
		disk.log = log;
		disk.log_room = room;
	}
	disk.log[disk.log_length++] = *r;
}

static void submit(fuse_req_t reply_to, enum disk_op op, off_t offset, size_t size)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p) {
		fuse_reply_err(reply_to, ENOMEM);
		return;
	}
	p->reply_to = reply_to;
	p->request = (struct disk_request){.op = op, .offset = offset, .size = (int64_t)size};
	pthread_mutex_lock(&disk.lock);
	disk.latest = p->request.arrival = MAX(model_now(), disk.latest);
	disk_model_submit(disk.model, &p->request);
	pthread_cond_signal(&disk.changed);
	pthread_mutex_unlock(&disk.lock);
}

static void reply(struct pending *p)
{
	const struct disk_request *r = &p->request;

	if (r->op == DISK_READ)
		fuse_reply_buf(p->reply_to, (const char *)disk.data + r->offset, (size_t)r->size);
	else if (r->op == DISK_WRITE)
		fuse_reply_write(p->reply_to, (size_t)r->size);
	else
		fuse_reply_err(p->reply_to, 0);
	free(p);
}

/* Waits, with the lock, for the time of the model or for a request. */
static void wait_until(int64_t when)
{
	if (when == INT64_MAX) {
		pthread_cond_wait(&disk.changed, &disk.lock);
	} else {
		const int64_t t = disk.begin + when * disk.slow_motion;
		const struct timespec at = {.tv_sec = t / 1000000000, .tv_nsec = t % 1000000000};

		pthread_cond_timedwait(&disk.changed, &disk.lock, &at);
	}
}

static void *replier(void *arg)
{
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	pthread_mutex_lock(&disk.lock);
	for (;;) {
		const int64_t now = model_now();
		struct disk_request *r = disk_model_done(disk.model, now);

		disk.latest = MAX(disk.latest, now);
		if (!r) {
			wait_until(disk_model_next(disk.model));
			continue;
		}
		disk.replies++;
		disk.late += now - r->done;
		disk.latest_reply = MAX(disk.latest_reply, now - r->done);
		/* Another thread sees to the next one meanwhile. */
		pthread_cond_signal(&disk.changed);
		pthread_mutex_unlock(&disk.lock);
		reply((struct pending *)((char *)r - offsetof(struct pending, request)));
		pthread_mutex_lock(&disk.lock);
	}
	return arg;
}

/* ---- files ---- */

static char *log_text(void)
{
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	pthread_mutex_lock(&disk.lock);
	fprintf(f, "replies %jd late %jd latest %jd\n", (intmax_t)disk.replies, (intmax_t)disk.late,
		(intmax_t)disk.latest_reply);
	for (size_t i = 0; i < disk.log_length; i++) {
		const struct disk_request *r = &disk.log[i];

		fprintf(f, "%c %jd %jd %jd %jd %jd %jd\n", "RWFB"[r->op], (intmax_t)r -> offset,
			(intmax_t)r -> size, (intmax_t)r -> arrival, (intmax_t)r -> start,
			(intmax_t)r -> end, (intmax_t)r -> done);
	}
	pthread_mutex_unlock(&disk.lock);
	return fclose(f) == 0 ? text : NULL;
}

static void clear_log(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.log_length = 0;
	disk.replies = disk.late = disk.latest_reply = 0;
	pthread_mutex_unlock(&disk.lock);
}

static bool get_attributes(fuse_ino_t ino, struct stat *ret)
{
	*ret = (struct stat){.st_ino = ino, .st_nlink = 1, .st_blksize = 4096};
	if (ino == ROOT)
		ret->st_mode = S_IFDIR | 0755;
	else if (ino == DISK || ino == LOG || ino == FLUSH)
		ret->st_mode = S_IFREG | 0600;
	if (ino == DISK) {
		ret->st_size = disk.size;
		ret->st_blocks = disk.size / 512;
	}
	return ret->st_mode != 0;
}

static void on_init(void *arg, struct fuse_conn_info *c)
{
	(void)arg;
	c->max_background = c->congestion_threshold = 1024;
	c->want |= c->capable & (FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ);
	c->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ |
			       FUSE_CAP_SPLICE_WRITE);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.attr_timeout = 3600, .entry_timeout = 3600};

	(void)parent;
	if (strcmp(name, "disk") == 0)
		e.ino = DISK;
	else if (strcmp(name, "log") == 0)
		e.ino = LOG;
	else if (strcmp(name, "flush") == 0)
		e.ino = FLUSH;
	if (get_attributes(e.ino, &e.attr))
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENOENT);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (get_attributes(ino, &st))
		fuse_reply_attr(req, &st, 3600);
	else
		fuse_reply_err(req, ENOENT);
}

/* The size of a disk stays. */
static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		       struct fuse_file_info *fi)
{
	(void)st;
	(void)what;
	on_getattr(req, ino, fi);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino == LOG) {
		fi->direct_io = true;
		fi->fh = (uint64_t)(uintptr_t)log_text();
	}
	fuse_reply_open(req, fi);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	free((void *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	const char *text = (const char *)(uintptr_t)fi->fh;
	const off_t end = ino == DISK ? disk.size : (off_t)strlen(text ?: "");

	if (offset >= end)
		fuse_reply_buf(req, NULL, 0);
	else if (ino == DISK)
		submit(req, DISK_READ, offset, MIN(size, (size_t)(end - offset)));
	else
		fuse_reply_buf(req, text + offset, MIN(size, (size_t)(end - offset)));
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(void)fi;
	if (ino == LOG) {
		clear_log();
		fuse_reply_write(req, size);
	} else if (offset > disk.size || (int64_t)size > disk.size - offset) {
		fuse_reply_err(req, ENOSPC);
	} else {
		memcpy(disk.data + offset, buf, size);
		submit(req, DISK_WRITE, offset, size);
	}
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	if (ino == DISK || ino == FLUSH)
		submit(req, DISK_FLUSH, 0, 0);
	else
		fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.release = on_release,
	.read = on_read,
	.write = on_write,
	.fsync = on_fsync,
};

static void *receiver(void *arg)
{
	struct fuse_buf buf = {0};

	while (!fuse_session_exited(disk.session)) {
		const int r = fuse_session_receive_buf(disk.session, &buf);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		fuse_session_process_buf(disk.session, &buf);
	}
	free(buf.mem);
	return arg;
}

/* ---- the program ---- */

static int set_parameter(struct disk_parameters *p, const char *arg)
{
	char name[32], *end;
	const char *value = strchr(arg, '=');
	int64_t number;

	if (!value || (size_t)(value - arg) >= sizeof(name))
		return -EINVAL;
	memcpy(name, arg, (size_t)(value - arg));
	name[value - arg] = 0;
	number = strtoll(value + 1, &end, 10);
	if (end == value + 1 || *end || number < 0)
		return -EINVAL;
	if (strcmp(name, "slow_motion") != 0)
		return disk_parameters_set(p, name, number);
	disk.slow_motion = MAX(number, 1);
	return 0;
}

/* Every block has been written once: a program that looks for holes or zeros finds none. */
static int make_data(void)
{
	uint64_t x = 88172645463325252;

	disk.data = mmap(NULL, (size_t)disk.size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (disk.data == MAP_FAILED)
		return -errno;
	(void)madvise(disk.data, (size_t)disk.size, MADV_HUGEPAGE);
	for (int64_t i = 0; i + (int64_t)sizeof(x) <= disk.size; i += (int64_t)sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(disk.data + i, &x, sizeof(x));
	}
	return 0;
}

/*
 * A disk takes requests while the CPUs compute: its threads wait for no other program's. Replies go
 * first, since a burst of requests takes a while to be received.
 */
static int go_first(pthread_t thread, int priority)
{
	const struct sched_param p = {.sched_priority = priority};

	return pthread_setschedparam(thread, SCHED_FIFO, &p);
}

static int start_threads(void)
{
	pthread_t thread;
	int r = go_first(pthread_self(), 1);

	for (int i = 0; i < 2 && r == 0; i++) {
		r = pthread_create(&thread, NULL, replier, NULL);
		if (r == 0)
			r = go_first(thread, 2);
	}
	if (r == 0)
		r = pthread_create(&thread, NULL, receiver, NULL);
	return -r;
}

int main(int argc, char **argv)
{
	char *options[] = {argv[0], (char[]){"-ofsname=disk-model"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, options);
	struct disk_parameters p = {0};
	pthread_condattr_t clock;
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: %s MOUNTPOINT PARAMETER=NUMBER...\n", argv[0]);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		if (set_parameter(&p, argv[i]) < 0) {
			fprintf(stderr, "%s: no such parameter, or no number\n", argv[i]);
			return 1;
		}
	}
	r = disk_model_new(&p, log_request, NULL, &disk.model);
	if (r < 0) {
		fprintf(stderr, "%s: cannot make a disk of these parameters: %s\n", argv[0],
			strerror(-r));
		return 1;
	}
	disk.size = p.size;
	r = make_data();
	if (r < 0) {
		fprintf(stderr, "%s: no memory for the disk: %s\n", argv[0], strerror(-r));
		return 1;
	}
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&disk.changed, &clock);
	disk.begin = monotonic();
	disk.session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (!disk.session || fuse_set_signal_handlers(disk.session) < 0 ||
	    fuse_session_mount(disk.session, argv[1]) < 0)
		return 1;
	r = start_threads();
	if (r == 0)
		receiver(NULL);
	else
		fprintf(stderr, "%s: cannot start threads that go first: %s\n", argv[0],
			strerror(-r));
	fuse_session_unmount(disk.session);
	/* The threads are not ended, and the memory is theirs until the process ends. */
	return r < 0;
}
