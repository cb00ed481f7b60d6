/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a journal is written in halves, on disks that are computed: a disk is what each way
 * takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/halves-trial.h"
#include "util/log.h"

#define MIB UINT64_C(1048576)

/* Microseconds for a hotzone, written whole and in halves. */
struct model {
	uint64_t whole, halves;
};

/* 15 MiB twice, and four idle flushes or two; or four or six where nothing is done meanwhile. */
static const struct model nvme = {32200, 29200}, exclusive = {82000, 90000};

static void run(struct halves_trial *t, const struct model *m)
{
	halves_trial_update(t, t->halves, 15 * MIB, t->halves ? m->halves : m->whole);
}

/* Hotzones until it is decided. */
static unsigned try_it(struct halves_trial *t, const struct model *m)
{
	unsigned n = 0;

	for (; !t->decided; n++) {
		run(t, m);
		assert_true(n < 100);
	}
	return n;
}

static void a_disk_that_writes_during_a_flush_takes_halves(void **state)
{
	struct halves_trial t;

	(void)state;
	halves_trial_begin(&t, true, false);
	assert_false(t.halves);
	assert_int_equal(try_it(&t, &nvme), 1 + 2 * HALVES_TRIAL_CYCLES);
	assert_true(t.halves);
	for (int i = 0; i < 100; i++)
		run(&t, &exclusive);
	assert_true(t.halves);
}

static void a_disk_that_stands_still_during_a_flush_does_not(void **state)
{
	struct halves_trial t;

	(void)state;
	halves_trial_begin(&t, true, false);
	(void)try_it(&t, &exclusive);
	assert_false(t.halves);
}

/* Hardly faster: no reason for more flushes. */
static void a_small_gain_is_none(void **state)
{
	const struct model even = {30000, 29800};
	struct halves_trial t;

	(void)state;
	halves_trial_begin(&t, true, false);
	(void)try_it(&t, &even);
	assert_false(t.halves);
}

/* One hotzone of each way takes ten times as long, and the one after a pause as well. */
static void one_that_was_disturbed_does_not_decide(void **state)
{
	struct halves_trial t;

	(void)state;
	for (unsigned late = 0; late < 2 * HALVES_TRIAL_CYCLES; late++) {
		halves_trial_begin(&t, true, false);
		for (unsigned n = 0; !t.decided; n++) {
			const uint64_t usec = t.halves ? nvme.halves : nvme.whole;

			if (n == 3) {
				halves_trial_disturbed(&t);
				halves_trial_update(&t, t.halves, 15 * MIB, 10 * usec);
			}
			halves_trial_update(&t, t.halves, 15 * MIB, n == late ? 10 * usec : usec);
			assert_true(n < 100);
		}
		assert_true(t.halves);
	}
}

/* A hotzone that could not be done in halves says nothing of how long they take. */
static void what_was_done_otherwise_does_not_count(void **state)
{
	struct halves_trial t;

	(void)state;
	halves_trial_begin(&t, true, false);
	while (!t.halves)
		run(&t, &nvme);
	for (int i = 0; i < 10; i++)
		halves_trial_update(&t, false, 15 * MIB, 1000000);
	assert_false(t.decided);
	assert_true(t.halves);
	(void)try_it(&t, &nvme);
	assert_true(t.halves);
}

static void it_is_tried_again(void **state)
{
	struct halves_trial t;

	(void)state;
	halves_trial_begin(&t, true, false);
	(void)try_it(&t, &nvme);
	halves_trial_restart(&t);
	assert_false(t.halves || t.decided);
	(void)try_it(&t, &exclusive);
	assert_false(t.halves);
}

static void without_a_choice_nothing_is_tried(void **state)
{
	struct halves_trial t;

	(void)state;
	for (int always = 0; always < 2; always++) {
		halves_trial_begin(&t, always == 0 ? false : true, always == 1);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(t.halves, always);
			run(&t, always ? &exclusive : &nvme);
			halves_trial_restart(&t);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_writes_during_a_flush_takes_halves),
		cmocka_unit_test(a_disk_that_stands_still_during_a_flush_does_not),
		cmocka_unit_test(a_small_gain_is_none),
		cmocka_unit_test(one_that_was_disturbed_does_not_decide),
		cmocka_unit_test(what_was_done_otherwise_does_not_count),
		cmocka_unit_test(it_is_tried_again),
		cmocka_unit_test(without_a_choice_nothing_is_tried),
	};

	log_init("test", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
