/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The size of the next hotzone on disks of which only the times are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/stall.h"
#include "util/checked.h"

#define MS    UINT64_C(1000)
#define MIB   (UINT64_C(1) << 20)
#define MAX_  (16 * MIB)
#define BLOCK UINT32_C(4096)

/* A disk with a fixed time for a hotzone, @commit for each commit, and a speed. */
struct plant {
	uint64_t fixed, commit;    /* microseconds */
	uint64_t bytes_per_second; /* read, converted and written */
};

static uint64_t data_time(const struct plant *p, uint64_t size)
{
	return size * 1000000 / p->bytes_per_second;
}

/* One hotzone, of whole blocks; how long it was frozen. */
static uint64_t step(struct stall *s, const struct plant *p, uint64_t target)
{
	struct stall_sample sample = {.size = round_down_u64(s->size, BLOCK), .commit = p->commit};

	sample.data = data_time(p, sample.size) + p->commit;
	sample.frozen = p->fixed + 2 * p->commit + sample.data;
	stall_update(s, &sample, target, BLOCK, MAX_);
	assert_in_range(s->size, BLOCK, MAX_);
	return sample.frozen;
}

static const struct plant ssd = {.fixed = MS, .commit = 200, .bytes_per_second = 200 * MIB};
static const struct plant card = {.fixed = 2 * MS, .commit = 2 * MS, .bytes_per_second = 4 * MIB};
/* Its flushes alone take longer than 50 ms. */
static const struct plant old_disk = {
	.fixed = 10 * MS, .commit = 25 * MS, .bytes_per_second = 50 * MIB};
static const struct plant memory = {.fixed = 100, .commit = 50, .bytes_per_second = 1 << 30};

static void sizes_grow_to_half_the_target_and_stay(void **state)
{
	static const struct plant *const plants[] = {&ssd, &card};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plants); i++) {
		struct stall s = {.size = STALL_FIRST_SIZE};
		uint64_t size, frozen = 0;

		for (unsigned n = 0; n < 100; n++) {
			const uint64_t before = s.size;

			frozen = step(&s, plants[i], 50 * MS);
			assert_in_range(frozen, 0, 50 * MS);
			assert_in_range(s.size, before, before + before / 4);
		}
		assert_in_range(frozen, 25 * MS, 27 * MS);
		size = s.size;
		for (unsigned n = 0; n < 100; n++) {
			(void)step(&s, plants[i], 50 * MS);
			assert_int_equal(s.size, size);
		}
	}
}

static void sizes_end_at_the_most_that_is_wanted(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};

	(void)state;
	for (unsigned n = 0; n < 50; n++)
		(void)step(&s, &memory, 50 * MS);
	assert_int_equal(s.size, MAX_);
}

static void slower_disk_gets_smaller_ones_within_few(void **state)
{
	struct stall s = {.size = 10 * MIB};
	struct plant slow = ssd;
	unsigned n = 0;

	(void)state;
	slow.bytes_per_second /= 100;
	while (step(&s, &slow, 50 * MS) > 50 * MS)
		n++;
	/* 5 s are 100 times the target: 7 halves. */
	assert_in_range(n, 1, 8);
	for (n = 0; n < 100; n++)
		assert_in_range(step(&s, &slow, 50 * MS), 15 * MS, 50 * MS);
}

static void target_may_change_at_any_time(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};
	uint64_t large, frozen = 0;

	(void)state;
	for (unsigned n = 0; n < 100; n++)
		(void)step(&s, &ssd, 50 * MS);
	large = s.size;
	for (unsigned n = 0; n < 20; n++)
		frozen = step(&s, &ssd, 10 * MS);
	assert_in_range(frozen, 4 * MS, 10 * MS);
	assert_true(s.size < large / 2);
	for (unsigned n = 0; n < 100; n++)
		(void)step(&s, &ssd, 50 * MS);
	assert_in_range(s.size, large - large / 16, large + large / 16);
}

static void no_throughput_is_lost_for_nothing(void **state)
{
	struct stall s = {.size = MAX_};
	struct plant flush_only = {.fixed = MS, .commit = 100 * MS, .bytes_per_second = 1 << 30};

	(void)state;
	for (unsigned n = 0; n < 200; n++)
		(void)step(&s, &old_disk, 50 * MS);
	/* 85 ms are for flushes; between an eighth and a quarter of all is for the bytes. */
	assert_in_range(data_time(&old_disk, s.size), 12 * MS, 29 * MS);
	s.size = BLOCK;
	for (unsigned n = 0; n < 200; n++)
		(void)step(&s, &old_disk, 50 * MS);
	assert_in_range(data_time(&old_disk, s.size), 12 * MS, 29 * MS);
	s.size = MAX_;
	for (unsigned n = 0; n < 200; n++)
		(void)step(&s, &flush_only, 50 * MS);
	assert_int_equal(s.size, MAX_);
}

/* Times that jump up and down by a factor of 8 around what size and disk say. */
static void noise_starves_nobody(void **state)
{
	const uint32_t noise[] = {3, 8, 1, 4, 2, 8, 1, 1, 5, 2, 7, 1, 3, 2, 1, 6};
	struct stall s = {.size = MIB};

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		const uint64_t commit = 10 * MS * noise[n % 16];
		struct stall_sample sample = {.size = round_down_u64(s.size, BLOCK)};

		sample.commit = 10 * MS * noise[n % 13];
		sample.data = 10 * MS * noise[n % 11] + data_time(&old_disk, sample.size);
		sample.frozen = commit + sample.commit + sample.data;
		/* Not even reached with no bytes at all, most of the time. */
		stall_update(&s, &sample, 20 * MS, BLOCK, MAX_);
	}
	assert_true(s.size > 32 * BLOCK);
}

