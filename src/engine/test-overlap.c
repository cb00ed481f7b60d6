/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which way hotzones are done, on disks that are computed: a disk is what its bytes and flushes
 * take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/overlap.h"
#include "util/checked.h"
#include "util/log.h"

#define MIB UINT64_C(1048576)

struct model {
	double read, write; /* microseconds for each MiB */
	double header;      /* for all that one hotzone does there */
	bool duplex;        /* reads and writes at once */
	double seek;        /* what each MiB costs more where reads and writes alternate */
};

static const struct model hdd = {5800, 5800, 100000, false, 2000};
static const struct model network = {3500, 3500, 25000, true, 0};
static const struct model nvme = {870, 870, 5000, true, 0};

/* What the engine has read of the next hotzone while it wrote the one before. */
struct run {
	struct overlap o;
	const struct model *m;
	bool read;     /* the next hotzone was read ahead, and has */
	uint64_t size; /* so many bytes */
	double left;   /* microseconds: of that not yet */
};

static double mib(uint64_t bytes)
{
	return (double)bytes / (double)MIB;
}

/* Writes @n MiB and reads @next at once: microseconds until all is written. */
static double store(struct run *r, double n, double next)
{
	const struct model *m = r->m;
	const double write = n * m->write, read = next * m->read;

	if (m->duplex)
		r->left = MAX(read - write, 0.0);
	return m->duplex ? write : write + read + MIN(n, next) * m->seek;
}

/* One hotzone, as convert_hotzones() does it: bytes. */
static uint64_t run(struct run *r)
{
	const uint64_t size = r->read ? r->size : overlap_size(&r->o);
	const double load = r->read ? r->left : mib(size) * r->m->read;
	struct overlap_sample s = {.size = size, .load = (uint64_t)load};

	r->left = 0;
	r->read = r->o.beside;
	r->size = r->read ? overlap_size(&r->o) : 0;
	s.data = s.load + (uint64_t)store(r, mib(size), mib(r->size));
	s.cycle = s.data + (uint64_t)r->m->header;
	overlap_update(&r->o, &s);
	return size;
}

static void begin(struct run *r, const struct model *m, uint64_t beside_max, uint64_t alone_max,
		  uint64_t left)
{
	*r = (struct run){.m = m};
	overlap_begin(&r->o, beside_max, alone_max, left);
}

/* Hotzones until it is decided: bytes. */
static uint64_t try_it(struct run *r)
{
	uint64_t bytes = 0;

	while (r->o.phase != OVERLAP_DECIDED) {
		bytes += run(r);
		assert_true(bytes < 300 * MIB);
	}
	return bytes;
}

static void a_disk_that_does_both_at_once_reads_ahead(void **state)
{
	struct run r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&r, i == 0 ? &network : &nvme, 48 * MIB, 96 * MIB, 1024 * MIB);
		assert_true(r.o.beside);
		assert_int_equal(overlap_size(&r.o), OVERLAP_TRIAL_SIZE);
		assert_int_equal(try_it(&r), 3 * OVERLAP_TRIAL_SIZE);
		assert_true(r.o.beside);
		assert_int_equal(overlap_size(&r.o), 48 * MIB);
	}
}

static void a_disk_that_seeks_takes_one_after_the_other(void **state)
{
	struct run r;

	(void)state;
	begin(&r, &hdd, 48 * MIB, 96 * MIB, 1024 * MIB);
	assert_int_equal(try_it(&r), 5 * OVERLAP_TRIAL_SIZE);
	assert_false(r.o.beside);
	assert_int_equal(overlap_size(&r.o), 96 * MIB);
}

/* Both at once, but the writes are what takes long: only a comparison tells. */
static void slow_writes_are_compared(void **state)
{
	const struct model slow_writes = {1000, 3000, 5000, true, 0};
	struct run r;

	(void)state;
	begin(&r, &slow_writes, 48 * MIB, 96 * MIB, 1024 * MIB);
	assert_int_equal(try_it(&r), 5 * OVERLAP_TRIAL_SIZE);
	assert_true(r.o.beside);
}

