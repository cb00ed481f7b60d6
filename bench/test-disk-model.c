/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * That the times of the model add up to its parameters. The clock is the model's own; no time
 * passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "disk-model.h"

#define MIB INT64_C(1048576)
#define MS  INT64_C(1000000)
#define US  INT64_C(1000)
/* 128 MiB a second: 1 MiB takes 7.8125 ms. */
#define RATE     (128 * MIB)
#define MIB_TIME INT64_C(7812500)

static const struct disk_parameters flash = {
	.size = 1024 * MIB,
	.read_rate = RATE,
	.write_rate = RATE,
	.read_latency = 2 * MS,
	.write_latency = 1 * MS,
	.flush_time = 5 * MS,
};

/* 128 turns a second, so a track has 1 MiB; the data lies in the middle of the disk. */
static const struct disk_parameters platter = {
	.size = 1024 * MIB,
	.read_rate = RATE,
	.write_rate = RATE,
	.half_duplex = 1,
	.exclusive_flush = 1,
	.flush_time = 1 * MS,
	.turn = MIB_TIME,
	.least_seek = 1 * MS,
	.full_seek = 9 * MS,
	.disk_size = 1 << 30,
	.header_size = 16 * MIB,
	.link_rate = 512 * MIB,
};

static struct disk_parameters with_cache(void)
{
	struct disk_parameters p = platter;

	p.cache = 64 * MIB;
	p.cache_high = 48 * MIB;
	p.cache_low = 16 * MIB;
	return p;
}

static struct disk_model *make(struct disk_parameters p)
{
	struct disk_model *m;

	assert_int_equal(disk_model_new(&p, NULL, NULL, &m), 0);
	return m;
}

static void submit(struct disk_model *m, struct disk_request *r, enum disk_op op, int64_t offset,
		   int64_t size, int64_t arrival)
{
	*r = (struct disk_request){.op = op, .offset = offset, .size = size, .arrival = arrival};
	disk_model_submit(m, r);
}

/* The next request that is done, and no earlier than it says. */
static struct disk_request *next_done(struct disk_model *m)
{
	struct disk_request *r = NULL;

	while (!r) {
		const int64_t next = disk_model_next(m);

		assert_true(next != INT64_MAX);
		assert_null(disk_model_done(m, next - 1));
		r = disk_model_done(m, next);
		if (r)
			assert_int_equal(r->done, next);
	}
	return r;
}

static int64_t all_done(struct disk_model *m, int n)
{
	int64_t last = 0;

	while (n-- > 0)
		last = next_done(m)->done;
	assert_null(disk_model_done(m, last));
	return last;
}