/* What is aimed at sinks below the fixed time, and that no size makes up for. */
static void a_machine_that_halts_now_and_then_starves_nobody(void **state)
{
	struct stall s = {.size = STALL_FIRST_SIZE};

	(void)state;
	for (unsigned n = 0; n < 10000; n++) {
		struct stall_sample sample = {.size = round_down_u64(s.size, BLOCK),
					      .commit = 2 * MS};

		sample.data = 2 * MS + data_time(&ssd, sample.size) + (n % 20 ? 0 : 100 * MS);
		sample.frozen = 16 * MS + sample.data;
		stall_update(&s, &sample, 50 * MS, BLOCK, MAX_);
	}
	assert_in_range(data_time(&ssd, s.size), 2 * MS, 50 * MS);
}

/* A time that varies by @spread / 20: a sum of eight even ones is near a bell curve, 1020 +- 209.
 */
static uint64_t vary(uint64_t *seed, uint64_t usec, uint64_t spread)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 8; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		sum += (*seed >> 33) % 256;
	}
	/* Nothing takes less than an eighth of the usual. */
	sum = MAX(sum * spread + 4080, 1020 * spread + 510) - 1020 * spread;
	return usec * sum / 4080;
}

/*
 * Deviations of 20, 35 and 10 % (of the latter, one of a hundred three times as long): half the
 * target is too much to aim at then, and as little as a sixth would be a waste.
 */
static void one_in_a_thousand_is_over_the_target(void **state)
{
	static const struct {
		uint64_t spread, slow_one_in, least_mean;
	} disks[] = {{4, 0, 20 * MS}, {7, 0, 15 * MS}, {2, 100, 12 * MS}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		struct stall s = {.size = STALL_FIRST_SIZE};
		uint64_t seed = 1, over = 0, sum = 0;
		const unsigned all = 40000;

		for (unsigned n = 0; n < all; n++) {
			struct stall_sample sample = {.size = round_down_u64(s.size, BLOCK),
						      .commit = ssd.commit};

			sample.data = vary(&seed, data_time(&ssd, sample.size), disks[i].spread);
			if (disks[i].slow_one_in && n % disks[i].slow_one_in == 0)
				sample.data *= 3;
			sample.frozen = sample.data + vary(&seed, 4 * MS, disks[i].spread);
			over += sample.frozen > 50 * MS;
			sum += sample.frozen;
			stall_update(&s, &sample, 50 * MS, BLOCK, MAX_);
		}
		assert_in_range(over, 0, all / 1000);
		assert_in_range(sum / all, disks[i].least_mean, 30 * MS);
	}
}

static void never_less_than_a_block(void **state)
{
	const struct plant stuck = {.fixed = 0, .commit = 0, .bytes_per_second = 4096};
	struct stall s = {.size = MAX_};

	(void)state;
	for (unsigned n = 0; n < 50; n++)
		(void)step(&s, &stuck, 50 * MS);
	assert_int_equal(s.size, BLOCK);
}

static void grows_from_a_block_again(void **state)
{
	struct stall s = {.size = BLOCK};

	(void)state;
	for (unsigned n = 0; n < 60; n++)
		(void)step(&s, &ssd, 50 * MS);
	assert_true(s.size > MIB);
}

static void one_slow_hotzone_is_made_up_for(void **state)
{
	const struct stall_sample hiccup = {.size = MIB, .frozen = 1000 * MS, .data = 900 * MS};
	struct stall s = {.size = MIB};
	unsigned n = 0;

	(void)state;
	stall_update(&s, &hiccup, 50 * MS, BLOCK, MAX_);
	assert_int_equal(s.size, MIB / 2);
	for (; s.size < MIB; n++)
		(void)step(&s, &ssd, 50 * MS);
	assert_in_range(n, 1, 4);
}

/* A rate limit makes them shorter: how long a long one takes is not known from that. */
static void what_was_cut_shorter_lets_nothing_grow(void **state)
{
	const struct stall_sample cut = {.size = BLOCK, .frozen = MS, .data = MS};
	const struct stall_sample cut_and_slow = {
		.size = 2 * BLOCK, .frozen = 200 * MS, .data = 190 * MS};
	struct stall s = {.size = MIB};

	(void)state;
	stall_update(&s, &cut, 50 * MS, BLOCK, MAX_);
	assert_int_equal(s.size, MIB);
	stall_update(&s, &cut_and_slow, 50 * MS, BLOCK, MAX_);
	assert_int_equal(s.size, BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_grow_to_half_the_target_and_stay),
		cmocka_unit_test(sizes_end_at_the_most_that_is_wanted),
		cmocka_unit_test(slower_disk_gets_smaller_ones_within_few),
		cmocka_unit_test(target_may_change_at_any_time),
		cmocka_unit_test(no_throughput_is_lost_for_nothing),
		cmocka_unit_test(noise_starves_nobody),
		cmocka_unit_test(a_machine_that_halts_now_and_then_starves_nobody),
		cmocka_unit_test(one_in_a_thousand_is_over_the_target),
		cmocka_unit_test(never_less_than_a_block),
		cmocka_unit_test(grows_from_a_block_again),
		cmocka_unit_test(one_slow_hotzone_is_made_up_for),
		cmocka_unit_test(what_was_cut_shorter_lets_nothing_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
