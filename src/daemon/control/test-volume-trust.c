/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/test-volume.h"

/* A rotation is to begin, however weak, the volume is suspended, and slow. */
#define ORDERS                                                                                     \
	"{\"suspended\":\"elsewhere\",\"rate\":7,\"queued\":{\"may_weaken\":true},\"serial\":9}"
#define PLAIN "{\"suspended\":\"elsewhere\",\"serial\":9}"

static void look(struct volume *v, const char *record, enum record_trust trust)
{
	struct worker_look l = test_look(v->uuid, REENCRYPTION_NONE);

	free(l.record);
	l.record = strdup(record);
	l.trust = trust;
	assert_non_null(l.record);
	assert_int_equal(volume_apply_look(v, &l), 0);
	test_look_clear(&l);
}

/* As a worker would, and an answer. Returns the text, which is the caller's. */
static char *write_record(struct volume *v)
{
	const char *json;
	char *text;

	(void)volume_record_changed(v);
	assert_int_equal(volume_remember_pending(v, &json), 0);
	text = strdup(json);
	assert_non_null(text);
	writing_sent(&v->writing);
	writing_answered(&v->writing, true);
	volume_remember_written(v);
	return text;
}

static void no_token_is_an_empty_record(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	assert_string_equal(v->token.trust, "none");
	assert_false(v->token.record.has_queued);
}

static void a_token_without_a_voucher_stops_and_slows_alone(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	look(v, ORDERS, RECORD_UNVERIFIED);
	assert_string_equal(v->token.trust, "unverified");
	assert_true(v->token.record.suspended && v->token.record.rate == 7);
	assert_false(v->token.record.has_queued);
	assert_true(v->token.shown.has_queued); /* for people to look at */
	look(v, ORDERS, RECORD_UNTRUSTED);
	assert_string_equal(v->token.trust, "untrusted");
	assert_false(v->token.record.has_queued);
}

static void what_this_host_wrote_needs_no_key(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	char *text;

	record_suspend(&v->token.record, "here");
	text = write_record(v);
	look(v, PLAIN, RECORD_UNTRUSTED); /* somebody replaced it */
	assert_string_equal(v->token.trust, "untrusted");
	assert_string_equal(v->token.record.suspend_reason, "here");
	look(v, text, RECORD_UNVERIFIED);
	assert_string_equal(v->token.trust, "verified");
	assert_string_equal(v->token.record.suspend_reason, "here");
	free(text);
}

static void a_signed_one_is_obeyed_if_it_is_newer(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	look(v, PLAIN, RECORD_VERIFIED);
	assert_string_equal(v->token.trust, "verified");
	assert_true(v->token.record.suspended);
	look(v, "{\"serial\":8}", RECORD_VERIFIED);
	assert_string_equal(v->token.trust, "untrusted");
	assert_non_null(strstr(v->token.trust_reason, "put back"));
	assert_true(v->token.record.suspended);
}

static void its_orders_wait_for_a_person(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	look(v, ORDERS, RECORD_VERIFIED);
	assert_true(v->token.record.has_queued && v->token.record.foreign);
	assert_false(v->token.record.queued.may_weaken);
	assert_false(writing_is_durable(&v->writing)); /* that they wait is remembered */
}

static void a_change_of_ours_replaces_the_one_on_show(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	char *text;

	look(v, ORDERS, RECORD_UNTRUSTED);
	assert_non_null(v->token.found);
	text = write_record(v);
	assert_null(v->token.found);
	assert_null(v->token.found_json);
	assert_string_equal(v->token.trust, "verified");
	assert_null(strstr(text, "queued"));
	assert_non_null(strstr(text, "\"serial\":10")); /* newer than the one that it replaces */
	free(text);
}

static void a_person_may_take_it_for_right(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;

	assert_int_equal(volume_accept(v, &f, NULL, NULL), -EINVAL);
	look(v, ORDERS, RECORD_UNTRUSTED);
	assert_int_equal(volume_accept(v, &f, NULL, NULL), 0);
	assert_true(v->token.record.has_queued);
	assert_false(v->token.record.foreign || v->token.record.queued.may_weaken);
	assert_non_null(v->job);
}

static void what_is_not_written_yet_is_newer_than_any_token(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	record_suspend(&v->token.record, "here");
	(void)volume_record_changed(v);
	look(v, "{\"serial\":9}", RECORD_VERIFIED);
	assert_true(v->token.record.suspended);
}

static void text_that_is_no_record_is_none(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	look(v, "[1, 2", RECORD_UNTRUSTED);
	assert_string_equal(v->token.trust, "untrusted");
	assert_false(v->token.record.suspended || v->token.record.has_queued);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_token_is_an_empty_record),
		TEST(a_token_without_a_voucher_stops_and_slows_alone),
		TEST(what_this_host_wrote_needs_no_key),
		TEST(a_signed_one_is_obeyed_if_it_is_newer),
		TEST(its_orders_wait_for_a_person),
		TEST(a_change_of_ours_replaces_the_one_on_show),
		TEST(a_person_may_take_it_for_right),
		TEST(what_is_not_written_yet_is_newer_than_any_token),
		TEST(text_that_is_no_record_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
