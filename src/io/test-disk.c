/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disk over io_uring, on an image file and on a loop device. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/disk-uring.h"
#include "io/test-loop.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DISK_SIZE  (UINT64_C(16) << 20)
#define REQUESTS   5000U
#define MAX_BLOCKS 64U /* of a request */
#define MAX_DEPTH  64U

static void *buffers_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static int open_direct(const char *path)
{
	const int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct disk *disk_of(int fd)
{
	struct disk *d;

	assert_int_equal(disk_uring_new(fd, "test", &d), 0);
	return d;
}

static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/*
 * The model: how often each block was written. A block's content follows from its number and that;
 * version 0 is a hole. No request starts on a block that another one in flight covers.
 */
struct load {
	struct disk *disk;
	uint64_t seed;
	uint64_t blocks;
	uint32_t *version;
	bool *busy;
	unsigned in_flight;
	struct job {
		struct disk_request rq;
		bool used;
	} jobs[MAX_DEPTH];
};

static void block_content(const struct load *l, uint64_t block, uint64_t *words)
{
	uint64_t seed = block << 32 | l->version[block];

	for (size_t i = 0; i < l->disk->block_size / sizeof(*words); i++)
		words[i] = l->version[block] ? next_random(&seed) : 0;
}

static bool mark(struct load *l, const struct disk_request *rq, bool busy)
{
	const uint64_t first = rq->offset / l->disk->block_size;
	const uint64_t n = rq->size / l->disk->block_size;

	for (uint64_t i = first; busy && i < first + n; i++)
		if (l->busy[i])
			return false;
	for (uint64_t i = first; i < first + n; i++)
		l->busy[i] = busy;
	return true;
}

static void fill_request(struct load *l, const struct disk_request *rq)
{
	for (uint32_t i = 0; i < rq->size; i += l->disk->block_size) {
		const uint64_t block = (rq->offset + i) / l->disk->block_size;

		l->version[block]++;
		block_content(l, block, (uint64_t *)(void *)((uint8_t *)rq->buf + i));
	}
}

static void check_read(struct load *l, const struct disk_request *rq)
{
	uint64_t want[4096 / sizeof(uint64_t)];

	for (uint32_t i = 0; i < rq->size; i += l->disk->block_size) {
		block_content(l, (rq->offset + i) / l->disk->block_size, want);
		assert_memory_equal((uint8_t *)rq->buf + i, want, l->disk->block_size);
	}
}

static void submit_random(struct load *l, struct job *job)
{
	const uint64_t n = 1 + next_random(&l->seed) % MAX_BLOCKS;
	struct disk_request *rq = &job->rq;

	rq->op = (enum disk_op[]){DISK_READ, DISK_WRITE}[next_random(&l->seed) % 2];
	rq->size = (uint32_t)n * l->disk->block_size;
	rq->offset = next_random(&l->seed) % (l->blocks - n + 1) * l->disk->block_size;
	rq->result = 1;
	if (next_random(&l->seed) % 20 == 0) {
		rq->op = DISK_FLUSH;
		rq->size = 0;
	}
	if (!mark(l, rq, true))
		return;
	if (rq->op == DISK_WRITE)
		fill_request(l, rq);
	else
		memset(rq->buf, 0xee, rq->size);
	assert_int_equal(l->disk->ops->submit(l->disk, rq), 0);
	job->used = true;
	l->in_flight++;
}

static void finish_one(struct load *l)
{
	struct disk_request *rq;
	struct job *job;

	assert_int_equal(l->disk->ops->wait(l->disk, &rq), 0);
	assert_non_null(rq);
	assert_int_equal(rq->result, 0);
	job = rq->user;
	assert_true(job->used);
	if (rq->op == DISK_READ)
		check_read(l, rq);
	(void)mark(l, rq, false);
	job->used = false;
	l->in_flight--;
}

/* The buffers lie in @regions pieces of memory, of which the first @registered are announced. */
static void run_load(int fd, unsigned regions, unsigned registered)
{
	struct load l = {.disk = disk_of(fd), .seed = now_usec()};
	const size_t buf_size = (size_t)MAX_BLOCKS * 4096, per = MAX_DEPTH / regions;
	uint8_t *memory = buffers_new(MAX_DEPTH * buf_size);
	unsigned most = 0;

	print_message("seed %llu, block size %u\n", (unsigned long long)l.seed, l.disk->block_size);
	assert_true(l.disk->size == DISK_SIZE);
	assert_int_equal(l.disk->depth, MAX_DEPTH);
	for (unsigned i = 0; i < registered; i++)
		assert_int_equal(l.disk->ops->add_memory(l.disk, memory + i * per * buf_size,
							 per * buf_size),
				 0);
	l.blocks = DISK_SIZE / l.disk->block_size;
	l.version = calloc(l.blocks, sizeof(*l.version));
	l.busy = calloc(l.blocks, sizeof(*l.busy));
	assert_true(l.version && l.busy);
	for (unsigned i = 0; i < MAX_DEPTH; i++)
		l.jobs[i].rq =
			(struct disk_request){.buf = memory + i * buf_size, .user = &l.jobs[i]};

	for (unsigned n = 0; n < REQUESTS; n++) {
		for (unsigned i = 0; i < MAX_DEPTH; i++)
			if (!l.jobs[i].used)
				submit_random(&l, &l.jobs[i]);
		most = MAX(most, l.in_flight);
		finish_one(&l);
	}
	while (l.in_flight > 0)
		finish_one(&l);
	assert_int_equal(most, MAX_DEPTH);
	assert_null(disk_free(l.disk));
	free(l.version);
	free(l.busy);
	assert_int_equal(munmap(memory, MAX_DEPTH * buf_size), 0);
}

static void run_load_on_file(unsigned regions, unsigned registered)
{
	_cleanup_close_
	int fd = -1;
	struct scratch s;

	scratch_new(&s, DISK_SIZE);
	fd = open_direct(s.path);
	run_load(fd, regions, registered);
	scratch_remove(&s);
}

static void a_file_reads_back_what_was_written(void **state)
{
	(void)state;
	run_load_on_file(1, 0);
}

static void registered_memory_works_like_any_other(void **state)
{
	(void)state;
	run_load_on_file(1, 1);
}

/* Half of the buffers are announced; and more pieces than the kernel is given. */
static void memory_may_be_in_many_pieces(void **state)
{
	(void)state;
	run_load_on_file(4, 2);
	run_load_on_file(32, 32);
}

static void run_load_on_loop(uint32_t block_size)
{
	_cleanup_close_
	int loop = -1, fd = -1;
	struct scratch s;
	char path[32];

	scratch_new(&s, DISK_SIZE);
	/* Before the skip that loop_new() may end the test with. */
	_cleanup_close_
	int backing = open_direct(s.path);
	char link[64];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", backing);
	scratch_remove(&s);
	loop = loop_new(link, block_size, false, path);
	fd = open_direct(path);
	run_load(fd, 1, 1);
}

static void a_loop_device_reads_back_what_was_written(void **state)
{
	(void)state;
	run_load_on_loop(512);
}

static void blocks_of_4096_bytes_work(void **state)
{
	(void)state;
	run_load_on_loop(4096);
}

/* The scratch file, its disk and one buffer of 1 MiB, for the tests below. */
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

	scratch_new(&x.s, UINT64_C(1) << 20);
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
			.op = DISK_READ, .buf = x->buf + 4096 * i, .size = 4096};
		assert_int_equal(x->disk->ops->submit(x->disk, &rq[i]), i < MAX_DEPTH ? 0 : -EBUSY);
	}
	assert_int_equal(x->disk->ops->wait(x->disk, &done), 0);
	assert_non_null(done);
	assert_int_equal(x->disk->ops->submit(x->disk, &rq[MAX_DEPTH]), 0);
	x->disk = disk_free(x->disk); /* the requests are gone with this function */
}

