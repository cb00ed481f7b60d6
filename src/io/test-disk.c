/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disk over io_uring: errors of requests, wake-ups, and what it holds on to. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/test-disk-util.h"
#include "io/test-loop.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define MAX_DEPTH 64U
#define KIB       UINT64_C(1024)

/* A scratch file, its disk and one buffer of 1 MiB. */
struct small {
	struct scratch s;
	int fd;
	struct disk *disk;
	uint8_t *buf;
};

#define SMALL_BUF ((size_t)1 << 20)

static int small_new(void **state)
{
	static struct small x;

	x.s = scratch_new(UINT64_C(1) << 20);
	x.fd = open_direct(x.s.path);
	x.disk = disk_of(x.fd);
	x.buf = buffers_new(SMALL_BUF);
	*state = &x;
	return 0;
}

static int small_remove(void **state)
{
	struct small *x = *state;

	(void)disk_free(x->disk);
	(void)munmap(x->buf, SMALL_BUF);
	(void)close(x->fd);
	scratch_remove(&x->s);
	return 0;
}

/* "VmPin" of /proc/self/status in kB. */
static long pinned_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kb = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPin: %ld kB", &kb) == 1)
			break;
	(void)fclose(f);
	return kb;
}

static void announced_memory_is_pinned_until_the_disk_is_freed(void **state)
{
	struct small *x = *state;
	const long before = pinned_kb();

	assert_int_equal(x->disk->ops->add_memory(x->disk, x->buf, SMALL_BUF), 0);
	assert_int_equal(pinned_kb(), before + (long)(SMALL_BUF / 1024));
	assert_int_equal(disk_run(x->disk, DISK_READ, 0, x->buf, 4096), 0);
	x->disk = disk_free(x->disk);
	assert_int_equal(pinned_kb(), before);
}

/* A lease to write is given only where nobody else holds the file open (fcntl(2)). */
static void a_freed_disk_holds_the_file_no_more(void **state)
{
	struct small *x = *state;

	assert_int_equal(disk_run(x->disk, DISK_READ, 0, x->buf, 4096), 0);
	x->disk = disk_free(x->disk);
	assert_int_equal(close(x->fd), 0);
	x->fd = open_direct(x->s.path);
	assert_int_equal(fcntl(x->fd, F_SETLEASE, F_WRLCK), 0);
}

