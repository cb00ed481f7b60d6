/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The size of the next hotzone on disks of which only the times are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pace/stall.h"
#include "util/checked.h"

#define MS    UINT64_C(1000)
#define MIB   (UINT64_C(1) << 20)
#define MAX_  (16 * MIB)
#define BLOCK UINT32_C(4096)

/* A disk with a fixed time for a freeze, and a speed. */
struct plant {
	double fixed;              /* microseconds, flushes and seeks included */
	uint64_t bytes_per_second; /* read, converted and written */
};

static double data_time(const struct plant *p, uint64_t size)
{
	return (double)size * 1e6 / (double)p->bytes_per_second;
}

/* What is seen of a hotzone of @size bytes that was frozen for @frozen. */
static void see(struct stall *s, uint64_t size, double frozen, uint64_t target)
{
	const struct stall_sample sample = {.size = size, .frozen = (uint64_t)frozen};

	stall_update(s, &sample, target, BLOCK, MAX_);
	assert_in_range(s->size, BLOCK, MAX_);
	assert_in_range(stall_next_size(s), BLOCK, MAX_);
}

static uint64_t next_size(const struct stall *s)
{
	return round_down_u64(stall_next_size(s), BLOCK);
}

/* One hotzone, of whole blocks; how long it was frozen. */
static uint64_t step(struct stall *s, const struct plant *p, uint64_t target)
{
	const uint64_t size = next_size(s);
	const double frozen = p->fixed + data_time(p, size);

	see(s, size, frozen, target);
	return (uint64_t)frozen;
}

static void steps(struct stall *s, const struct plant *p, uint64_t target, unsigned n)
{
	while (n-- > 0)
		(void)step(s, p, target);
}

static const struct plant ssd = {.fixed = 1.4 * MS, .bytes_per_second = 200 * MIB};
static const struct plant card = {.fixed = 8 * MS, .bytes_per_second = 4 * MIB};
/* Its flushes alone take longer than 50 ms. */
static const struct plant old_disk = {.fixed = 85 * MS, .bytes_per_second = 50 * MIB};
static const struct plant memory = {.fixed = 200, .bytes_per_second = 1 << 30};

static void sizes_grow_to_the_target_and_stay(void **state)
{
	static const struct plant *const plants[] = {&ssd, &card};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plants); i++) {
		struct stall s = {.size = STALL_FIRST_SIZE};
		unsigned varied = 0;

		for (unsigned n = 0; n < 3000; n++) {
			const uint64_t before = s.size, is_varied = s.varied;
			const uint64_t frozen = step(&s, plants[i], 50 * MS);

			assert_in_range(frozen, 0, 50 * MS);
			assert_in_range(s.size, before - BLOCK, 2 * before);
			varied += s.varied > 0;
			/* A sixth less at first, a sixteenth in the end; but for those of half
			 * the size. */
			if (n > 20 && is_varied == 0)
				assert_in_range(frozen, 40 * MS, 47 * MS);
		}
		assert_in_range(data_time(plants[i], s.size) + plants[i]->fixed, 46 * MS, 47 * MS);
		assert_in_range(varied, 3000 / 9, 3000 / 8);
	}
}

static void sizes_end_at_the_most_that_is_wanted(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};

	(void)state;
	steps(&s, &memory, 50 * MS, 15);
	for (unsigned n = 0; n < 50; n++) {
		assert_int_equal(stall_next_size(&s), MAX_);
		(void)step(&s, &memory, 50 * MS);
	}
}

static void slower_disk_gets_smaller_ones_within_few(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	struct plant slow = ssd;
	unsigned n = 0;

	(void)state;
	steps(&s, &ssd, 50 * MS, 100);
	slow.bytes_per_second /= 100;
	while (step(&s, &slow, 50 * MS) > 50 * MS)
		n++;
	/* 4 s are 80 times the target. Four that are halved show how the disk is now. */
	assert_in_range(n, 1, 5);
	for (n = 0; n < 100; n++)
		assert_in_range(step(&s, &slow, 50 * MS), 15 * MS, 50 * MS);
}

