/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pool of crypto threads: order, results, wake-ups, signals. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto/pool.h"
#include "util/checked.h"

#define LIMIT_MS 10000

static void wake_fd(void *arg)
{
	const uint64_t one = 1;

	if (write(*(int *)arg, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* The next finished job; fails the test where a wake-up was lost. */
static struct pool_job *collect(struct pool *p, int fd)
{
	struct pool_job *job;

	while (!(job = pool_collect(p))) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		uint64_t n;

		assert_int_equal(poll(&pfd, 1, LIMIT_MS), 1);
		assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	}
	return job;
}

static atomic_uint order;

struct numbered {
	struct pool_job job;
	unsigned value, ran_as, lane;
};

static int run_numbered(void *arg, unsigned lane)
{
	struct numbered *n = arg;

	n->ran_as = atomic_fetch_add(&order, 1);
	n->lane = lane;
	return -(int)n->value;
}

static void submit_numbered(struct pool *p, struct numbered *n, unsigned value)
{
	*n = (struct numbered){.job = {.run = run_numbered, .arg = n}, .value = value};
	pool_submit(p, &n->job);
}

static void every_job_runs_once_and_comes_back_with_its_result(void **state)
{
	static struct numbered jobs[2000];
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC);
	_cleanup_(pool_freep) struct pool *p = NULL;

	(void)state;
	atomic_store(&order, 0);
	assert_int_equal(pool_new("crypto", 3, 0, wake_fd, &fd, &p), 0);
	assert_int_equal(pool_lanes(p), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++)
		submit_numbered(p, &jobs[i], i);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct numbered *n = collect(p, fd)->arg;

		assert_int_equal(n->job.result, -(int)n->value);
		assert_true(n->lane < 3);
		n->job.result = 1; /* coming back twice would be seen */
	}
	assert_null(pool_collect(p));
	assert_int_equal(atomic_load(&order), ARRAY_SIZE(jobs));
}

static int tell_niceness(void *arg, unsigned lane)
{
	(void)lane;
	*(int *)arg = getpriority(PRIO_PROCESS, 0);
	return 0;
}

static void lanes_are_as_nice_as_they_were_asked_to_be(void **state)
{
	static const int niceness[] = {0, 5};
	const int mine = getpriority(PRIO_PROCESS, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(niceness); i++) {
		_cleanup_(pool_freep) struct pool *p = NULL;
		int found = -99;
		struct pool_job job = {.run = tell_niceness, .arg = &found};

		assert_int_equal(pool_new("crypto", 1, niceness[i], NULL, NULL, &p), 0);
		pool_submit(p, &job);
		assert_ptr_equal(pool_wait(p), &job);
		assert_int_equal(found, MIN(mine + niceness[i], 19));
		assert_int_equal(getpriority(PRIO_PROCESS, 0), mine);
	}
}

static void one_lane_runs_jobs_in_the_order_they_came(void **state)
{
	struct numbered jobs[50];
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC);
	_cleanup_(pool_freep) struct pool *p = NULL;

	(void)state;
	atomic_store(&order, 0);
	assert_int_equal(pool_new("crypto", 1, 0, wake_fd, &fd, &p), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++)
		submit_numbered(p, &jobs[i], i);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct numbered *n = collect(p, fd)->arg;

		assert_int_equal(n->value, i);
		assert_int_equal(n->ran_as, i);
	}
}

struct pair {
	sem_t mine, other;
};

static int wait_for(sem_t *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_MS / 1000;
	return sem_timedwait(s, &until) == 0 ? 0 : -ETIMEDOUT;
}

static int meet_a(void *arg, unsigned lane)
{
	struct pair *p = arg;

	(void)lane;
	(void)sem_post(&p->other);
	return wait_for(&p->mine);
}

static int meet_b(void *arg, unsigned lane)
{
	struct pair *p = arg;

	(void)lane;
	(void)sem_post(&p->mine);
	return wait_for(&p->other);
}

