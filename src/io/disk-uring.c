/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A request takes a slot and one entry of the ring; short transfers go round again:
 *
 *   submit --> slot --> ring --> completion --> all there, or failed --> wait() returns it
 *                ^-------- rest, or retry --------|
 *
 * One more entry reads an eventfd that wake() writes to. Buffers in memory that the kernel has
 * pinned (add_memory) go as READ_FIXED/WRITE_FIXED; where it refuses to pin, all works the same.
 */
#include "io/disk-uring.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/geometry.h"
#include "io/hole.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

#define DEPTH 64U
/* More than requests and the wake-up together can fill. */
#define RING_ENTRIES 128U
#define MAX_REGIONS  16U
/* The kernel pins no larger buffer. */
#define MAX_REGION_SIZE (UINT64_C(1) << 30)
/* Tries of a request that the kernel sends back with EAGAIN or EINTR and no progress. */
#define MAX_TRIES 1000U

struct slot {
	struct disk_request *rq; /* NULL: free */
	uint32_t done;           /* bytes */
	unsigned tries;
};

struct region {
	uint8_t *memory;
	uint64_t size;
};

struct disk_uring {
	struct disk disk;
	char *name;
	int fd;
	struct hole_finder holes;
	bool fixed_file;
	struct io_uring ring;
	int wake_fd;
	uint64_t wake_count; /* the ring reads it */
	bool wake_armed;
	unsigned in_flight;
	struct slot slots[DEPTH];
	bool region_table; /* the kernel has a table for regions */
	unsigned regions;
	struct region region[MAX_REGIONS];
};

static struct disk_uring *uring_of(struct disk *d)
{
	return (struct disk_uring *)d;
}

/* The number of the pinned region that [buf, buf + size) lies in, or -1. */
static int region_of(const struct disk_uring *u, const void *buf, uint32_t size)
{
	for (unsigned i = 0; i < u->regions; i++) {
		const uintptr_t start = (uintptr_t)u->region[i].memory, p = (uintptr_t)buf;

		if (p >= start && range_inside(p - start, size, u->region[i].size))
			return (int)i;
	}
	return -1;
}

static void prepare_transfer(struct disk_uring *u, struct io_uring_sqe *sqe, int fd,
			     const struct slot *s)
{
	const struct disk_request *rq = s->rq;
	uint8_t *buf = (uint8_t *)rq->buf + s->done;
	const uint32_t size = rq->size - s->done;
	const uint64_t offset = rq->offset + s->done;
	const int region = region_of(u, buf, size);

	assert(s->done < rq->size && is_aligned(s->done, u->disk.block_size));
	if (rq->op == DISK_READ && region >= 0)
		io_uring_prep_read_fixed(sqe, fd, buf, size, offset, region);
	else if (rq->op == DISK_READ)
		io_uring_prep_read(sqe, fd, buf, size, offset);
	else if (region >= 0)
		io_uring_prep_write_fixed(sqe, fd, buf, size, offset, region);
	else
		io_uring_prep_write(sqe, fd, buf, size, offset);
}

/* Puts what is left of a slot's request on the ring. */
static void queue_slot(struct disk_uring *u, struct slot *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	const int fd = u->fixed_file ? 0 : u->fd;

	assert(sqe); /* RING_ENTRIES are enough */
	if (s->rq->op == DISK_FLUSH)
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	else
		prepare_transfer(u, sqe, fd, s);
	if (u->fixed_file)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, s);
	/* What the kernel does not take now stays on the ring and goes with the next wait(). */
	(void)io_uring_submit(&u->ring);
}

static int check_request(const struct disk *d, const struct disk_request *rq)
{
	if (rq->op == DISK_FLUSH)
		return 0;
	if (rq->size == 0 || !is_aligned(rq->offset | rq->size, d->block_size) ||
	    !range_inside(rq->offset, rq->size, d->size))
		return -EINVAL;
	return 0;
}

static int uring_submit(struct disk *d, struct disk_request *rq)
{
	struct disk_uring *u = uring_of(d);
	int r = check_request(d, rq);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < DEPTH; i++) {
		if (u->slots[i].rq)
			continue;
		u->slots[i] = (struct slot){.rq = rq};
		u->in_flight++;
		queue_slot(u, &u->slots[i]);
		return 0;
	}
	assert(u->in_flight == DEPTH);
	return -EBUSY;
}

/* Takes in what came back for a slot: 1 with its request finished, 0 with more to do. */
static int advance_slot(const struct disk_uring *u, struct slot *s, int res)
{
	struct disk_request *rq = s->rq;
	uint32_t progress;

	assert(rq); /* a slot is free only once its request has come back */
	if ((res == -EINTR || res == -EAGAIN) && ++s->tries < MAX_TRIES)
		return 0;
	if (res < 0 || rq->op == DISK_FLUSH) {
		rq->result = res < 0 ? res : 0;
		return 1;
	}
	/* Direct I/O goes on at a block only; part of one is what stands before the end of a file.
	 */
	progress = (uint32_t)round_down_u64((uint32_t)res, u->disk.block_size);
	if (progress == 0) {
		rq->result = rq->op == DISK_READ ? -ENODATA : -ENOSPC;
		return 1;
	}
	s->tries = 0;
	s->done += progress;
	if (s->done < rq->size)
		return 0;
	rq->result = 0;
	return 1;
}

static void arm_wake(struct disk_uring *u)
{
	struct io_uring_sqe *sqe;

	if (u->wake_armed)
		return;
	sqe = io_uring_get_sqe(&u->ring);
	assert(sqe); /* RING_ENTRIES are enough */
	io_uring_prep_read(sqe, u->wake_fd, &u->wake_count, sizeof(u->wake_count), 0);
	io_uring_sqe_set_data(sqe, NULL);
	u->wake_armed = true;
}

