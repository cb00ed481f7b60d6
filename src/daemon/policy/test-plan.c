/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>

#include "daemon/policy/volume-plan.h"

/* A volume in re-encryption that has all it needs. */
#define READY                                                                                      \
	.reencryption = REENCRYPTION_CLEAN, .supported = true, .keys = true, .convert_turn = true, \
	.something_done = true

static void expect(const struct volume_facts *f, enum volume_state state, enum volume_action action,
		   enum volume_line line)
{
	const struct volume_step s = volume_decide(f);

	assert_string_equal(volume_state_name(s.state), volume_state_name(state));
	assert_int_equal(s.action, action);
	assert_int_equal(s.line, line);
}

#define EXPECT(state, action, line, ...)                                                           \
	expect(&(struct volume_facts){__VA_ARGS__}, state, action, line)

static void a_rotation_takes_its_way(void **state)
{
	(void)state;
	EXPECT(VOLUME_IDLE, ACTION_NONE, LINE_NONE, .supported = true, .keys = true);
	EXPECT(VOLUME_QUEUED, ACTION_NONE, LINE_PREPARE, .rotation_wanted = true, .keys = true);
	EXPECT(VOLUME_PREPARING, ACTION_PREPARE, LINE_PREPARE, .rotation_wanted = true,
	       .keys = true, .prepare_turn = true);
	EXPECT(VOLUME_PREPARING, ACTION_NONE, LINE_PREPARE, .at_work = WORKER_PREPARE);
	EXPECT(VOLUME_QUEUED, ACTION_NONE, LINE_CONVERT, .reencryption = REENCRYPTION_CLEAN,
	       .supported = true, .keys = true);
	EXPECT(VOLUME_RUNNING, ACTION_CONVERT, LINE_CONVERT, READY);
	EXPECT(VOLUME_RUNNING, ACTION_NONE, LINE_CONVERT, READY, .at_work = WORKER_CONVERT);
	EXPECT(VOLUME_FINISHING, ACTION_NONE, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .all_done = true);
}

static void nothing_is_done_to_what_is_not_there(void **state)
{
	(void)state;
	EXPECT(VOLUME_ABSENT, ACTION_NONE, LINE_NONE, .absent = true);
	EXPECT(VOLUME_ABSENT, ACTION_NONE, LINE_NONE, READY, .absent = true);
	EXPECT(VOLUME_ABSENT, ACTION_NONE, LINE_NONE, .absent = true, .rotation_wanted = true,
	       .keys = true, .prepare_turn = true);
}

static void a_dry_run_is_given_the_keys_that_a_rotation_would_get(void **state)
{
	(void)state;
	EXPECT(VOLUME_IDLE, ACTION_STOP, LINE_NONE, .at_work = WORKER_USE_PROVIDER);
	EXPECT(VOLUME_IDLE, ACTION_NONE, LINE_NONE, .at_work = WORKER_USE_PROVIDER,
	       .checking = true);
}

static void preparing_is_stopped_when_it_is_in_vain(void **state)
{
	(void)state;
	EXPECT(VOLUME_PREPARING, ACTION_STOP, LINE_PREPARE, .at_work = WORKER_PREPARE,
	       .rotation_wanted = true, .suspended = true);
	EXPECT(VOLUME_PREPARING, ACTION_STOP, LINE_PREPARE, .at_work = WORKER_PREPARE,
	       .cancel = true);
	EXPECT(VOLUME_PREPARING, ACTION_STOP, LINE_PREPARE, .at_work = WORKER_PREPARE,
	       .rotation_wanted = true, .paused = true);
	EXPECT(VOLUME_PREPARING, ACTION_NONE, LINE_PREPARE, .at_work = WORKER_PREPARE,
	       .rotation_wanted = true, .suspended = true, .grouped = true);
}

static void without_a_key_it_asks_and_then_waits(void **state)
{
	(void)state;
	EXPECT(VOLUME_QUEUED, ACTION_NONE, LINE_PREPARE, .rotation_wanted = true,
	       .may_get_keys = true);
	EXPECT(VOLUME_QUEUED, ACTION_GET_KEYS, LINE_PREPARE, .rotation_wanted = true,
	       .may_get_keys = true, .prepare_turn = true);
	EXPECT(VOLUME_LOCKED, ACTION_NONE, LINE_NONE, .rotation_wanted = true);
	EXPECT(VOLUME_LOCKED, ACTION_NONE, LINE_NONE, .reencryption = REENCRYPTION_HOT,
	       .supported = true);
}