static void faster_disk_gets_larger_ones_within_few(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	struct plant slow = ssd;

	(void)state;
	slow.bytes_per_second /= 100;
	steps(&s, &slow, 50 * MS, 100);
	steps(&s, &ssd, 50 * MS, 30);
	assert_in_range(data_time(&ssd, s.size), 30 * MS, 48 * MS);
}

static void target_may_change_at_any_time(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	uint64_t large;

	(void)state;
	steps(&s, &ssd, 50 * MS, 100);
	large = s.size;
	(void)step(&s, &ssd, 10 * MS);
	for (unsigned n = 0; n < 20; n++)
		assert_in_range(step(&s, &ssd, 10 * MS), 1 * MS, 10 * MS);
	assert_true(s.size < large / 2);
	steps(&s, &ssd, 50 * MS, 100);
	assert_in_range(s.size, large - large / 16, large + large / 16);
}

/*
 * Where the fixed time is over the target, bytes and fixed time get the same time; where it
 * is less, the target is kept.
 */
static void half_the_speed_is_left_where_the_target_is_out_of_reach(void **state)
{
	static const uint64_t first_sizes[] = {BLOCK, STALL_FIRST_SIZE, MAX_};
	struct plant flush_only = {.fixed = 300 * MS, .bytes_per_second = 1 << 30};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(first_sizes); i++) {
		struct stall s = {.size = first_sizes[i]};

		steps(&s, &old_disk, 50 * MS, 60);
		assert_true(s.is_out_of_reach);
		assert_in_range(s.fixed, 84 * MS, 86 * MS);
		assert_in_range(data_time(&old_disk, s.size), 80 * MS, 90 * MS);
		/* 200 ms can be kept. */
		steps(&s, &old_disk, 200 * MS, 30);
		assert_false(s.is_out_of_reach);
		for (unsigned n = 0; n < 100; n++)
			assert_in_range(step(&s, &old_disk, 200 * MS), 100 * MS, 200 * MS);
		steps(&s, &old_disk, 50 * MS, 60);
		assert_in_range(data_time(&old_disk, s.size), 80 * MS, 90 * MS);
		steps(&s, &flush_only, 50 * MS, 100);
		assert_int_equal(s.size, MAX_);
	}
}

/* A quarter of the speed is left just within reach. */
static void target_within_reach_is_kept(void **state)
{
	const struct plant near = {.fixed = 36 * MS, .bytes_per_second = 100 * MIB};
	struct stall s = {.size = STALL_FIRST_SIZE};

	(void)state;
	for (unsigned n = 0; n < 1000; n++)
		assert_in_range(step(&s, &near, 50 * MS), 36 * MS, 50 * MS);
	assert_false(s.is_out_of_reach);
	assert_in_range(data_time(&near, s.size), 10 * MS, 13 * MS);
}

/* Times that jump up and down by a factor of 8 around what size and disk say. */
static void noise_starves_nobody(void **state)
{
	const uint32_t noise[] = {3, 8, 1, 4, 2, 8, 1, 1, 5, 2, 7, 1, 3, 2, 1, 6};
	struct stall s = {.size = MIB};
	uint64_t sum = 0;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		const uint64_t size = next_size(&s);
		const double fixed = 10 * MS * (noise[n % 16] + noise[n % 13] + noise[n % 11]);

		/* Not even reached with no bytes at all. */
		see(&s, size, fixed + data_time(&old_disk, size), 20 * MS);
		sum += size;
	}
	/* 100 ms are fixed, so 50 MiB/s make 5 MiB of it. */
	assert_in_range(sum / 1000, 2 * MIB, 10 * MIB);
}

/* What is aimed at sinks, but no size makes up for halts. */
static void a_machine_that_halts_now_and_then_starves_nobody(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	double sum = 0;

	(void)state;
	for (unsigned n = 0; n < 10000; n++) {
		const uint64_t size = next_size(&s);

		see(&s, size, 20 * MS + data_time(&ssd, size) + (n % 20 ? 0 : 100 * MS), 50 * MS);
		sum += data_time(&ssd, size);
	}
	/* A third of the fixed time, and less for some hotzones after each halt. */
	assert_true(sum / 10000 > 5 * MS);
	assert_false(s.is_out_of_reach);
}

