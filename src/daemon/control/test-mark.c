/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <systemd/sd-event.h>

#include "daemon/control/mark.h"

static int on_turn(sd_event_source *s, void *userdata)
{
	unsigned *turns = userdata;

	(void)s;
	++*turns;
	return 0;
}

/* The first turn comes by itself: a deferred source begins enabled. */
static unsigned run(sd_event *event, const unsigned *turns)
{
	const unsigned before = *turns;

	while (sd_event_run(event, 0) > 0)
		;
	return *turns - before;
}

static void many_marks_are_one_turn(void **state)
{
	struct volume_mark a, b;
	struct turn turn = {};
	unsigned turns = 0;
	sd_event *event;

	(void)state;
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(turn_new(event, on_turn, &turns, &turn), 0);
	(void)run(event, &turns);
	mark_init(&a, &turn);
	mark_init(&b, &turn);
	assert_int_equal(run(event, &turns), 0);
	mark_set(&a, 1);
	mark_set(&a, 4);
	mark_set(&b, 0);
	turn_mark(&turn, 2);
	assert_int_equal(run(event, &turns), 1);
	assert_int_equal(mark_take_changes(&a), 5);
	assert_int_equal(mark_take_changes(&a), 0);
	assert_int_equal(mark_take_changes(&b), 0);
	assert_int_equal(turn_take_changes(&turn), 2);
	assert_int_equal(turn_take_changes(&turn), 0);
	assert_int_equal(run(event, &turns), 0);
	turn_free(&turn);
	sd_event_unref(event);
}

static void what_is_only_told_needs_no_step(void **state)
{
	struct turn turn = {};
	struct volume_mark k;
	unsigned turns = 0;
	sd_event *event;

	(void)state;
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(turn_new(event, on_turn, &turns, &turn), 0);
	(void)run(event, &turns);
	mark_init(&k, &turn);
	mark_tell(&k, 8);
	assert_false(mark_take_due(&k));
	assert_int_equal(run(event, &turns), 0);
	mark_set(&k, 0);
	assert_true(mark_take_due(&k));
	assert_false(mark_take_due(&k));
	assert_int_equal(mark_take_changes(&k), 8);
	turn_free(&turn);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_marks_are_one_turn),
		cmocka_unit_test(what_is_only_told_needs_no_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
