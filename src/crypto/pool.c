/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two lists of jobs under one lock:
 *
 *   submit --> todo (first in, first out) --> a lane runs the job --> done --> collect
 */
#include "crypto/pool.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "util/checked.h"

/* Enough for OpenSSL, and little enough that a process with locked memory can afford it. */
#define STACK_SIZE ((size_t)256 * 1024)

struct job_list {
	struct pool_job *head, **tail;
};

struct pool_lane {
	struct pool *pool;
	unsigned number;
	pthread_t thread;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;  /* todo is not empty, or stopping */
	pthread_cond_t ready; /* done is not empty */
	struct job_list todo, done;
	bool stopping;
	void (*wake)(void *arg);
	void *wake_arg;
	unsigned threads; /* that run */
	int niceness;
	struct pool_lane lane[];
};

static void job_append(struct job_list *l, struct pool_job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
}

static struct pool_job *job_take(struct job_list *l)
{
	struct pool_job *job = l->head;

	if (!job)
		return NULL;
	l->head = job->next;
	if (!l->head)
		l->tail = &l->head;
	job->next = NULL;
	return job;
}

static void pool_lock(struct pool *p)
{
	int r = pthread_mutex_lock(&p->lock);

	assert(r == 0);
}

static void pool_unlock(struct pool *p)
{
	int r = pthread_mutex_unlock(&p->lock);

	assert(r == 0);
}

static void run_job(struct pool *p, struct pool_job *job, unsigned lane)
{
	job->result = job->run(job->arg, lane);
	pool_lock(p);
	job_append(&p->done, job);
	(void)pthread_cond_signal(&p->ready);
	pool_unlock(p);
	if (p->wake)
		p->wake(p->wake_arg);
}

/* The next job; NULL when the pool ends and nothing is left to do. */
static struct pool_job *next_job(struct pool *p)
{
	struct pool_job *job;

	pool_lock(p);
	while (!(job = job_take(&p->todo)) && !p->stopping) {
		int r = pthread_cond_wait(&p->work, &p->lock);

		assert(r == 0);
	}
	pool_unlock(p);
	return job;
}

static void *lane_main(void *arg)
{
	struct pool_lane *lane = arg;
	struct pool_job *job;

	/* Of this thread alone, as Linux has it. Where it fails all is as right, and slower. */
	if (lane->pool->niceness > 0)
		(void)!nice(lane->pool->niceness);
	while ((job = next_job(lane->pool)))
		run_job(lane->pool, job, lane->number);
	return NULL;
}

/* It starts with all signals blocked: they are for the thread that runs the event loop. */
static int create_thread(struct pool_lane *lane, pthread_attr_t *attr)
{
	sigset_t all, before;
	int r = pthread_attr_setstacksize(attr, MAX(STACK_SIZE, (size_t)PTHREAD_STACK_MIN));

	if (r != 0)
		return r;
	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r != 0)
		return r;
	r = pthread_create(&lane->thread, attr, lane_main, lane);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int start_lane(struct pool_lane *lane, const char *pool_name)
{
	char name[16];
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	r = create_thread(lane, &attr);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return -r;
	(void)snprintf(name, sizeof(name), "%s-%u", pool_name, lane->number);
	(void)pthread_setname_np(lane->thread, name);
	return 0;
}

int pool_new(const char *name, unsigned threads, int niceness, void (*wake)(void *arg),
	     void *wake_arg, struct pool **ret)
{
	_cleanup_(pool_freep) struct pool *p = NULL;

	assert(niceness >= 0 && niceness <= 19);
	p = calloc(1, sizeof(*p) + threads * sizeof(p->lane[0]));
	if (!p)
		return -ENOMEM;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->ready, NULL);
	p->todo.tail = &p->todo.head;
	p->done.tail = &p->done.head;
	p->wake = wake;
	p->wake_arg = wake_arg;
	p->niceness = niceness;
	for (unsigned i = 0; i < threads; i++) {
		int r;

		p->lane[i].pool = p;
		p->lane[i].number = i;
		r = start_lane(&p->lane[i], name);
		if (r < 0)
			return r;
		p->threads++;
	}
	*ret = TAKE_PTR(p);
	return 0;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	pool_lock(p);
	p->stopping = true;
	(void)pthread_cond_broadcast(&p->work);
	pool_unlock(p);
	for (unsigned i = 0; i < p->threads; i++) {
		int r = pthread_join(p->lane[i].thread, NULL);

		assert(r == 0);
	}
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_cond_destroy(&p->ready);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

unsigned pool_lanes(const struct pool *p)
{
	return MAX(p->threads, 1U);
}

void pool_submit(struct pool *p, struct pool_job *job)
{
	assert(job->run);
	if (p->threads == 0) {
		run_job(p, job, 0);
		return;
	}
	pool_lock(p);
	job_append(&p->todo, job);
	(void)pthread_cond_signal(&p->work);
	pool_unlock(p);
}

struct pool_job *pool_collect(struct pool *p)
{
	struct pool_job *job;

	pool_lock(p);
	job = job_take(&p->done);
	pool_unlock(p);
	return job;
}

struct pool_job *pool_wait(struct pool *p)
{
	struct pool_job *job;

	pool_lock(p);
	while (!(job = job_take(&p->done))) {
		int r = pthread_cond_wait(&p->ready, &p->lock);

		assert(r == 0);
	}
	pool_unlock(p);
	return job;
}
