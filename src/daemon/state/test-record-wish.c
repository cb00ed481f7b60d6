/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "daemon/state/record.h"

static const struct rotate_options options = {.cipher = "aes-xts-plain64"};

static void a_wish_forgets_the_rotation_before(void **state)
{
	struct record r = {.suspended = true,
			   .cancel = true,
			   .turned = true,
			   .late = true,
			   .foreign = true,
			   .deadline_usec = 1,
			   .now_until = 2,
			   .group = "a group",
			   .last = {.outcome = "failed"},
			   .has_rate = true,
			   .rate = 7};

	(void)state;
	record_wish(&r, &options);
	assert_true(r.has_queued);
	assert_string_equal(r.queued.cipher, "aes-xts-plain64");
	assert_false(r.suspended || r.cancel || r.turned || r.late || r.foreign);
	assert_true(r.deadline_usec == 0 && r.now_until == 0);
	assert_string_equal(r.group, "");
	assert_string_equal(r.last.outcome, "");
	assert_true(r.has_rate && r.rate == 7); /* which is the volume's */
}

static void a_suspension_ends_the_time_without_windows(void **state)
{
	struct record r = {};

	(void)state;
	record_ignore_windows(&r, 5);
	record_suspend(&r, "maintenance");
	assert_true(r.suspended && r.now_until == 0);
	assert_string_equal(r.suspend_reason, "maintenance");
	record_distrust(&r);
	record_resume(&r);
	assert_false(r.suspended || r.foreign);
}

static void a_cancel_wins_over_all_that_waits(void **state)
{
	struct record r = {.suspended = true, .foreign = true, .held = "a volume"};

	(void)state;
	record_queue(&r, &options);
	record_cancel(&r);
	assert_true(r.cancel);
	assert_false(r.suspended || r.foreign || r.has_queued);
	assert_string_equal(r.held, "");
}

static void what_was_taken_back_while_it_was_prepared_is_cancelled(void **state)
{
	struct record r = {}, taken_back = {};

	(void)state;
	record_wish(&r, &options);
	record_take_queued(&r);
	assert_false(r.has_queued || r.cancel);
	record_take_queued(&taken_back);
	assert_true(taken_back.cancel);
}

static void a_member_of_a_group_is_held_until_it_is_released(void **state)
{
	struct record r = {};

	(void)state;
	record_wish(&r, &options);
	record_hold(&r, "a group", "the first");
	record_release(&r);
	assert_string_equal(r.group, "a group");
	assert_string_equal(r.held, "");
	record_hold(&r, "a group", "the first");
	record_take_back(&r);
	assert_true(r.cancel && !r.has_queued);
	assert_true(*r.group == '\0' && *r.held == '\0');
}

static void it_is_late_once(void **state)
{
	struct record r = {};

	(void)state;
	assert_true(record_late(&r));
	assert_false(record_late(&r));
}

static void no_rate_is_no_number(void **state)
{
	struct record r = {};

	(void)state;
	record_set_rate(&r, true, 0); /* no limit, and that is said */
	assert_true(r.has_rate && r.rate == 0);
	record_set_rate(&r, false, UINT64_MAX);
	assert_true(!r.has_rate && r.rate == 0);
}

static void choices_are_of_the_rotation_in_force(void **state)
{
	const struct run_choices verify = {.verify = CHOICE_YES};
	struct record r = {};

	(void)state;
	record_choose_run(&r, true, &verify);
	assert_int_equal(r.queued.run.verify, CHOICE_YES);
	assert_int_equal(r.run.verify, CHOICE_CONFIGURED);
	record_choose_run(&r, false, &verify);
	assert_int_equal(r.run.verify, CHOICE_YES);
}

static void consent_is_given_here_or_not_at_all(void **state)
{
	struct record r = {
		.queued = {.may_weaken = true, .lose_keyslots = true, .force_offline = true}};

	(void)state;
	record_forget_consent(&r);
	assert_false(r.queued.may_weaken || r.queued.lose_keyslots || r.queued.force_offline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wish_forgets_the_rotation_before),
		cmocka_unit_test(a_suspension_ends_the_time_without_windows),
		cmocka_unit_test(a_cancel_wins_over_all_that_waits),
		cmocka_unit_test(what_was_taken_back_while_it_was_prepared_is_cancelled),
		cmocka_unit_test(a_member_of_a_group_is_held_until_it_is_released),
		cmocka_unit_test(it_is_late_once),
		cmocka_unit_test(no_rate_is_no_number),
		cmocka_unit_test(choices_are_of_the_rotation_in_force),
		cmocka_unit_test(consent_is_given_here_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
