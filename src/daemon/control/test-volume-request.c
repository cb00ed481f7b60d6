/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>

#include "daemon/control/test-volume.h"
#include "util/error.h"

#define WAITS 1 /* no answer yet */

struct caller {
	int answer;
	struct volume *told;
};

static void on_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	struct caller *c = userdata;

	assert_non_null(f);
	assert_int_equal(c->answer, WAITS); /* once */
	c->answer = error;
	c->told = v;
}

static void ask(struct volume *v, enum request_kind kind, struct caller *c)
{
	const struct request r = {.kind = kind,
				  .fd = kind == REQUEST_UNLOCK ? open("/dev/null", O_RDONLY) : -1,
				  .sequence = v->writing.wanted,
				  .done = on_done,
				  .userdata = c};

	*c = (struct caller){.answer = WAITS};
	assert_int_equal(request_add(v, &r), 0);
}

/* As far as the header is concerned. */
static void write_record(struct volume *v)
{
	writing_sent(&v->writing);
	writing_answered(&v->writing, true);
}

static void a_record_is_waited_for_until_it_is_durable(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller first, second;

	(void)volume_record_changed(v);
	ask(v, REQUEST_RECORD, &first);
	writing_sent(&v->writing);
	(void)volume_record_changed(v);
	ask(v, REQUEST_RECORD, &second);
	request_answer(v);
	assert_int_equal(first.answer, WAITS);
	writing_answered(&v->writing, true);
	request_answer(v);
	assert_int_equal(first.answer, 0);
	assert_int_equal(second.answer, WAITS); /* it asked for what came later */
	write_record(v);
	request_answer(v);
	assert_int_equal(second.answer, 0);
	assert_ptr_equal(second.told, v);
	assert_false(request_pending(v));
}

static void who_suspends_hears_what_came_between(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller c;

	ask(v, REQUEST_SUSPENDED, &c);
	request_answer(v);
	assert_int_equal(c.answer, -ERROR_NO_ROTATION); /* the rotation had ended */
	volume_set_state(v, VOLUME_QUEUED);
	ask(v, REQUEST_SUSPENDED, &c);
	request_answer(v);
	assert_int_equal(c.answer, -ECANCELED); /* somebody has resumed it */
	record_suspend(&v->token.record, "");
	ask(v, REQUEST_SUSPENDED, &c);
	worker_slot_look_again(&v->worker);
	request_answer(v);
	assert_int_equal(c.answer, WAITS); /* nobody knows how its worker left it */
	worker_slot_looked(&v->worker);
	request_answer(v);
	assert_int_equal(c.answer, 0);
}

static void what_a_dead_worker_was_sent_is_answered(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller sent, look, waits;

	ask(v, REQUEST_UNLOCK, &sent);
	ask(v, REQUEST_LOOK, &look);
	ask(v, REQUEST_LOCK, &waits);
	request_to_send(v)->sent = true;
	request_to_send(v)->sent = true;
	request_worker_died(v);
	assert_int_equal(sent.answer, -EIO);
	assert_int_equal(look.answer, WAITS); /* the next worker looks */
	assert_int_equal(waits.answer, WAITS);
	assert_int_equal(request_to_send(v)->kind, REQUEST_LOOK);
}

static void a_lock_overtakes(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller unlock, lock;

	ask(v, REQUEST_UNLOCK, &unlock);
	assert_null(request_lock_to_send(v));
	ask(v, REQUEST_LOCK, &lock);
	assert_int_equal(request_to_send(v)->kind, REQUEST_UNLOCK);
	assert_int_equal(request_lock_to_send(v)->kind, REQUEST_LOCK);
}

static void an_end_is_of_what_was_sent_first(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller first, second;

	ask(v, REQUEST_UNLOCK, &first);
	ask(v, REQUEST_UNLOCK, &second);
	assert_false(request_ended(v, REQUEST_UNLOCK, 0, NULL, NULL)); /* none was sent */
	request_to_send(v)->sent = true;
	assert_true(request_ended(v, REQUEST_UNLOCK, 0, NULL, NULL));
	assert_int_equal(first.answer, 0);
	assert_int_equal(second.answer, WAITS);
}

static void a_record_that_cannot_be_written_fails_those_who_wait_for_it(void **state)
{
	const struct failure f = {"Test", "the header is full"};
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller first, second;

	(void)volume_record_changed(v);
	ask(v, REQUEST_RECORD, &first);
	(void)volume_record_changed(v);
	ask(v, REQUEST_RECORD, &second);
	request_record_failed(v, 1, -ENOSPC, &f);
	assert_int_equal(first.answer, -ENOSPC);
	assert_int_equal(second.answer, WAITS);
}

static void nobody_is_left_when_the_volume_goes_away(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct caller unlock, look;

	ask(v, REQUEST_UNLOCK, &unlock);
	ask(v, REQUEST_LOOK, &look);
	volume_remove(v);
	assert_int_equal(unlock.answer, -ENODEV);
	assert_int_equal(look.answer, -ENODEV);
	assert_null(look.told);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_waited_for_until_it_is_durable),
		TEST(who_suspends_hears_what_came_between),
		TEST(what_a_dead_worker_was_sent_is_answered),
		TEST(a_lock_overtakes),
		TEST(an_end_is_of_what_was_sent_first),
		TEST(a_record_that_cannot_be_written_fails_those_who_wait_for_it),
		TEST(nobody_is_left_when_the_volume_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
