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

static struct overlap_sample run(const struct overlap *o, const struct model *m)
{
	const uint64_t size = overlap_size(o);
	const double n = (double)size / (double)MIB, apart = n * (m->read + m->write);
	const double together = m->duplex ? n * MAX(m->read, m->write) : apart + n * m->seek;
	const double data = o->beside && o->phase != OVERLAP_FILL ? together : apart;

	return (struct overlap_sample){
		.size = size, .data = (uint64_t)data, .cycle = (uint64_t)(data + m->header)};
}

/* Hotzones until it is decided: bytes. */
static uint64_t try_it(struct overlap *o, const struct model *m)
{
	uint64_t bytes = 0;

	while (o->phase != OVERLAP_DECIDED) {
		const struct overlap_sample s = run(o, m);

		overlap_update(o, &s);
		bytes += s.size;
		assert_true(bytes < 100 * MIB);
	}
	return bytes;
}

static void a_disk_that_does_both_at_once_reads_ahead(void **state)
{
	struct overlap o;

	(void)state;
	for (int i = 0; i < 2; i++) {
		overlap_begin(&o, 48 * MIB, 96 * MIB, 1024 * MIB);
		assert_false(o.beside);
		assert_int_equal(overlap_size(&o), OVERLAP_TRIAL_SIZE);
		assert_int_equal(try_it(&o, i == 0 ? &network : &nvme), 4 * OVERLAP_TRIAL_SIZE);
		assert_true(o.beside);
		assert_int_equal(overlap_size(&o), 48 * MIB);
	}
}

static void a_disk_that_seeks_takes_one_after_the_other(void **state)
{
	struct overlap o;

	(void)state;
	overlap_begin(&o, 48 * MIB, 96 * MIB, 1024 * MIB);
	(void)try_it(&o, &hdd);
	assert_false(o.beside);
	assert_int_equal(overlap_size(&o), 96 * MIB);
}

/* A journal's hotzone is no larger for having the memory of two. */
static void where_none_can_be_larger_only_the_bytes_count(void **state)
{
	const struct model simplex = {2000, 2000, 16000, false, 0};
	struct overlap o;

	(void)state;
	overlap_begin(&o, 15 * MIB, 15 * MIB, 1024 * MIB);
	(void)try_it(&o, &simplex);
	assert_true(o.beside);
	assert_int_equal(overlap_size(&o), 15 * MIB);
	overlap_begin(&o, 15 * MIB, 15 * MIB, 1024 * MIB);
	(void)try_it(&o, &hdd);
	assert_false(o.beside);
}

static void a_small_volume_is_not_tried_on(void **state)
{
	struct overlap o;

	(void)state;
	overlap_begin(&o, 48 * MIB, 96 * MIB, 100 * MIB);
	assert_true(o.beside && overlap_size(&o) == 48 * MIB);
	for (int i = 0; i < 1000; i++)
		overlap_update(&o, &(struct overlap_sample){48 * MIB, 1, 1});
	assert_true(o.beside && overlap_size(&o) == 48 * MIB);
}

static void what_is_disturbed_is_tried_again(void **state)
{
	struct overlap o;

	(void)state;
	overlap_begin(&o, 48 * MIB, 96 * MIB, 1024 * MIB);
	for (int i = 0; i < 3; i++) {
		const struct overlap_sample s = run(&o, &hdd);

		overlap_update(&o, &s);
	}
	overlap_disturbed(&o);
	assert_int_equal(try_it(&o, &network), 4 * OVERLAP_TRIAL_SIZE);
	assert_true(o.beside);
	overlap_disturbed(&o);
	assert_int_equal(o.phase, OVERLAP_DECIDED);
}

static void a_trial_takes_what_is_nearly_as_long_as_wanted(void **state)
{
	struct overlap o;

	(void)state;
	overlap_begin(&o, 15 * MIB, 15 * MIB, 1024 * MIB);
	for (int i = 0; i < 4; i++) {
		struct overlap_sample s = run(&o, &network);

		s.size /= 2;
		overlap_update(&o, &s);
		assert_int_not_equal(o.phase, OVERLAP_DECIDED);
		s = run(&o, &network);
		s.size -= 4096;
		overlap_update(&o, &s);
	}
	assert_int_equal(o.phase, OVERLAP_DECIDED);
}

/* A disk that got slow for reads and writes at once, say because its cache is full. */
static void a_disk_may_change(void **state)
{
	uint64_t bytes = 0;
	struct overlap o;

	(void)state;
	overlap_begin(&o, 48 * MIB, 96 * MIB, UINT64_C(1) << 40);
	(void)try_it(&o, &network);
	assert_true(o.beside);
	while (o.phase == OVERLAP_DECIDED) {
		const struct overlap_sample s = run(&o, &hdd);

		overlap_update(&o, &s);
		bytes += s.size;
		assert_true(bytes <= OVERLAP_TRY_EVERY + s.size);
	}
	(void)try_it(&o, &hdd);
	assert_false(o.beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_does_both_at_once_reads_ahead),
		cmocka_unit_test(a_disk_that_seeks_takes_one_after_the_other),
		cmocka_unit_test(where_none_can_be_larger_only_the_bytes_count),
		cmocka_unit_test(a_small_volume_is_not_tried_on),
		cmocka_unit_test(what_is_disturbed_is_tried_again),
		cmocka_unit_test(a_trial_takes_what_is_nearly_as_long_as_wanted),
		cmocka_unit_test(a_disk_may_change),
	};

	log_init("test", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