static void a_provider_is_not_waited_for_when_its_key_is_not_wanted_any_more(void **state)
{
	(void)state;
	EXPECT(VOLUME_QUEUED, ACTION_NONE, LINE_PREPARE, .rotation_wanted = true,
	       .may_get_keys = true, .prepare_turn = true, .at_work = WORKER_USE_PROVIDER);
	EXPECT(VOLUME_QUEUED, ACTION_STOP, LINE_NONE, .rotation_wanted = true, .paused = true,
	       .may_get_keys = true, .prepare_turn = true, .at_work = WORKER_USE_PROVIDER);
	EXPECT(VOLUME_SUSPENDED, ACTION_STOP, LINE_NONE, .rotation_wanted = true, .suspended = true,
	       .may_get_keys = true, .at_work = WORKER_USE_PROVIDER);
	EXPECT(VOLUME_IDLE, ACTION_STOP, LINE_NONE, .may_get_keys = true,
	       .at_work = WORKER_USE_PROVIDER);
}

static void what_a_dead_worker_left_is_recovered_at_once_even_when_suspended(void **state)
{
	(void)state;
	EXPECT(VOLUME_QUEUED, ACTION_RECOVER, LINE_NONE, .reencryption = REENCRYPTION_HOT,
	       .supported = true, .keys = true, .suspended = true);
	EXPECT(VOLUME_QUEUED, ACTION_RECOVER, LINE_NONE, READY, .stacked = true);
	EXPECT(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE, READY, .suspended = true);
}

static void suspend_stops_and_a_pause_does_too(void **state)
{
	(void)state;
	EXPECT(VOLUME_RUNNING, ACTION_STOP, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .suspended = true);
	EXPECT(VOLUME_RUNNING, ACTION_STOP, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .paused = true);
	EXPECT(VOLUME_QUEUED, ACTION_NONE, LINE_NONE, READY, .paused = true);
	EXPECT(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE, .rotation_wanted = true, .suspended = true,
	       .keys = true, .prepare_turn = true);
}

static void other_options_end_a_run_and_the_next_one_has_them(void **state)
{
	(void)state;
	EXPECT(VOLUME_RUNNING, ACTION_STOP, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .run_changed = true);
	EXPECT(VOLUME_RUNNING, ACTION_CONVERT, LINE_CONVERT, READY, .run_changed = true);
	EXPECT(VOLUME_RUNNING, ACTION_REVERSE, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .run_changed = true, .cancel = true);
}

static void cancel_undoes_or_turns_around(void **state)
{
	(void)state;
	EXPECT(VOLUME_RUNNING, ACTION_REVERSE, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .cancel = true);
	EXPECT(VOLUME_REVERSING, ACTION_REVERSE, LINE_NONE, READY, .cancel = true);
	/* Too late: only the last commit is left to be made. */
	EXPECT(VOLUME_FINISHING, ACTION_CONVERT, LINE_CONVERT, READY, .cancel = true,
	       .all_done = true);
	EXPECT(VOLUME_REVERSING, ACTION_UNDO, LINE_NONE, .reencryption = REENCRYPTION_CLEAN,
	       .supported = true, .keys = true, .cancel = true, .held = true);
	EXPECT(VOLUME_REVERSING, ACTION_CONVERT, LINE_CONVERT, READY, .cancel = true,
	       .backward = true);
	EXPECT(VOLUME_REVERSING, ACTION_NONE, LINE_CONVERT, READY, .cancel = true, .backward = true,
	       .at_work = WORKER_CONVERT);
}

static void a_member_of_a_group_waits_for_the_others(void **state)
{
	(void)state;
	EXPECT(VOLUME_PREPARING, ACTION_NONE, LINE_NONE, READY, .held = true);
}

/* All but converting is done, so that what is wrong is known before the window opens. */
static void outside_of_its_windows_it_is_prepared_and_then_waits(void **state)
{
	(void)state;
	EXPECT(VOLUME_PREPARING, ACTION_PREPARE, LINE_PREPARE, .rotation_wanted = true,
	       .keys = true, .prepare_turn = true, .outside = true);
	EXPECT(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE, READY, .outside = true);
	EXPECT(VOLUME_RUNNING, ACTION_STOP, LINE_CONVERT, READY, .at_work = WORKER_CONVERT,
	       .outside = true);
	EXPECT(VOLUME_QUEUED, ACTION_RECOVER, LINE_NONE, .reencryption = REENCRYPTION_HOT,
	       .supported = true, .keys = true, .outside = true);
	EXPECT(VOLUME_LOCKED, ACTION_NONE, LINE_NONE, .reencryption = REENCRYPTION_CLEAN,
	       .supported = true, .outside = true);
	EXPECT(VOLUME_REVERSING, ACTION_UNDO, LINE_NONE, .reencryption = REENCRYPTION_CLEAN,
	       .supported = true, .keys = true, .cancel = true, .outside = true);
}