/* A journal's hotzone is no larger for having the memory of two. */
static void where_none_can_be_larger_only_the_bytes_count(void **state)
{
	const struct model simplex = {2000, 2000, 16000, false, 0};
	struct run r;

	(void)state;
	begin(&r, &simplex, 15 * MIB, 15 * MIB, 1024 * MIB);
	(void)try_it(&r);
	assert_true(r.o.beside);
	assert_int_equal(overlap_size(&r.o), 15 * MIB);
	begin(&r, &hdd, 15 * MIB, 15 * MIB, 1024 * MIB);
	(void)try_it(&r);
	assert_false(r.o.beside);
}

static void a_small_volume_is_not_tried_on(void **state)
{
	struct overlap o;

	(void)state;
	overlap_begin(&o, 48 * MIB, 96 * MIB, 100 * MIB);
	assert_true(o.beside && overlap_size(&o) == 48 * MIB);
	for (int i = 0; i < 1000; i++)
		overlap_update(&o, &(struct overlap_sample){.size = 48 * MIB, .cycle = 1});
	assert_true(o.beside && overlap_size(&o) == 48 * MIB);
}

/* Whatever phase it is in: nothing that was read before is there any more. */
static void what_is_disturbed_is_tried_again(void **state)
{
	struct run r;

	(void)state;
	for (int n = 1; n < 5; n++) {
		begin(&r, &hdd, 48 * MIB, 96 * MIB, 1024 * MIB);
		for (int i = 0; i < n; i++)
			(void)run(&r);
		overlap_disturbed(&r.o);
		r.m = &network;
		r.read = false;
		assert_int_equal(try_it(&r), 3 * OVERLAP_TRIAL_SIZE);
		assert_true(r.o.beside);
	}
	overlap_disturbed(&r.o);
	assert_int_equal(r.o.phase, OVERLAP_DECIDED);
}

static void a_trial_takes_what_is_nearly_as_long_as_wanted(void **state)
{
	const struct overlap_sample much = {
		.size = 15 * MIB - 4096, .load = 50000, .data = 50000, .cycle = 75000};
	struct overlap_sample little = much;
	struct overlap o;

	(void)state;
	little.size /= 2;
	overlap_begin(&o, 15 * MIB, 15 * MIB, 1024 * MIB);
	for (int i = 0; i < 3; i++) {
		overlap_update(&o, &little);
		assert_int_not_equal(o.phase, OVERLAP_DECIDED);
		overlap_update(&o, &much);
	}
	assert_int_equal(o.phase, OVERLAP_DECIDED);
}

static void run_until_tried_again(struct run *r)
{
	uint64_t bytes = 0;

	while (r->o.phase == OVERLAP_DECIDED) {
		bytes += run(r);
		assert_true(bytes <= OVERLAP_TRY_EVERY + 96 * MIB);
	}
}

/* What has been read ahead by then says nothing of how long reading takes. */
static void a_disk_that_stays_as_it_is_is_judged_alike_again(void **state)
{
	static const struct model *const models[] = {&hdd, &network, &nvme};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		struct run r;
		bool beside;

		begin(&r, models[i], 48 * MIB, 96 * MIB, UINT64_C(1) << 40);
		(void)try_it(&r);
		beside = r.o.beside;
		for (int n = 0; n < 3; n++) {
			run_until_tried_again(&r);
			(void)try_it(&r);
			assert_int_equal(r.o.beside, beside);
		}
	}
}

/* A disk that got slow for reads and writes at once, say because its cache is full. */
static void a_disk_may_change(void **state)
{
	struct run r;

	(void)state;
	begin(&r, &network, 48 * MIB, 96 * MIB, UINT64_C(1) << 40);
	(void)try_it(&r);
	assert_true(r.o.beside);
	r.m = &hdd;
	run_until_tried_again(&r);
	(void)try_it(&r);
	assert_false(r.o.beside);
	r.m = &network;
	run_until_tried_again(&r);
	(void)try_it(&r);
	assert_true(r.o.beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_does_both_at_once_reads_ahead),
		cmocka_unit_test(a_disk_that_seeks_takes_one_after_the_other),
		cmocka_unit_test(slow_writes_are_compared),
		cmocka_unit_test(where_none_can_be_larger_only_the_bytes_count),
		cmocka_unit_test(a_small_volume_is_not_tried_on),
		cmocka_unit_test(what_is_disturbed_is_tried_again),
		cmocka_unit_test(a_trial_takes_what_is_nearly_as_long_as_wanted),
		cmocka_unit_test(a_disk_that_stays_as_it_is_is_judged_alike_again),
		cmocka_unit_test(a_disk_may_change),
	};

	log_init("test", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
