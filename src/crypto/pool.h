/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Worker threads: jobs go in, a thread (a "lane") runs each, and the owner collects the finished
 * ones without waiting. Nothing is allocated after pool_new().
 */
#pragma once

#include "util/cleanup.h"

struct pool;

struct pool_job {
	int (*run)(void *arg, unsigned lane); /* 0 or a negative errno */
	void *arg;
	int result;
	struct pool_job *next; /* the pool's */
};

/*
 * The lanes' threads are called @name-0, @name-1, ... and are nicer than the caller by @niceness, 0
 * to 19. @threads 0: jobs run in pool_submit() itself, in lane 0 (simulation, debugging). @wake is
 * called by a lane after each finished job; it must be thread-safe, and may be NULL.
 */
int pool_new(const char *name, unsigned threads, int niceness, void (*wake)(void *arg),
	     void *wake_arg, struct pool **ret);
/* Waits for the jobs in hand; those that nobody collected are forgotten. */
struct pool *pool_free(struct pool *p);
DEFINE_CLEANUP(struct pool, pool_free)

/* Lanes to make ciphers and checksums for: at least 1. */
unsigned pool_lanes(const struct pool *p);

void pool_submit(struct pool *p, struct pool_job *job);
/* A finished job, or NULL when none is finished now. */
struct pool_job *pool_collect(struct pool *p);
/* The same, but waits for it: one must be in hand, or finished. */
struct pool_job *pool_wait(struct pool *p);
