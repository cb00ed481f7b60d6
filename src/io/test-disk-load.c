/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random requests at full depth on the disk over io_uring: what is read is what was written last,
 * on an image file and on a loop device, with memory announced and not.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/test-disk-util.h"
#include "io/test-loop.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DISK_SIZE  (UINT64_C(16) << 20)
#define REQUESTS   5000U
#define MAX_BLOCKS 64U /* of a request */
#define MAX_DEPTH  64U

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
	const struct scratch s = scratch_new(DISK_SIZE);
	_cleanup_close_ int fd = open_direct(s.path);

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
	const struct scratch s = scratch_new(DISK_SIZE);
	_cleanup_close_ int backing = open_direct(s.path);
	char link[64], path[32];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", backing);
	scratch_remove(&s); /* loop_new() may end the test here */
	_cleanup_close_ int loop = loop_new(link, block_size, false, path);
	_cleanup_close_ int fd = open_direct(path);

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_reads_back_what_was_written),
		cmocka_unit_test(registered_memory_works_like_any_other),
		cmocka_unit_test(memory_may_be_in_many_pieces),
		cmocka_unit_test(a_loop_device_reads_back_what_was_written),
		cmocka_unit_test(blocks_of_4096_bytes_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
