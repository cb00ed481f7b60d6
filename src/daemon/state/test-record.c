/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/state/record.h"
#include "daemon/state/remembered.h"
#include "util/cleanup.h"
#include "util/text.h"

static void a_record_survives_its_json(void **state)
{
	struct record r, back;
	_cleanup_free_ char *json = NULL;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	assert_int_equal(record_begin(&r, false, 1000), 0);
	r.suspended = true;
	strcpy(r.suspend_reason, "\"quoted\"\nreason");
	r.has_rate = true;
	r.rate = 0;
	r.has_queued = true;
	strcpy(r.queued.cipher, "aes-xts-plain64");
	r.queued.keyslot = 0;
	r.queued.queue = r.queued.may_weaken = true;
	r.serial = 7;
	r.foreign = true;
	strcpy(r.sides.now, "a");
	strcpy(r.sides.old, "b");
	strcpy(r.sides.new, "c");
	r.cancel = true;
	strcpy(r.group, "group");
	strcpy(r.held, "volume");
	r.queued.deadline_usec = 1798700000000000;
	r.deadline_usec = 1798700000000001;
	r.now_until = 1798700000000002;
	r.late = true;
	r.run = (struct run_choices){.skip_unwritten = CHOICE_YES, .verify = CHOICE_NO};
	r.queued.run = (struct run_choices){.skip_unwritten = CHOICE_NO, .verify = CHOICE_YES};
	assert_int_equal(record_format(&r, "", &json), 0);
	assert_int_equal(record_parse(json, &back), 0);
	assert_int_equal(back.n_keys, 2);
	assert_memory_equal(back.keys, r.keys, 2 * sizeof(r.keys[0]));
	assert_true(back.suspended && back.has_rate && back.cancel && back.has_queued);
	assert_string_equal(back.suspend_reason, r.suspend_reason);
	assert_string_equal(back.group, "group");
	assert_string_equal(back.held, "volume");
	assert_int_equal(back.rate, 0);
	assert_int_equal(back.deadline_usec, r.deadline_usec);
	assert_int_equal(back.now_until, r.now_until);
	assert_true(back.late);
	assert_memory_equal(&back.run, &r.run, sizeof(r.run));
	assert_memory_equal(&back.queued, &r.queued, sizeof(r.queued));
	assert_int_equal(back.last.started_usec, 1000);
	assert_int_equal(back.serial, 7);
	assert_true(back.foreign);
	assert_string_equal(back.sides.now, "a");
	assert_string_equal(back.sides.old, "b");
	assert_string_equal(back.sides.new, "c");
}

/* It is of the rotation that was asked for with it, and of none before or after. */
static void a_deadline_goes_with_its_rotation(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	r.has_queued = true;
	r.queued.deadline_usec = 5000;
	assert_int_equal(record_begin(&r, false, 1), 0);
	record_prepared(&r, 2);
	assert_int_equal(r.deadline_usec, 5000);
	r.queued.deadline_usec = 9000; /* of the next one */
	record_converting(&r, 3);
	assert_int_equal(r.deadline_usec, 5000);
	r.now_until = 4000;
	r.late = true;
	record_ended(&r, false, 4);
	assert_int_equal(r.deadline_usec, 0);
	assert_int_equal(r.now_until, 0);
	assert_false(r.late);
}