/* Nothing tells the fixed time and the bytes apart then. */
static void one_size_leaves_the_model_as_it_was(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};

	(void)state;
	steps(&s, &old_disk, 200 * MS, 100);
	/* A rate limit. */
	for (unsigned n = 0; n < 200; n++)
		see(&s, 4 * BLOCK, old_disk.fixed + data_time(&old_disk, 4 * BLOCK), 200 * MS);
	assert_in_range(s.fixed, 83 * MS, 87 * MS);
	assert_in_range(1e6 / s.per_byte, 49 * MIB, 51 * MIB);
	/* So a new target is judged rightly, too. */
	for (unsigned n = 0; n < 16; n++)
		see(&s, 4 * BLOCK, old_disk.fixed + data_time(&old_disk, 4 * BLOCK), 50 * MS);
	assert_true(s.is_out_of_reach);
}

/* A time whose deviation is @percent: a sum of eight even ones is near a bell curve, 1020 +- 209.
 */
static double vary(uint64_t *seed, double usec, double percent)
{
	double sum = 0;

	for (unsigned i = 0; i < 8; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		sum += (double)((*seed >> 33) % 256);
	}
	/* Nothing takes less than an eighth of the usual. */
	return usec * MAX(1 + (sum - 1020) / 209 * percent / 100, 0.125);
}

/*
 * Deviations of 20, 35 and 10 % (of the latter, one of a hundred three times as long): more than
 * half the target is too much to aim at then, and as little as a sixth would be a waste.
 */
static void one_in_a_thousand_is_over_the_target(void **state)
{
	static const struct {
		double percent, least_mean;
		unsigned slow_one_in;
	} disks[] = {{20, 20 * MS, 0}, {35, 15 * MS, 0}, {10, 12 * MS, 100}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		struct stall s = {.size = STALL_FIRST_SIZE};
		uint64_t seed = 1, over = 0;
		const unsigned all = 40000;
		double sum = 0;

		for (unsigned n = 0; n < all; n++) {
			const uint64_t size = next_size(&s);
			double data = vary(&seed, data_time(&ssd, size), disks[i].percent), frozen;

			if (disks[i].slow_one_in && n % disks[i].slow_one_in == 0)
				data *= 3;
			frozen = data + vary(&seed, 4 * MS, disks[i].percent);
			over += frozen > 50 * MS;
			sum += frozen;
			see(&s, size, frozen, 50 * MS);
		}
		assert_in_range(over, 0, all / 1000);
		assert_in_range(sum / all, disks[i].least_mean, 35 * MS);
	}
}

/*
 * The disks of bench/disks, with the fixed time and the speed that their freezes show, and by how
 * much these vary. The least speeds are shares of what the disk does without the fixed time:
 *
 *     half of it where 50 ms are out of reach, less the hotzones of half the size;
 *     else (target - margin - fixed) / (target - margin), with 3 deviations for the margin.
 */
struct model {
	const char *name;
	double fixed, percent; /* as for vary() */
	uint64_t mib_per_second;
	double least_at_50, least_at_200;
	bool is_out_at_50;
};

static const struct model models[] = {
	{"hdd", 110 * MS, 7, 80, 0.45, 0.3, true},
	{"hdd-nocache", 110 * MS, 9, 72, 0.45, 0.3, true},
	{"sata-ssd", 18 * MS, 8, 225, 0.5, 0.78, false},
	/* Hotzones of 16 MiB end before the target. */
	{"nvme", 7.5 * MS, 8, 550, 0.75, 0.75, false},
	{"nvme-plp", 2.5 * MS, 8, 560, 0.9, 0.9, false},
	{"cloud", 21 * MS, 8, 57, 0.43, 0.8, false},
	{"network", 52 * MS, 5, 140, 0.45, 0.65, true},
};