static void a_failure_waits_for_a_person(void **state)
{
	(void)state;
	EXPECT(VOLUME_FAILED, ACTION_NONE, LINE_NONE, READY, .trouble = TROUBLE_FAILED);
	EXPECT(VOLUME_FAILED, ACTION_NONE, LINE_NONE, .reencryption = REENCRYPTION_CLEAN,
	       .keys = true, .convert_turn = true);
}

/* Every combination of facts: what must never be done is not. */
static void no_combination_leads_astray(void **state)
{
	static const enum worker_job jobs[] = {WORKER_NONE, WORKER_CONVERT, WORKER_PREPARE,
					       WORKER_UNLOCK};

	(void)state;
	for (unsigned bits = 0; bits < 1U << 22; bits++) {
		const struct volume_facts f = {
			.reencryption = (enum reencryption)(bits & 3),
			.at_work = jobs[bits >> 2 & 3],
			.supported = bits >> 4 & 1,
			.stacked = bits >> 5 & 1,
			.backward = bits >> 6 & 1,
			.something_done = bits >> 7 & 1,
			.all_done = bits >> 8 & 1,
			.rotation_wanted = bits >> 9 & 1,
			.suspended = bits >> 10 & 1,
			.cancel = bits >> 11 & 1,
			.held = bits >> 12 & 1,
			.paused = bits >> 13 & 1,
			.trouble = bits >> 14 & 1 ? TROUBLE_FAILED : TROUBLE_NONE,
			.keys = bits >> 15 & 1,
			.may_get_keys = bits >> 16 & 1,
			.prepare_turn = bits >> 17 & 1,
			.convert_turn = bits >> 18 & 1,
			.outside = bits >> 19 & 1,
			.run_changed = bits >> 20 & 1,
			.grouped = bits >> 21 & 1,
		};
		const struct volume_step s = volume_decide(&f);
		const bool converting = f.at_work == WORKER_CONVERT;

		/* One job at a time. */
		if (f.at_work != WORKER_NONE)
			assert_true(s.action == ACTION_NONE ||
				    (f.at_work == WORKER_PREPARE && s.action == ACTION_STOP &&
				     (f.suspended || f.cancel || f.paused) && !f.grouped) ||
				    (converting &&
				     (s.action == ACTION_STOP || s.action == ACTION_REVERSE)));
		if (s.action == ACTION_CONVERT)
			assert_true(f.convert_turn && f.keys && !f.suspended && !f.paused &&
				    !f.held && f.trouble == TROUBLE_NONE && !f.outside &&
				    !(f.cancel && !f.backward && !f.all_done) &&
				    f.reencryption != REENCRYPTION_NONE);
		if (s.action == ACTION_PREPARE)
			assert_true(f.reencryption == REENCRYPTION_NONE && f.keys &&
				    f.prepare_turn && !f.paused && !f.suspended);
		if (s.action == ACTION_UNDO)
			assert_true(!f.something_done && f.cancel && f.keys);
		if (s.state == VOLUME_SUSPENDED)
			assert_true((f.suspended || f.outside) &&
				    (!converting || f.reencryption == REENCRYPTION_NONE));
		/* Who waits for a turn or has one stands in the line for it. */
		if (s.state == VOLUME_LOCKED || s.state == VOLUME_FAILED)
			assert_int_equal(s.line, LINE_NONE);
		if (converting && f.reencryption != REENCRYPTION_NONE)
			assert_int_equal(s.line, LINE_CONVERT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rotation_takes_its_way),
		cmocka_unit_test(nothing_is_done_to_what_is_not_there),
		cmocka_unit_test(a_dry_run_is_given_the_keys_that_a_rotation_would_get),
		cmocka_unit_test(preparing_is_stopped_when_it_is_in_vain),
		cmocka_unit_test(without_a_key_it_asks_and_then_waits),
		cmocka_unit_test(a_provider_is_not_waited_for_when_its_key_is_not_wanted_any_more),
		cmocka_unit_test(what_a_dead_worker_left_is_recovered_at_once_even_when_suspended),
		cmocka_unit_test(suspend_stops_and_a_pause_does_too),
		cmocka_unit_test(other_options_end_a_run_and_the_next_one_has_them),
		cmocka_unit_test(cancel_undoes_or_turns_around),
		cmocka_unit_test(a_member_of_a_group_waits_for_the_others),
		cmocka_unit_test(outside_of_its_windows_it_is_prepared_and_then_waits),
		cmocka_unit_test(a_failure_waits_for_a_person),
		cmocka_unit_test(no_combination_leads_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
