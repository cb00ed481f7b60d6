/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The disk as the engine sees it: requests go in, come back finished, in any order. The real one is
 * an io_uring (disk-uring.c); tests put a simulated disk with a volatile write cache in its place.
 *
 *      engine --submit--> [ in flight, any order ] --wait--> engine
 *                               ^ wake() from another thread ends a wait early
 *
 * A write is durable when a flush that was submitted after the write had come back has come back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH, /* offset, buf and size are unused */
};

struct disk_request {
	enum disk_op op;
	uint64_t offset; /* bytes from the start of the disk, multiple of disk.block_size */
	void *buf;       /* aligned to block_size; fastest inside add_memory() memory */
	uint32_t size;   /* bytes, multiple of disk.block_size, not 0 for reads and writes */
	int result;      /* when it comes back: 0, or a negative errno (never a short transfer) */
	void *user;      /* the submitter's */
};

struct disk;

struct disk_ops {
	/* The request belongs to the disk until wait() returns it. Only fails (negative errno) with
	 * nothing submitted. -EBUSY: disk.depth requests are in flight already. -EINVAL: not in
	 * whole blocks, or outside the disk. */
	int (*submit)(struct disk *d, struct disk_request *rq);
	/* Waits for one request, or for wake(): then *ret is NULL. */
	int (*wait)(struct disk *d, struct disk_request **ret);
	/* May be called from any thread. */
	void (*wake)(struct disk *d);
	/* Announces the memory that buffers come from, before the first request; optional for
	 * callers. */
	int (*add_memory)(struct disk *d, void *memory, uint64_t size);
	/*
	 * Is nothing stored in this range (bytes), so that it reads as zeros? NULL, or false: not
	 * known. No request for it may be in flight, all that was written must have been flushed
	 * since (before that the answer is a hint), and nothing may be frozen unless look() says
	 * so: files are opened.
	 */
	bool (*is_hole)(struct disk *d, uint64_t offset, uint64_t size);
	/*
	 * Finds out what is stored in a range (bytes), for disks of which is_hole() says what was
	 * seen then. True: that heeds each write that had come back before this call, and while
	 * nobody can write to the range, it holds; both may be called while it is frozen, once this
	 * was called before. False: not that kind of disk, or it cannot be known now. May be NULL.
	 */
	bool (*look)(struct disk *d, uint64_t offset, uint64_t size);
	struct disk *(*free)(struct disk *d);
};

struct disk {
	const struct disk_ops *ops;
	const char *name;       /* for messages: the path of the device */
	uint64_t size;          /* bytes */
	uint32_t block_size;    /* bytes, the smallest unit of direct I/O */
	uint32_t transfer_size; /* bytes a request should have at most to be fast */
	unsigned depth;         /* requests that may be in flight */
};

/* One request from submission to completion; for the slow paths. No other request may be in flight.
 */
int disk_run(struct disk *d, enum disk_op op, uint64_t offset, void *buf, uint32_t size);

struct disk *disk_free(struct disk *d);