static void test_latencies_overlap(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(flash);
	struct disk_request r[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		submit(m, &r[i], DISK_READ, i * MIB, MIB, 0);
	assert_int_equal(all_done(m, 16), 16 * MIB_TIME + 2 * MS);
	assert_int_equal(r[0].done, MIB_TIME + 2 * MS);
}

/* Full duplex both ways take the time of one; half duplex that of both. */
static void test_duplex(void **state)
{
	(void)state;
	for (int half = 0; half < 2; half++) {
		struct disk_parameters p = flash;
		_cleanup_(disk_model_freep) struct disk_model *m = NULL;
		struct disk_request r[16];

		p.half_duplex = half;
		m = make(p);
		for (int i = 0; i < 16; i++)
			submit(m, &r[i], i % 2 ? DISK_READ : DISK_WRITE, i * MIB, MIB, 0);
		assert_int_equal(all_done(m, 16), (half ? 16 : 8) * MIB_TIME + 2 * MS);
	}
}

static void test_small_requests_meet_the_iops(void **state)
{
	struct disk_parameters p = flash;
	_cleanup_(disk_model_freep) struct disk_model *m = NULL;
	struct disk_request r[100];

	(void)state;
	p.iops = 1000;
	p.iop_size = 256 * 1024;
	m = make(p);
	for (int i = 0; i < 100; i++)
		submit(m, &r[i], DISK_READ, i * 4096, 4096, 0);
	assert_int_equal(all_done(m, 100), 100 * MS + 2 * MS);
	/* 1 MiB counts as four, which is less than its bytes take. */
	submit(m, &r[0], DISK_READ, 0, MIB, 1000 * MS);
	assert_int_equal(next_done(m)->done, 1000 * MS + MIB_TIME + 2 * MS);
}

static void test_order_and_fairness(void **state)
{
	(void)state;
	for (int fair = 0; fair < 2; fair++) {
		struct disk_parameters p = flash;
		_cleanup_(disk_model_freep) struct disk_model *m = NULL;
		struct disk_request large[8], small;

		p.fair = fair;
		m = make(p);
		for (int i = 0; i < 8; i++)
			submit(m, &large[i], DISK_READ, i * MIB, MIB, 0);
		submit(m, &small, DISK_READ, 0, 4096, 1 * MS);
		all_done(m, 9);
		/* Behind one large request, or behind all. */
		assert_int_equal(small.start, (fair ? 1 : 8) * MIB_TIME);
		assert_int_equal(large[7].end,
				 small.end + (fair ? 7 * MIB_TIME : -small.end + small.start));
	}
}

static void test_flush_beside_reads_or_alone(void **state)
{
	(void)state;
	for (int alone = 0; alone < 2; alone++) {
		struct disk_parameters p = flash;
		_cleanup_(disk_model_freep) struct disk_model *m = NULL;
		struct disk_request before, flush, after;

		p.exclusive_flush = alone;
		m = make(p);
		submit(m, &before, DISK_READ, 0, MIB, 0);
		submit(m, &flush, DISK_FLUSH, 0, 0, 1 * MS);
		submit(m, &after, DISK_READ, MIB, MIB, 2 * MS);
		all_done(m, 3);
		assert_int_equal(flush.done, alone ? before.done + 5 * MS : 6 * MS);
		assert_int_equal(after.start, alone ? flush.done : before.end);
	}
}

static void test_head_streams_without_turns(void **state)
{
	(void)state;
	for (int op = DISK_READ; op <= DISK_WRITE; op++) {
		_cleanup_(disk_model_freep) struct disk_model *m = make(platter);
		struct disk_request r[64];

		for (int i = 0; i < 64; i++)
			submit(m, &r[i], (enum disk_op)op, i * MIB, MIB, 0);
		all_done(m, 64);
		/* At time 0 the platter is at offset 0, and the head as well. */
		assert_int_equal(r[63].end, 64 * MIB_TIME);
	}
}

/* Each comes 10 us after the one before has ended: its sector is still met. 50 us: it comes round
 * again. */
static void test_head_sorts_what_came_at_once(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(platter);
	static const int order[] = {0, 2, 1, 4, 7, 3, 6, 5};
	struct disk_request r[9];

	(void)state;
	for (int i = 0; i < 8; i++)
		submit(m, &r[i], DISK_READ, order[i] * MIB, MIB, i * 10 * US);
	/* Too late to be of them, although it lies before most. */
	submit(m, &r[8], DISK_READ, MIB / 2, 4096, 2 * MS);
	for (int i = 0; i < 8; i++)
		assert_int_equal(next_done(m)->offset, i * MIB);
	assert_int_equal(r[4].end, 8 * MIB_TIME);
	assert_ptr_equal(next_done(m), &r[8]);
}

static void test_late_writes_miss_a_turn(void **state)
{
	(void)state;
	for (int missed = 0; missed < 2; missed++) {
		_cleanup_(disk_model_freep) struct disk_model *m = make(platter);
		struct disk_request r = {0};

		for (int i = 0; i < 64; i++) {
			submit(m, &r, DISK_WRITE, i * MIB, MIB, r.end + (missed ? 50 : 10) * US);
			all_done(m, 1);
		}
		assert_int_equal(r.end, (missed ? 128 : 64) * MIB_TIME);
	}
}

/* Half a track further: half a turn. Half the disk further: 1 + 8 * sqrt(1/2) ms, and the rest of a
 * turn. */
static void test_head_seeks_and_waits_for_the_platter(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(platter);
	struct disk_request r;

	(void)state;
	submit(m, &r, DISK_READ, MIB / 2, 0, 0);
	assert_int_equal(next_done(m)->end, MIB_TIME / 2);
	submit(m, &r, DISK_READ, 512 * MIB + MIB / 2, 0, MIB_TIME / 2);
	assert_int_equal(next_done(m)->end, MIB_TIME / 2 + MIB_TIME);
	/* 6.66 ms is within one turn of 7.8. */
	submit(m, &r, DISK_READ, 0, 0, 2 * MIB_TIME);
	assert_int_equal(next_done(m)->end, 3 * MIB_TIME);
}

/* Behind the last byte of the header come the data, far away; the head is still at the header. */
static void test_the_end_of_the_header_is_near_its_start(void **state)
{
	struct disk_parameters p = platter;
	struct disk_model *m;
	struct disk_request r;
	int64_t end;

	(void)state;
	p.data_place = 512 * MIB;
	m = make(p);
	submit(m, &r, DISK_READ, p.header_size - 4096, 4096, 0);
	end = next_done(m)->end;
	submit(m, &r, DISK_READ, MIB / 2, 0, end);
	/* 2 ms to get there; from the data it would be 6.7 ms, and another turn. */
	assert_in_range(next_done(m)->end, end + MIB_TIME / 2 - 10, end + MIB_TIME / 2 + 10);
	submit(m, &r, DISK_READ, p.header_size, 0, r.end);
	assert_true(next_done(m)->end - end > MIB_TIME);
	disk_model_free(m);
}

static void test_cache_takes_writes_until_it_is_full(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(with_cache());
	struct disk_request r[128];

	(void)state;
	for (int i = 0; i < 128; i++)
		submit(m, &r[i], DISK_WRITE, i * MIB, MIB, 0);
	all_done(m, 128);
	/* The cache has room for 64 MiB while the first is written back, at the link's speed ... */
	assert_int_equal(r[63].done, 64 * MIB_TIME / 4);
	/* ... and later ones enter at that of the platter. */
	assert_in_range(r[127].done, 63 * MIB_TIME, 66 * MIB_TIME);
}

static void test_flush_empties_the_cache(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(with_cache());
	struct disk_request w[32], flush, after;

	(void)state;
	for (int i = 0; i < 32; i++)
		submit(m, &w[i], DISK_WRITE, i * MIB, MIB, 0);
	submit(m, &flush, DISK_FLUSH, 0, 0, 0);
	submit(m, &after, DISK_WRITE, 0, 4096, 1 * MS);
	all_done(m, 34);
	/* The head begins with what is in the cache first, so it misses no turn. */
	assert_in_range(flush.done, 32 * MIB_TIME + 1 * MS, 34 * MIB_TIME + 1 * MS);
	assert_int_equal(after.start, flush.done);
}

/* Reads come before write-back, as long as the cache is not nearly full. */
static void test_reads_before_write_back(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(with_cache());
	struct disk_request read[2], write;

	(void)state;
	submit(m, &read[0], DISK_READ, 100 * MIB, MIB, 0);
	submit(m, &write, DISK_WRITE, 0, MIB, 0);
	submit(m, &read[1], DISK_READ, 101 * MIB, MIB, 0);
	all_done(m, 3);
	assert_int_equal(read[1].end, read[0].end + MIB_TIME);
	/* What is in the cache is read from there, while the head is elsewhere. */
	submit(m, &read[0], DISK_READ, 100 * MIB, MIB, 900 * MS);
	submit(m, &write, DISK_WRITE, 0, 4096, 900 * MS);
	submit(m, &read[1], DISK_READ, 0, 4096, 900 * MS);
	all_done(m, 3);
	assert_true(read[1].done - 900 * MS < MIB_TIME);
}

/* Two endless streams: both get on, each with about half of the rate less what seeks and turns
 * take. */
static void test_no_stream_starves(void **state)
{
	_cleanup_(disk_model_freep) struct disk_model *m = make(with_cache());
	struct disk_request r[2][16];
	int64_t next[2] = {0, 512 * MIB}, end = 0;

	(void)state;
	for (int i = 0; i < 32; i++) {
		submit(m, &r[i % 2][i / 2], i % 2 ? DISK_WRITE : DISK_READ, next[i % 2], MIB, 0);
		next[i % 2] += MIB;
	}
	while (end < 4000 * MS) {
		struct disk_request *done = next_done(m);
		const int op = done->op;

		end = done->done;
		submit(m, done, done->op, next[op], MIB, end);
		next[op] += MIB;
	}
	/* 512 MiB in 4 s; the cache still has some of the writes. */
	assert_in_range(next[DISK_READ], 180 * MIB, 256 * MIB);
	assert_in_range(next[DISK_WRITE] - 512 * MIB, 180 * MIB, 360 * MIB);
}

static void test_parameters(void **state)
{
	struct disk_parameters p = {0};
	struct disk_model *m;

	(void)state;
	assert_int_not_equal(disk_parameters_set(&p, "speed", 1), 0);
	assert_int_equal(disk_parameters_set(&p, "flush_time", 5), 0);
	assert_int_equal(p.flush_time, 5);
	assert_int_not_equal(disk_model_new(&p, NULL, NULL, &m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latencies_overlap),
		cmocka_unit_test(test_duplex),
		cmocka_unit_test(test_small_requests_meet_the_iops),
		cmocka_unit_test(test_order_and_fairness),
		cmocka_unit_test(test_flush_beside_reads_or_alone),
		cmocka_unit_test(test_head_streams_without_turns),
		cmocka_unit_test(test_head_sorts_what_came_at_once),
		cmocka_unit_test(test_late_writes_miss_a_turn),
		cmocka_unit_test(test_head_seeks_and_waits_for_the_platter),
		cmocka_unit_test(test_the_end_of_the_header_is_near_its_start),
		cmocka_unit_test(test_cache_takes_writes_until_it_is_full),
		cmocka_unit_test(test_flush_empties_the_cache),
		cmocka_unit_test(test_reads_before_write_back),
		cmocka_unit_test(test_no_stream_starves),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