/* Each job ends only when the other has begun. */
static void lanes_run_at_the_same_time(void **state)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC);
	_cleanup_(pool_freep) struct pool *p = NULL;
	struct pair pair;
	struct pool_job a = {.run = meet_a, .arg = &pair}, b = {.run = meet_b, .arg = &pair};

	(void)state;
	assert_int_equal(sem_init(&pair.mine, 0, 0), 0);
	assert_int_equal(sem_init(&pair.other, 0, 0), 0);
	assert_int_equal(pool_new("crypto", 2, 0, wake_fd, &fd, &p), 0);
	pool_submit(p, &a);
	pool_submit(p, &b);
	(void)collect(p, fd);
	(void)collect(p, fd);
	assert_int_equal(a.result, 0);
	assert_int_equal(b.result, 0);
	(void)sem_destroy(&pair.mine);
	(void)sem_destroy(&pair.other);
}

static void waiting_gives_each_job_once_it_has_run(void **state)
{
	struct numbered jobs[100];
	_cleanup_(pool_freep) struct pool *p = NULL;

	(void)state;
	assert_int_equal(pool_new("crypto", 2, 0, NULL, NULL, &p), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct numbered *n;

		submit_numbered(p, &jobs[i], i + 1);
		n = pool_wait(p)->arg;
		assert_ptr_equal(n, &jobs[i]);
		assert_int_equal(n->job.result, -(int)n->value);
	}
	assert_null(pool_collect(p));
}

static void freeing_waits_for_the_jobs_in_hand(void **state)
{
	struct numbered jobs[100];
	struct pool *p;

	(void)state;
	atomic_store(&order, 0);
	assert_int_equal(pool_new("crypto", 2, 0, NULL, NULL, &p), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++)
		submit_numbered(p, &jobs[i], i);
	assert_null(pool_free(p));
	assert_int_equal(atomic_load(&order), ARRAY_SIZE(jobs));
}

static void count_wake(void *arg)
{
	++*(unsigned *)arg;
}

static void without_threads_a_job_runs_when_submitted(void **state)
{
	_cleanup_(pool_freep) struct pool *p = NULL;
	struct numbered job;
	unsigned wakes = 0;

	(void)state;
	assert_int_equal(pool_new("crypto", 0, 0, count_wake, &wakes, &p), 0);
	assert_int_equal(pool_lanes(p), 1);
	assert_null(pool_collect(p));
	submit_numbered(p, &job, 7);
	assert_int_equal(job.job.result, -7);
	assert_int_equal(job.lane, 0);
	assert_int_equal(wakes, 1);
	assert_ptr_equal(pool_collect(p), &job.job);
	assert_null(pool_collect(p));
}

struct thread_facts {
	char name[16];
	sigset_t blocked;
};

static int look_at_thread(void *arg, unsigned lane)
{
	struct thread_facts *f = arg;

	(void)lane;
	if (pthread_getname_np(pthread_self(), f->name, sizeof(f->name)) != 0)
		return -EIO;
	return -pthread_sigmask(SIG_SETMASK, NULL, &f->blocked);
}

static void lanes_are_named_and_leave_signals_to_others(void **state)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC);
	_cleanup_(pool_freep) struct pool *p = NULL;
	struct thread_facts f;
	struct pool_job job = {.run = look_at_thread, .arg = &f};
	sigset_t mine;

	(void)state;
	assert_int_equal(pool_new("crypto", 1, 0, wake_fd, &fd, &p), 0);
	pool_submit(p, &job);
	assert_int_equal(collect(p, fd)->result, 0);
	assert_string_equal(f.name, "crypto-0");
	assert_int_equal(sigismember(&f.blocked, SIGTERM), 1);
	assert_int_equal(sigismember(&f.blocked, SIGCHLD), 1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mine), 0);
	assert_int_equal(sigismember(&mine, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_runs_once_and_comes_back_with_its_result),
		cmocka_unit_test(lanes_are_as_nice_as_they_were_asked_to_be),
		cmocka_unit_test(one_lane_runs_jobs_in_the_order_they_came),
		cmocka_unit_test(lanes_run_at_the_same_time),
		cmocka_unit_test(waiting_gives_each_job_once_it_has_run),
		cmocka_unit_test(freeing_waits_for_the_jobs_in_hand),
		cmocka_unit_test(without_threads_a_job_runs_when_submitted),
		cmocka_unit_test(lanes_are_named_and_leave_signals_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