static void requests_outside_the_disk_are_refused(void **state)
{
	struct small *x = *state;
	struct disk *d = x->disk;
	const uint32_t block = d->block_size;
	const struct disk_request bad[] = {
		{.op = DISK_READ, .offset = d->size, .buf = x->buf, .size = block},
		{.op = DISK_READ, .offset = d->size - block, .buf = x->buf, .size = 2 * block},
		{.op = DISK_WRITE, .offset = UINT64_MAX - block + 1, .buf = x->buf, .size = block},
		{.op = DISK_WRITE, .offset = 1, .buf = x->buf, .size = block},
		{.op = DISK_READ, .offset = 0, .buf = x->buf, .size = block + 1},
		{.op = DISK_READ, .offset = 0, .buf = x->buf, .size = 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct disk_request rq = bad[i];

		assert_int_equal(d->ops->submit(d, &rq), -EINVAL);
	}
	assert_int_equal(disk_run(d, DISK_READ, d->size - block, x->buf, block), 0);
}

static void more_requests_than_the_depth_are_refused(void **state)
{
	struct small *x = *state;
	struct disk_request rq[MAX_DEPTH + 1], *done;

	for (unsigned i = 0; i <= MAX_DEPTH; i++) {
		rq[i] = (struct disk_request){
			.op = DISK_READ, .buf = x->buf + (size_t)4096 * i, .size = 4096};
		assert_int_equal(x->disk->ops->submit(x->disk, &rq[i]), i < MAX_DEPTH ? 0 : -EBUSY);
	}
	assert_int_equal(x->disk->ops->wait(x->disk, &done), 0);
	assert_non_null(done);
	assert_int_equal(x->disk->ops->submit(x->disk, &rq[MAX_DEPTH]), 0);
	x->disk = disk_free(x->disk); /* the requests are gone with this function */
}

/* Three requests in flight together, of which the other two fail with @error. */
static void only_the_first_succeeds(struct disk *d, struct disk_request *rq, int error)
{
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(d->ops->submit(d, &rq[i]), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct disk_request *done;

		assert_int_equal(d->ops->wait(d, &done), 0);
		assert_non_null(done);
		assert_int_equal(done->result, done == &rq[0] ? 0 : error);
	}
}

/* The file loses its second half behind the disk's back, in the middle of a request too. */
static void a_read_past_the_end_of_the_file_is_an_error_of_that_request(void **state)
{
	struct small *x = *state;
	const uint32_t size = 64U * 1024;
	struct disk_request rq[3] = {
		{.op = DISK_READ, .offset = 0, .buf = x->buf, .size = size},
		{.op = DISK_READ,
		 .offset = 512 * KIB - size / 2,
		 .buf = x->buf + size,
		 .size = size},
		{.op = DISK_READ,
		 .offset = 768 * KIB,
		 .buf = x->buf + (size_t)2 * size,
		 .size = size},
	};

	assert_int_equal(ftruncate(x->fd, 512 * KIB), 0);
	only_the_first_succeeds(x->disk, rq, -ENODATA);
}

/*
 * RLIMIT_FSIZE makes the kernel refuse writes at 512 KiB and up, and cut the one that begins
 * before: its first part is written, the rest fails.
 */
static void a_failing_write_is_an_error_of_that_request(void **state)
{
	struct small *x = *state;
	const uint32_t size = 64U * 1024;
	struct disk_request rq[3] = {
		{.op = DISK_WRITE, .offset = 0, .buf = x->buf, .size = size},
		{.op = DISK_WRITE, .offset = 512 * KIB - size / 2, .buf = x->buf, .size = size},
		{.op = DISK_WRITE, .offset = 768 * KIB, .buf = x->buf, .size = size},
	};
	struct rlimit before, cut;
	uint8_t *back = x->buf + SMALL_BUF / 2;

	memset(x->buf, 0x77, size);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	cut = (struct rlimit){.rlim_cur = 512 * KIB, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &cut), 0);
	only_the_first_succeeds(x->disk, rq, -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

	assert_int_equal(disk_run(x->disk, DISK_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(disk_run(x->disk, DISK_READ, 0, back, size), 0);
	assert_memory_equal(back, x->buf, size);
	assert_int_equal(disk_run(x->disk, DISK_READ, rq[1].offset, back, size), 0);
	assert_memory_equal(back, x->buf, size / 2);
	for (uint32_t i = size / 2; i < size; i++)
		assert_int_equal(back[i], 0);
}

static void wake_before_a_wait_is_not_lost(void **state)
{
	struct small *x = *state;
	struct disk_request *rq = (struct disk_request *)(void *)x;

	x->disk->ops->wake(x->disk);
	x->disk->ops->wake(x->disk);
	assert_int_equal(x->disk->ops->wait(x->disk, &rq), 0);
	assert_null(rq);
	/* It is spent: the next one is the request's. */
	assert_int_equal(disk_run(x->disk, DISK_READ, 0, x->buf, 4096), 0);
}

/* disk_run() does not swallow a wake-up that was meant for its caller. */
static void disk_run_hands_a_wake_on(void **state)
{
	struct small *x = *state;
	struct disk_request *rq = (struct disk_request *)(void *)x;

	x->disk->ops->wake(x->disk);
	assert_int_equal(disk_run(x->disk, DISK_READ, 0, x->buf, 4096), 0);
	assert_int_equal(x->disk->ops->wait(x->disk, &rq), 0);
	assert_null(rq);
}

#define WAKERS 4U
#define WAKES  1000U

struct waker {
	pthread_t thread;
	struct disk *disk;
	atomic_uint *done;
};

static void *wake_often(void *arg)
{
	struct waker *w = arg;

	for (unsigned i = 0; i < WAKES; i++) {
		atomic_fetch_add(w->done, 1);
		w->disk->ops->wake(w->disk);
	}
	return NULL;
}

/* Would hang where a wake-up is lost: each thread counts first and wakes then. */
static void wakes_from_other_threads_end_waits(void **state)
{
	struct small *x = *state;
	struct waker w[WAKERS];
	atomic_uint done = 0;

	for (unsigned i = 0; i < WAKERS; i++) {
		w[i] = (struct waker){.disk = x->disk, .done = &done};
		assert_int_equal(pthread_create(&w[i].thread, NULL, wake_often, &w[i]), 0);
	}
	while (atomic_load(&done) < WAKERS * WAKES) {
		struct disk_request *rq;

		assert_int_equal(x->disk->ops->wait(x->disk, &rq), 0);
		assert_null(rq);
	}
	for (unsigned i = 0; i < WAKERS; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
}

/* Requests in flight when the disk is freed have ended when disk_free() returns. */
static void freeing_waits_for_requests(void **state)
{
	struct small *x = *state;
	struct disk_request rq[16];

	for (unsigned i = 0; i < ARRAY_SIZE(rq); i++) {
		rq[i] = (struct disk_request){.op = DISK_WRITE,
					      .offset = (size_t)65536 * i,
					      .buf = x->buf + (size_t)65536 * i,
					      .size = 65536,
					      .result = 1};
		assert_int_equal(x->disk->ops->submit(x->disk, &rq[i]), 0);
	}
	x->disk = disk_free(x->disk);
	for (unsigned i = 0; i < ARRAY_SIZE(rq); i++)
		assert_int_equal(rq[i].result, 0);
}

static void what_is_no_disk_is_refused(void **state)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct disk *d = NULL;

	(void)state;
	assert_int_equal(disk_uring_new(fd, "test", &d), -EINVAL);
	assert_int_equal(disk_uring_new(-1, "test", &d), -EBADF);
	assert_null(d);
}

#define SMALL_TEST(f) cmocka_unit_test_setup_teardown(f, small_new, small_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL_TEST(announced_memory_is_pinned_until_the_disk_is_freed),
		SMALL_TEST(a_freed_disk_holds_the_file_no_more),
		SMALL_TEST(requests_outside_the_disk_are_refused),
		SMALL_TEST(more_requests_than_the_depth_are_refused),
		SMALL_TEST(a_read_past_the_end_of_the_file_is_an_error_of_that_request),
		SMALL_TEST(a_failing_write_is_an_error_of_that_request),
		SMALL_TEST(wake_before_a_wait_is_not_lost),
		SMALL_TEST(disk_run_hands_a_wake_on),
		SMALL_TEST(wakes_from_other_threads_end_waits),
		SMALL_TEST(freeing_waits_for_requests),
		cmocka_unit_test(what_is_no_disk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