/* The file loses its second half behind the disk's back, in the middle of a request too. */
static void a_read_past_the_end_of_the_file_is_an_error_of_that_request(void **state)
{
	struct small *x = *state;
	const uint32_t size = 64 * 1024;
	struct disk_request rq[3] = {
		{.op = DISK_READ, .offset = 0, .buf = x->buf, .size = size},
		{.op = DISK_READ,
		 .offset = 512 * 1024 - size / 2,
		 .buf = x->buf + size,
		 .size = size},
		{.op = DISK_READ,
		 .offset = 768 * 1024,
		 .buf = x->buf + (size_t)2 * size,
		 .size = size},
	};

	assert_int_equal(ftruncate(x->fd, 512 * 1024), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(x->disk->ops->submit(x->disk, &rq[i]), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct disk_request *done;

		assert_int_equal(x->disk->ops->wait(x->disk, &done), 0);
		assert_non_null(done);
		assert_int_equal(done->result, done == &rq[0] ? 0 : -ENODATA);
	}
}

/*
 * RLIMIT_FSIZE makes the kernel refuse writes at 512 KiB and up, and cut the one that begins
 * before: its first part is written, the rest fails.
 */
static void a_failing_write_is_an_error_of_that_request(void **state)
{
	struct small *x = *state;
	const uint32_t size = 64 * 1024;
	struct disk_request rq[3] = {
		{.op = DISK_WRITE, .offset = 0, .buf = x->buf, .size = size},
		{.op = DISK_WRITE, .offset = 512 * 1024 - size / 2, .buf = x->buf, .size = size},
		{.op = DISK_WRITE, .offset = 768 * 1024, .buf = x->buf, .size = size},
	};
	struct rlimit before, cut;
	uint8_t *back = x->buf + SMALL_BUF / 2;

	memset(x->buf, 0x77, size);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	cut = (struct rlimit){.rlim_cur = 512 * 1024, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &cut), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(x->disk->ops->submit(x->disk, &rq[i]), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct disk_request *done;

		assert_int_equal(x->disk->ops->wait(x->disk, &done), 0);
		assert_non_null(done);
		assert_int_equal(done->result, done == &rq[0] ? 0 : -EFBIG);
	}
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
					      .offset = i * 65536U,
					      .buf = x->buf + i * 65536U,
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
	_cleanup_close_
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
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
		cmocka_unit_test(a_file_reads_back_what_was_written),
		cmocka_unit_test(registered_memory_works_like_any_other),
		cmocka_unit_test(memory_may_be_in_many_pieces),
		cmocka_unit_test(a_loop_device_reads_back_what_was_written),
		cmocka_unit_test(blocks_of_4096_bytes_work),
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