/* Runs @n hotzones. Returns the share of the disk's speed, and how many were over @target. */
static double run(struct stall *s, const struct model *m, uint64_t target, unsigned n,
		  uint64_t *ret_over)
{
	const struct plant p = {.bytes_per_second = m->mib_per_second * MIB};
	double usec = 0, data = 0;
	uint64_t seed = 1;

	*ret_over = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint64_t size = next_size(s);
		const double frozen = vary(&seed, m->fixed, m->percent) +
				      vary(&seed, data_time(&p, size), m->percent);

		*ret_over += frozen > (double)target;
		usec += frozen;
		data += data_time(&p, size);
		see(s, size, frozen, target);
	}
	return data / usec;
}

static void disks_of_the_bench_reach_their_speeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		const struct model *m = &models[i];
		struct stall at_50 = {.size = STALL_FIRST_SIZE}, at_200 = at_50;
		uint64_t over;

		/* The first seconds are hardly slower. */
		assert_true(run(&at_50, m, 50 * MS, 100, &over) >= m->least_at_50 * 0.9);
		assert_true(run(&at_50, m, 50 * MS, 10000, &over) >= m->least_at_50);
		assert_int_equal(at_50.is_out_of_reach, m->is_out_at_50);
		if (!m->is_out_at_50)
			assert_in_range(over, 0, 10);
		assert_true(run(&at_200, m, 200 * MS, 10000, &over) >= m->least_at_200);
		assert_false(at_200.is_out_of_reach);
		assert_in_range(over, 0, 10);
	}
}

static void never_less_than_a_block(void **state)
{
	const struct plant stuck = {.fixed = 0, .bytes_per_second = 4096};
	struct stall s = {.size = MAX_};

	(void)state;
	steps(&s, &stuck, 50 * MS, 50);
	assert_int_equal(s.size, BLOCK);
}

static void grows_from_a_block_again(void **state)
{
	struct stall s = {.size = BLOCK};

	(void)state;
	steps(&s, &ssd, 50 * MS, 60);
	assert_true(s.size > MIB);
}

static void one_slow_hotzone_is_made_up_for(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	uint64_t before;

	(void)state;
	steps(&s, &ssd, 50 * MS, 100);
	before = s.size;
	see(&s, next_size(&s), 1000 * MS, 50 * MS);
	assert_in_range(s.size, before / 2 - BLOCK, before / 2);
	steps(&s, &ssd, 50 * MS, 5);
	/* One step of the margin. */
	assert_in_range(s.size, before * 3 / 4, before);
}

/* A rate limit makes them shorter: how long a long one takes is not known from that. */
static void what_was_cut_shorter_lets_nothing_grow(void **state)
{
	struct stall s = {.size = MIB};

	(void)state;
	see(&s, BLOCK, MS, 50 * MS);
	assert_int_equal(s.size, MIB);
	see(&s, 2 * BLOCK, 200 * MS, 50 * MS);
	assert_int_equal(s.size, BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_grow_to_the_target_and_stay),
		cmocka_unit_test(sizes_end_at_the_most_that_is_wanted),
		cmocka_unit_test(slower_disk_gets_smaller_ones_within_few),
		cmocka_unit_test(faster_disk_gets_larger_ones_within_few),
		cmocka_unit_test(target_may_change_at_any_time),
		cmocka_unit_test(half_the_speed_is_left_where_the_target_is_out_of_reach),
		cmocka_unit_test(target_within_reach_is_kept),
		cmocka_unit_test(noise_starves_nobody),
		cmocka_unit_test(a_machine_that_halts_now_and_then_starves_nobody),
		cmocka_unit_test(one_size_leaves_the_model_as_it_was),
		cmocka_unit_test(one_in_a_thousand_is_over_the_target),
		cmocka_unit_test(disks_of_the_bench_reach_their_speeds),
		cmocka_unit_test(never_less_than_a_block),
		cmocka_unit_test(grows_from_a_block_again),
		cmocka_unit_test(one_slow_hotzone_is_made_up_for),
		cmocka_unit_test(what_was_cut_shorter_lets_nothing_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
