/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "daemon/state/volume-header.h"
#include "daemon/state/volume-progress.h"
#include "daemon/state/volume-trouble.h"
#include "daemon/state/volume-writing.h"

/* --- writing --- */

static void a_record_is_durable_once_its_write_is_answered(void **state)
{
	struct volume_writing w = {};

	(void)state;
	assert_true(writing_is_durable(&w) && !writing_is_due(&w));
	assert_int_equal(writing_want(&w), 1);
	assert_true(!writing_is_durable(&w) && writing_is_due(&w));
	writing_sent(&w);
	assert_true(!writing_is_durable(&w) && !writing_is_due(&w));
	writing_answered(&w, true);
	assert_true(writing_is_durable(&w));
	assert_int_equal(w.place, RECORD_IN_HEADER);
}

static void what_changes_during_a_write_is_written_after_it(void **state)
{
	struct volume_writing w = {};

	(void)state;
	(void)writing_want(&w);
	writing_sent(&w);
	assert_int_equal(writing_want(&w), 2);
	assert_false(writing_is_due(&w)); /* one is on its way */
	writing_answered(&w, true);
	assert_true(writing_is_due(&w) && !writing_is_durable(&w));
}

static void a_write_without_an_answer_is_sent_again(void **state)
{
	struct volume_writing w = {};

	(void)state;
	(void)writing_want(&w);
	writing_sent(&w);
	writing_unsent(&w);
	assert_true(writing_is_due(&w));
}

static void a_record_that_the_header_refuses_is_only_here(void **state)
{
	struct volume_writing w = {};

	(void)state;
	(void)writing_want(&w);
	writing_sent(&w);
	writing_answered(&w, false);
	assert_true(writing_is_durable(&w)); /* nobody waits for it any more */
	assert_int_equal(w.place, RECORD_ONLY_HERE);
	assert_false(writing_resume(&w));
}

static void what_was_given_up_is_written_when_the_header_is_back(void **state)
{
	struct volume_writing w = {};

	(void)state;
	writing_give_up(&w);
	assert_int_equal(w.place, RECORD_IN_HEADER); /* there was nothing to give up */
	(void)writing_want(&w);
	writing_sent(&w);
	writing_give_up(&w);
	assert_true(writing_is_durable(&w));
	assert_int_equal(w.place, RECORD_GIVEN_UP);
	assert_true(writing_resume(&w));
	assert_false(writing_resume(&w)); /* once */
}

/* --- progress --- */

static void a_rate_is_smoothed_from_its_first_figure_on(void **state)
{
	struct volume_progress p = {};

	(void)state;
	progress_heard(&p, &(struct worker_progress){.rate = 800});
	assert_int_equal(p.rate, 800);
	progress_heard(&p, &(struct worker_progress){.rate = 1600});
	assert_int_equal(p.rate, 900); /* one part in eight is the new one */
}

static void what_stops_has_no_rate_and_no_end(void **state)
{
	struct volume_progress p = {};

	(void)state;
	assert_false(progress_stopped(&p));
	progress_heard(
		&p, &(struct worker_progress){.rate = 1, .bytes_done = 3, .longest_stall_usec = 7});
	progress_expect(&p, 5);
	assert_true(progress_stopped(&p));
	assert_true(p.rate == 0 && p.expected_end_usec == 0);
	assert_int_equal(p.bytes_done, 3);
	assert_int_equal(p.longest_stall_usec, 7); /* until the next run */
	progress_begun(&p);
	assert_int_equal(p.longest_stall_usec, 0);
}

static void a_volume_at_rest_has_nothing_done(void **state)
{
	struct worker_look look = {.valid = true,
				   .progress = {.bytes_total = 10, .bytes_done = 10}};
	struct volume_progress p = {};

	(void)state;
	progress_looked(&p, &look);
	assert_int_equal(progress_left(&p), 10);
	look.reencryption = REENCRYPTION_CLEAN;
	progress_looked(&p, &look);
	assert_int_equal(progress_left(&p), 0);
}

/* --- header --- */

static struct worker_look look_of(enum reencryption reencryption)
{
	return (struct worker_look){
		.valid = true,
		.reencryption = reencryption,
		.supported = true,
		.parameters.mode = "reencrypt",
		.parameters.direction = "backward",
		.parameters.old_cipher = "aes-xts-plain64",
		.parameters.new_cipher = "serpent-xts-plain64",
		.parameters.new_key_size = 64,
		.old_side = "a",
		.new_side = "b",
	};
}