/* The next completion: of a slot, or of the wake-up (*ret_slot NULL). */
static int next_completion(struct disk_uring *u, struct slot **ret_slot, int *ret_res)
{
	struct io_uring_cqe *cqe;
	unsigned tries = 0;
	int r;

	arm_wake(u);
	while ((r = io_uring_peek_cqe(&u->ring, &cqe)) == -EAGAIN) {
		r = io_uring_submit_and_wait(&u->ring, 1);
		/* EAGAIN and EBUSY: the kernel is short of memory for requests, for now. */
		if ((r == -EAGAIN || r == -EBUSY) && ++tries >= MAX_TRIES)
			return r;
		if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -EINTR)
			return r;
	}
	if (r < 0)
		return r;
	*ret_slot = io_uring_cqe_get_data(cqe);
	*ret_res = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return 0;
}

static int uring_wait(struct disk *d, struct disk_request **ret)
{
	struct disk_uring *u = uring_of(d);

	for (;;) {
		struct slot *s;
		int r, res;

		r = next_completion(u, &s, &res);
		if (r < 0)
			return r;
		if (!s) {
			u->wake_armed = false;
			if (res == -EINTR || res == -EAGAIN)
				continue;
			if (res < 0)
				return res;
			*ret = NULL;
			return 0;
		}
		if (advance_slot(u, s, res)) {
			*ret = TAKE_PTR(s->rq);
			u->in_flight--;
			return 0;
		}
		queue_slot(u, s);
	}
}

static void uring_wake(struct disk *d)
{
	const uint64_t one = 1;
	ssize_t n = write(uring_of(d)->wake_fd, &one, sizeof(one));

	/* Only a counter near 2^64 could fail, and that wakes as well. */
	(void)n;
}

static int uring_add_memory(struct disk *d, void *memory, uint64_t size)
{
	struct disk_uring *u = uring_of(d);
	const struct iovec iov = {.iov_base = memory, .iov_len = size};

	if (!u->region_table || u->regions == MAX_REGIONS || size > MAX_REGION_SIZE)
		return 0;
	/* RLIMIT_MEMLOCK may forbid it: requests from this memory then go unpinned. */
	if (io_uring_register_buffers_update_tag(&u->ring, u->regions, &iov, NULL, 1) != 1)
		return 0;
	u->region[u->regions++] = (struct region){.memory = memory, .size = size};
	return 0;
}

/* Waits for what is in flight: the kernel would go on to write into the caller's buffers. */
static struct disk *uring_free(struct disk *d)
{
	struct disk_uring *u = uring_of(d);
	struct disk_request *rq;

	while (u->in_flight > 0)
		if (uring_wait(d, &rq) < 0)
			break;
	/* The end of a ring lets go of file and memory some time later, unregistering does at once:
	 * the caller may want to remove the device now. Both fail where nothing was registered. */
	(void)io_uring_unregister_files(&u->ring);
	(void)io_uring_unregister_buffers(&u->ring);
	io_uring_queue_exit(&u->ring);
	hole_finder_done(&u->holes);
	(void)close(u->wake_fd);
	free(u->name);
	free(u);
	return NULL;
}

static bool uring_is_hole(struct disk *d, uint64_t offset, uint64_t size)
{
	return range_inside(offset, size, d->size) && hole_at(&uring_of(d)->holes, offset, size);
}

static bool uring_look(struct disk *d, uint64_t offset, uint64_t size)
{
	return range_inside(offset, size, d->size) && hole_look(&uring_of(d)->holes, offset, size);
}

static const struct disk_ops uring_ops = {
	.submit = uring_submit,
	.wait = uring_wait,
	.wake = uring_wake,
	.add_memory = uring_add_memory,
	.is_hole = uring_is_hole,
	.look = uring_look,
	.free = uring_free,
};

/* COOP_TASKRUN spares interrupting the thread for each completion; kernels before 5.19 lack it. */
static int init_ring(struct io_uring *ring)
{
	int r = io_uring_queue_init(RING_ENTRIES, ring, IORING_SETUP_COOP_TASKRUN);

	if (r == -EINVAL)
		r = io_uring_queue_init(RING_ENTRIES, ring, 0);
	/* ENOSYS: built without; EPERM: seccomp or the io_uring_disabled sysctl. */
	return r == -ENOSYS || r == -EPERM || r == -EINVAL ? -EOPNOTSUPP : r;
}

int disk_uring_new(int fd, const char *name, struct disk **ret)
{
	_cleanup_free_ struct disk_uring *u = NULL;
	_cleanup_free_ char *copy = strdup(name);
	_cleanup_close_ int wake_fd = -1;
	struct geometry g;
	int r;

	u = calloc(1, sizeof(*u));
	if (!u || !copy)
		return -ENOMEM;
	r = geometry_get(fd, &g);
	if (r < 0)
		return r;
	wake_fd = eventfd(0, EFD_CLOEXEC);
	if (wake_fd < 0)
		return -errno;
	r = init_ring(&u->ring);
	if (r < 0)
		return r;
	u->fixed_file = io_uring_register_files(&u->ring, &fd, 1) == 0;
	u->region_table = io_uring_register_buffers_sparse(&u->ring, MAX_REGIONS) == 0;
	u->fd = fd;
	u->holes = hole_finder(fd);
	u->wake_fd = TAKE_FD(wake_fd);
	u->name = TAKE_PTR(copy);
	u->disk = (struct disk){
		.ops = &uring_ops,
		.name = u->name,
		.size = g.size,
		.block_size = g.block_size,
		.transfer_size = g.transfer_size,
		.depth = DEPTH,
	};
	*ret = &TAKE_PTR(u)->disk;
	return 0;
}