/* As its deadline; on the way back, too, until it is over. */
static void what_a_rotation_says_of_its_runs_goes_with_it(void **state)
{
	_cleanup_free_ char *json = NULL, *ended = NULL;
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	r.has_queued = true;
	r.queued.run = (struct run_choices){.skip_unwritten = CHOICE_YES, .verify = CHOICE_NO};
	assert_int_equal(record_begin(&r, false, 1), 0);
	record_prepared(&r, 2);
	r.queued.run = (struct run_choices){}; /* of the next one */
	r.cancel = true;
	record_converting(&r, 3);
	assert_int_equal(r.run.skip_unwritten, CHOICE_YES);
	assert_int_equal(r.run.verify, CHOICE_NO);
	assert_int_equal(record_format(&r, "", &json), 0);
	record_ended(&r, true, 4);
	assert_int_equal(r.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(r.run.verify, CHOICE_CONFIGURED);
	/* Nothing of it stays in the header. */
	assert_non_null(strstr(json, "skip_unwritten"));
	r.has_queued = false;
	assert_int_equal(record_format(&r, json, &ended), 0);
	assert_null(strstr(ended, "skip_unwritten"));
	assert_null(strstr(ended, "verify"));
}

static void a_wish_to_turn_around_is_not_yet_a_turn(void **state)
{
	_cleanup_free_ char *wished = NULL, *turned = NULL, *ended = NULL;
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	assert_false(record_turned(&r)); /* nobody wants that */
	r.cancel = true;
	assert_int_equal(record_format(&r, "", &wished), 0);
	assert_int_equal(record_parse(wished, &r), 0);
	assert_true(r.cancel && !r.turned);
	assert_true(record_turned(&r));
	assert_false(record_turned(&r));
	assert_int_equal(record_format(&r, wished, &turned), 0);
	assert_int_equal(record_parse(turned, &r), 0);
	assert_true(r.cancel && r.turned);
	record_ended(&r, true, 1);
	assert_int_equal(record_format(&r, turned, &ended), 0);
	assert_null(strstr(ended, "turned"));
	/* One of an earlier version, which took each wish for granted. */
	assert_int_equal(record_parse("{\"cancel\":true}", &r), 0);
	assert_true(r.cancel && r.turned);
	assert_int_equal(record_parse("{\"turned\":true}", &r), 0);
	assert_false(r.turned);
}

/* Headers of volumes that were rotated before there was such a thing. */
static void a_record_without_it_leaves_it_to_the_configuration(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("{\"queued\":{\"queue\":true},\"last\":{\"outcome\":"
				      "\"running\"}}",
				      &r),
			 0);
	assert_int_equal(r.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(r.run.verify, CHOICE_CONFIGURED);
	assert_int_equal(r.queued.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(r.queued.run.verify, CHOICE_CONFIGURED);
}

static void unknown_members_are_kept_and_known_ones_can_go(void **state)
{
	static const char json[] = "{\"future\":{\"a\":[1]},\"suspended\":\"x\",\"rate\":5}";
	_cleanup_free_ char *text = NULL;
	struct record r;

	(void)state;
	assert_int_equal(record_parse(json, &r), 0);
	assert_true(r.suspended && r.has_rate);
	r.suspended = r.has_rate = false;
	assert_int_equal(record_format(&r, json, &text), 0);
	assert_non_null(strstr(text, "\"future\":{\"a\":[1]}"));
	assert_null(strstr(text, "suspended"));
	assert_null(strstr(text, "rate"));
}

static void nonsense_is_left_out(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("[]", &r), -EBADMSG);
	assert_int_equal(record_parse("{", &r), -EBADMSG);
	assert_int_equal(record_parse("{\"keys\":[1,{\"id\":\"short\"}],\"rate\":-5,\"held\":7,"
				      "\"skip_unwritten\":1,\"verify\":\"true\","
				      "\"queued\":{\"keyslot\":99,\"key_size\":99999999999,"
				      "\"skip_unwritten\":{},\"verify\":null}}",
				      &r),
			 0);
	assert_int_equal(r.n_keys, 0);
	assert_int_equal(r.rate, 0);
	assert_string_equal(r.held, "");
	assert_int_equal(r.queued.keyslot, 31);
	assert_int_equal(r.queued.key_size, UINT32_MAX);
	assert_int_equal(r.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(r.run.verify, CHOICE_CONFIGURED);
	assert_int_equal(r.queued.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(r.queued.run.verify, CHOICE_CONFIGURED);
}

static void a_finished_rotation_retires_the_old_key(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	assert_int_equal(record_begin(&r, false, 1), 0);
	assert_string_equal(r.keys[0].state, "active");
	assert_int_equal(r.keys[0].generation, 0);
	assert_string_equal(r.keys[1].state, "registered");
	assert_int_equal(r.keys[1].generation, 1);
	assert_ptr_equal(record_active_key(&r), &r.keys[0]);
	record_prepared(&r, 2);
	assert_string_equal(r.keys[1].state, "populated");
	record_converting(&r, 3);
	assert_string_equal(r.keys[1].state, "active");
	assert_string_equal(r.keys[0].state, "retired");
	assert_int_equal(r.keys[0].retired_usec, 0); /* it is still needed */
	assert_string_equal(volume_key_state(&r.keys[0]), "retiring");
	assert_int_equal(volume_keys_protected(r.keys, r.n_keys), 0);
	record_ended(&r, false, 4);
	assert_int_equal(r.keys[0].retired_usec, 4);
	assert_string_equal(volume_key_state(&r.keys[0]), "retired");
	assert_int_equal(volume_keys_protected(r.keys, r.n_keys), 1);
	assert_int_equal(r.keys[1].activated_usec, 3);
	assert_string_equal(r.last.outcome, "finished");
	assert_ptr_equal(record_active_key(&r), &r.keys[1]);
}

static void a_cancelled_rotation_makes_the_old_key_active_again(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	assert_int_equal(record_begin(&r, false, 1), 0);
	record_converting(&r, 3);
	record_ended(&r, true, 4);
	assert_int_equal(r.n_keys, 1);
	assert_string_equal(r.keys[0].state, "active");
	assert_int_equal(r.keys[0].retired_usec, 0);
	/* And before anything was converted, or even prepared. */
	assert_int_equal(record_begin(&r, false, 5), 0);
	record_ended(&r, true, 6);
	assert_int_equal(r.n_keys, 1);
	assert_string_equal(r.keys[0].state, "active");
	assert_string_equal(r.last.outcome, "cancelled");
}

static void a_rotation_starts_once_also_where_its_record_was_read_again(void **state)
{
	_cleanup_free_ char *json = NULL;
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	assert_int_equal(record_begin(&r, true, 1), 0);
	record_prepared(&r, 2);
	assert_true(record_started(&r, 3));
	assert_false(record_started(&r, 4));
	assert_int_equal(record_format(&r, "", &json), 0);
	assert_int_equal(record_parse(json, &r), 0);
	assert_false(record_started(&r, 5));
	assert_int_equal(r.last.started_usec, 1);
	assert_int_equal(r.last.converting_usec, 3);
	/* The next one is another, also when cryptsetup began it. */
	record_ended(&r, false, 6);
	assert_true(record_started(&r, 7));
	assert_string_equal(r.last.outcome, "running");
	assert_int_equal(r.last.started_usec, 7);
	assert_int_equal(r.last.ended_usec, 0);
	assert_int_equal(record_begin(&r, false, 8), 0);
	record_prepared(&r, 9);
	assert_true(record_started(&r, 10));
}

static void the_history_of_keys_is_short_and_generations_go_on(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_parse("", &r), 0);
	for (unsigned i = 1; i <= 10; i++) {
		assert_int_equal(record_begin(&r, false, i), 0);
		record_ended(&r, false, i);
		assert_int_equal(record_active_key(&r)->generation, i);
	}
	assert_int_equal(r.n_keys, RECORD_KEYS_MAX);
	/* A kept key is the same key. */
	assert_int_equal(record_begin(&r, true, 11), 0);
	record_ended(&r, false, 12);
	assert_int_equal(record_active_key(&r)->generation, 10);
}

static void what_the_worker_adds_is_no_part_of_the_text(void **state)
{
	_cleanup_free_ char *ours = NULL, *header = NULL, *other = NULL, *none = NULL;

	(void)state;
	assert_int_equal(record_canonical("{ \"serial\": 3, \"x\": [1.50] }", &ours), 0);
	assert_int_equal(record_canonical("{\"type\":\"recryptd\",\"serial\":3,\"x\":[1.50],"
					  "\"keyslots\":[],\"mac\":{\"a\":\"b\"}}",
					  &header),
			 0);
	assert_int_equal(record_canonical("{\"serial\":4,\"x\":[1.50]}", &other), 0);
	assert_int_equal(record_canonical("", &none), 0);
	assert_string_equal(ours, header);
	assert_string_not_equal(ours, other);
	assert_string_equal(none, "");
}

static void only_what_stops_or_slows_is_a_hint(void **state)
{
	struct record found, hints;

	(void)state;
	assert_int_equal(record_parse("{\"suspended\":\"why\",\"rate\":5,\"cancel\":true,"
				      "\"queued\":{},\"skip_unwritten\":true,\"held\":\"v\","
				      "\"deadline\":9,\"last\":{\"outcome\":\"running\"}}",
				      &found),
			 0);
	hints = record_hints(&found, 0);
	assert_true(hints.suspended && hints.has_rate && hints.rate == 5);
	assert_string_equal(hints.suspend_reason, "why");
	assert_false(hints.has_queued || hints.cancel || *hints.held || *hints.last.outcome);
	assert_int_equal(hints.deadline_usec, 0);
	assert_int_equal(hints.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_false(record_hints(&found, 4).has_rate); /* it would be faster */
	found.rate = 0;
	assert_false(record_hints(&found, 0).has_rate);
}

/* A record that has been through a rotation from the side "a" to "b". */
static struct record rotating(const char *outcome, bool turned, const char *side)
{
	struct record r = {.cancel = turned, .turned = turned};

	strcpy(r.last.outcome, outcome);
	strcpy(r.sides.old, "a");
	strcpy(r.sides.new, "b");
	strcpy(r.sides.now, side);
	return r;
}

static void assert_match(const struct record *r, const char *old_side, const char *new_side,
			 bool backward, enum record_match expected)
{
	const struct record_header h = {.in_reencryption = *new_side != '\0',
					.backward = backward,
					.old_side = old_side,
					.new_side = new_side};

	assert_int_equal(record_compare(r, &h), expected);
}

static void a_header_of_before_is_told_from_the_end(void **state)
{
	struct record r = rotating("running", false, "a");

	(void)state;
	assert_match(&r, "a", "b", false, RECORD_MATCHES);
	assert_match(&r, "b", "a", true, RECORD_MATCHES);
	assert_match(&r, "a", "c", false, RECORD_OTHER_ROTATION);
	assert_match(&r, "b", "", false, RECORD_ENDED_NEW);
	assert_match(&r, "a", "", false, RECORD_ROLLED_BACK);
	assert_match(&r, "c", "", false, RECORD_ROLLED_BACK);
	r = rotating("running", true, "a");
	assert_match(&r, "a", "", false, RECORD_ENDED_OLD);
	assert_match(&r, "b", "", false, RECORD_ENDED_NEW); /* before it was turned around */
	assert_match(&r, "c", "", false, RECORD_ROLLED_BACK);
	r.sides.new[0] = '\0'; /* an older record does not name it */
	assert_match(&r, "c", "", false, RECORD_ENDED_OLD);

	r = rotating("finished", false, "b");
	assert_match(&r, "b", "", false, RECORD_MATCHES);
	assert_match(&r, "a", "", false, RECORD_ROLLED_BACK);
	assert_match(&r, "c", "", false, RECORD_OTHER_KEY);
	assert_match(&r, "b", "c", false, RECORD_MATCHES); /* another program has begun it */
	assert_match(&r, "c", "b", true, RECORD_MATCHES);
	assert_match(&r, "a", "b", false, RECORD_ROLLED_BACK);
	assert_match(&r, "b", "a", true, RECORD_ROLLED_BACK);
	assert_match(&r, "c", "d", false, RECORD_OTHER_ROTATION);
	r = rotating("failed", false, "a"); /* and was begun all the same */
	assert_match(&r, "a", "b", false, RECORD_MATCHES);
	assert_match(&r, "a", "", false, RECORD_MATCHES);
	r = rotating("preparing", false, "b"); /* after one that has finished */
	assert_match(&r, "b", "c", false, RECORD_MATCHES);
	assert_match(&r, "a", "", false, RECORD_ROLLED_BACK);
	assert_match(&r, "a", "b", false, RECORD_ROLLED_BACK);
	r = rotating("running", true, "a");
	record_ended(&r, true, 1);
	assert_match(&r, "a", "", false, RECORD_MATCHES);
	assert_match(&r, "b", "", false, RECORD_ROLLED_BACK);
	assert_match(&r, "a", "b", false, RECORD_ROLLED_BACK);
}

static void an_accepted_header_has_its_key_active(void **state)
{
	static const struct record_header old = {.old_side = "a", .new_side = ""};
	static const struct record_header other = {.old_side = "c", .new_side = ""};
	struct record r = {.queued = ROTATE_OPTIONS_NONE};

	(void)state;
	assert_int_equal(record_begin(&r, false, 1), 0);
	record_prepared(&r, 2);
	record_note_sides(&r, &(struct record_header){true, false, "a", "b"});
	record_started(&r, 3);
	record_converting(&r, 3);
	record_ended(&r, false, 4);
	assert_string_equal(r.sides.now, "b");
	record_accept_header(&r, &old, 5);
	assert_int_equal(r.n_keys, 1);
	assert_string_equal(r.keys[0].state, "active");
	assert_int_equal(r.keys[0].retired_usec, 0);
	assert_string_equal(r.last.outcome, "failed");
	assert_match(&r, "a", "", false, RECORD_MATCHES);
	record_accept_header(&r, &other, 6);
	assert_int_equal(r.n_keys, 2);
	assert_string_equal(r.keys[0].state, "retired");
	assert_string_equal(r.keys[1].state, "active");
	assert_match(&r, "c", "", false, RECORD_MATCHES);
}

static void this_host_remembers_what_it_wrote(void **state)
{
	static const char uuid[] = "3f1d5ad8-9c5e-4d0b-8f8e-1f0f3d4a5b6c";
	char dir[64] = "/tmp/test-record-XXXXXX";
	struct remembered r = {.serial = 3, .sequence = UINT64_C(1) << 63}, back;

	(void)state;
	assert_non_null(mkdtemp(dir));
	remembered_load(dir, uuid, &back);
	assert_null(back.written);
	assert_int_equal(back.serial, 0);
	r.written = strdup("{\"a\":\"\\\"\xc3\xa9\"}");
	assert_int_equal(remembered_save(dir, uuid, &r), 0);
	remembered_load(dir, uuid, &back);
	assert_string_equal(back.written, r.written);
	assert_null(back.pending);
	assert_int_equal(back.serial, 3);
	assert_int_equal(back.sequence, r.sequence);
	remembered_clear(&back);
	r.pending = strdup("");
	assert_int_equal(remembered_save(dir, uuid, &r), 0);
	remembered_load(dir, uuid, &back);
	assert_string_equal(back.pending, "");
	remembered_clear(&back);
	assert_int_equal(remembered_save(dir, "../../etc/a-name-of-thirty-six-bytes1", &r),
			 -EINVAL);
	remembered_clear(&r);
	remembered_forget(dir, uuid);
	remembered_load(dir, uuid, &back);
	assert_null(back.written);
	(void)strcat(dir, "/volumes");
	assert_int_equal(rmdir(dir), 0);
	*strrchr(dir, '/') = '\0';
	assert_int_equal(rmdir(dir), 0);
}

/* The record is a string on the bus: one that is not valid could never be written again. */
static void a_message_is_cut_after_a_whole_character(void **state)
{
	static const char letters[] =
		"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc";
	char message[512];

	(void)state;
	for (size_t start = 0; start < 2; start++) {
		_cleanup_free_ char *json = NULL;
		struct record r;

		assert_int_equal(record_parse("", &r), 0);
		(void)snprintf(message, sizeof(message), "%s%s%s%s%s%s%s%s%s%s", start ? "x" : "",
			       letters, letters, letters, letters, letters, letters, letters,
			       letters, letters);
		record_failed(&r, message, 1);
		assert_true(strlen(r.last.message) < strlen(message));
		assert_true(text_is_valid(r.last.message));
		assert_int_equal(record_format(&r, "", &json), 0);
		assert_true(text_is_valid(json));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_cut_after_a_whole_character),
		cmocka_unit_test(a_deadline_goes_with_its_rotation),
		cmocka_unit_test(what_a_rotation_says_of_its_runs_goes_with_it),
		cmocka_unit_test(a_record_without_it_leaves_it_to_the_configuration),
		cmocka_unit_test(a_wish_to_turn_around_is_not_yet_a_turn),
		cmocka_unit_test(a_record_survives_its_json),
		cmocka_unit_test(what_the_worker_adds_is_no_part_of_the_text),
		cmocka_unit_test(only_what_stops_or_slows_is_a_hint),
		cmocka_unit_test(a_header_of_before_is_told_from_the_end),
		cmocka_unit_test(an_accepted_header_has_its_key_active),
		cmocka_unit_test(this_host_remembers_what_it_wrote),
		cmocka_unit_test(unknown_members_are_kept_and_known_ones_can_go),
		cmocka_unit_test(nonsense_is_left_out),
		cmocka_unit_test(a_finished_rotation_retires_the_old_key),
		cmocka_unit_test(a_cancelled_rotation_makes_the_old_key_active_again),
		cmocka_unit_test(a_rotation_starts_once_also_where_its_record_was_read_again),
		cmocka_unit_test(the_history_of_keys_is_short_and_generations_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