static void what_is_of_a_rotation_is_empty_out_of_one(void **state)
{
	struct worker_look look = look_of(REENCRYPTION_CLEAN);
	struct volume_header h = {};

	(void)state;
	header_looked(&h, &look);
	assert_true(header_in_reencryption(&h) && header_is_backward(&h));
	assert_string_equal(h.parameters.new_cipher, "serpent-xts-plain64");
	look.reencryption = REENCRYPTION_NONE;
	header_looked(&h, &look);
	assert_false(header_in_reencryption(&h) || header_is_backward(&h));
	assert_string_equal(h.parameters.mode, "");
	assert_string_equal(h.parameters.new_cipher, "");
	assert_int_equal(h.parameters.new_key_size, 0);
	assert_string_equal(h.parameters.old_cipher, "aes-xts-plain64"); /* the one in use */
}

static void a_lost_header_is_seen_again_by_a_look(void **state)
{
	const struct worker_look look = look_of(REENCRYPTION_NONE);
	struct volume_header h = {};

	(void)state;
	header_lost(&h);
	assert_true(h.unseen);
	header_looked(&h, &look);
	assert_false(h.unseen);
}

static void a_hot_range_or_a_helper_device_is_unclean(void **state)
{
	struct worker_look look = look_of(REENCRYPTION_CLEAN);
	struct volume_header h = {};

	(void)state;
	header_looked(&h, &look);
	assert_false(header_is_unclean(&h));
	look.stacked = true;
	header_looked(&h, &look);
	assert_true(header_is_unclean(&h));
	look = look_of(REENCRYPTION_HOT);
	header_looked(&h, &look);
	assert_true(header_is_unclean(&h));
}

static void a_record_is_compared_with_the_sides_that_were_seen(void **state)
{
	const struct worker_look look = look_of(REENCRYPTION_CLEAN);
	struct volume_header h = {};
	struct record_header sides;

	(void)state;
	header_looked(&h, &look);
	sides = header_sides(&h);
	assert_true(sides.in_reencryption && sides.backward);
	assert_string_equal(sides.old_side, "a");
	assert_string_equal(sides.new_side, "b");
}

/* --- trouble --- */

static const struct failure failed = {.name = "Failed", .text = "the disk is broken"};
static const struct failure conflict = {.name = "Conflict", .text = "another header"};

static void a_failure_is_forgiven_and_a_conflict_is_not(void **state)
{
	struct volume_trouble t = {};

	(void)state;
	trouble_failed(&t, &failed);
	assert_int_equal(t.kind, TROUBLE_FAILED);
	trouble_forgive(&t);
	assert_int_equal(t.kind, TROUBLE_NONE);
	trouble_conflict(&t, &conflict);
	trouble_forgive(&t);
	assert_true(trouble_is_conflict(&t));
	trouble_clear(&t);
	assert_int_equal(t.kind, TROUBLE_NONE);
}

static void a_conflict_explains_the_failures_after_it(void **state)
{
	struct volume_trouble t = {};

	(void)state;
	trouble_conflict(&t, &conflict);
	trouble_failed(&t, &failed);
	assert_true(trouble_is_conflict(&t));
	assert_string_equal(t.failure.text, conflict.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_durable_once_its_write_is_answered),
		cmocka_unit_test(what_changes_during_a_write_is_written_after_it),
		cmocka_unit_test(a_write_without_an_answer_is_sent_again),
		cmocka_unit_test(a_record_that_the_header_refuses_is_only_here),
		cmocka_unit_test(what_was_given_up_is_written_when_the_header_is_back),
		cmocka_unit_test(a_rate_is_smoothed_from_its_first_figure_on),
		cmocka_unit_test(what_stops_has_no_rate_and_no_end),
		cmocka_unit_test(a_volume_at_rest_has_nothing_done),
		cmocka_unit_test(what_is_of_a_rotation_is_empty_out_of_one),
		cmocka_unit_test(a_lost_header_is_seen_again_by_a_look),
		cmocka_unit_test(a_hot_range_or_a_helper_device_is_unclean),
		cmocka_unit_test(a_record_is_compared_with_the_sides_that_were_seen),
		cmocka_unit_test(a_failure_is_forgiven_and_a_conflict_is_not),
		cmocka_unit_test(a_conflict_explains_the_failures_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
