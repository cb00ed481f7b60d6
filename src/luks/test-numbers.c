/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers of keyslots: noted, given back, and nothing that a header says gives a number twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "luks/numbers.h"
#include "util/checked.h"

#define HEADER_SIZE UINT64_C(16384)

/* Keyslots 0 and 7 were those of the old key, and 5 is of neither; 1 and 2 are of the new one. */
static const char begun[] =
	"{'keyslots':{'0':{'n':'old 0'},'1':{'n':'new 0'},'2':{'n':'new 7'},'5':{'n':'other'},"
	"'7':{'n':'old 7'}},"
	"'tokens':{'0':{'type':'x','keyslots':['7','2']},'1':{'type':'y','keyslots':['5']}},"
	"'digests':{'0':{'keyslots':['0','7'],'digest':'AAAA'},"
	"'1':{'keyslots':['1','2'],'digest':'BBBB'},'2':{'keyslots':['5'],'digest':'CCCC'}}}";

static json_object *parse(const char *text)
{
	char quoted[2048];
	json_object *json;

	assert_true(strlen(text) < sizeof(quoted));
	strcpy(quoted, text);
	for (char *c = quoted; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_tokener_parse(quoted);
	assert_non_null(json);
	return json;
}

static json_object *at(json_object *json, const char *name)
{
	return field_get(json, name, json_type_object);
}

static json_object *keyslots_of(json_object *json, const char *what, unsigned id)
{
	return field_get(field_by_id(at(json, what), id), "keyslots", json_type_array);
}

static const char *name_of(json_object *json, unsigned id)
{
	json_object *keyslot = field_by_id(at(json, "keyslots"), id);

	return keyslot ? field_string(keyslot, "n") : "none";
}

/* As the edit that ends a re-encryption does. */
static void drop_old_key(json_object *json)
{
	field_delete_id(at(json, "keyslots"), 0);
	field_delete_id(at(json, "keyslots"), 7);
	field_delete_id(at(json, "digests"), 0);
	ids_remove(keyslots_of(json, "tokens", 0), 7);
}

static struct luks_numbers copies(void)
{
	struct luks_numbers n = LUKS_NUMBERS_NONE;

	n.original[1] = 0;
	n.original[2] = 7;
	return n;
}

static json_object *noted(void)
{
	const struct luks_numbers n = copies();
	json_object *json = parse(begun);

	assert_int_equal(luks_numbers_note(json, HEADER_SIZE, &n), 0);
	assert_int_equal(json_object_object_length(at(json, "tokens")), 3);
	return json;
}

static void copies_get_the_numbers_of_their_originals(void **state)
{
	json_object *json = noted();

	(void)state;
	drop_old_key(json);
	assert_int_equal(luks_numbers_restore(json, 1), 0);
	assert_string_equal(name_of(json, 0), "new 0");
	assert_string_equal(name_of(json, 7), "new 7");
	assert_string_equal(name_of(json, 5), "other");
	assert_int_equal(json_object_object_length(at(json, "keyslots")), 3);
	assert_true(ids_contain(keyslots_of(json, "digests", 1), 0));
	assert_true(ids_contain(keyslots_of(json, "digests", 1), 7));
	assert_int_equal(json_object_array_length(keyslots_of(json, "digests", 1)), 2);
	assert_true(ids_contain(keyslots_of(json, "tokens", 0), 7));
	assert_int_equal(json_object_array_length(keyslots_of(json, "tokens", 0)), 1);
	assert_true(ids_contain(keyslots_of(json, "tokens", 1), 5));
	assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
	json_object_put(json);
}

/* On the way back, and where the old key stays. */
static void a_number_that_is_taken_is_not_given(void **state)
{
	json_object *json = noted();

	(void)state;
	assert_int_equal(luks_numbers_restore(json, 1), 0);
	assert_string_equal(name_of(json, 0), "old 0");
	assert_string_equal(name_of(json, 1), "new 0");
	assert_string_equal(name_of(json, 7), "old 7");
	assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
	json_object_put(json);
}

static void a_note_for_another_key_is_dropped(void **state)
{
	(void)state;
	for (unsigned digest = 0; digest < 3; digest += 2) {
		json_object *json = noted();

		drop_old_key(json);
		assert_int_equal(luks_numbers_restore(json, digest), 0);
		assert_string_equal(name_of(json, 1), "new 0");
		assert_string_equal(name_of(json, 2), "new 7");
		assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
		json_object_put(json);
	}
}

/* cryptsetup has ended that re-encryption, and another one has given its numbers anew. */
static void a_note_for_an_earlier_key_is_dropped(void **state)
{
	json_object *json = noted();

	(void)state;
	drop_old_key(json);
	assert_int_equal(field_set(field_by_id(at(json, "digests"), 1), "digest",
				   json_object_new_string("DDDD")),
			 0);
	assert_int_equal(luks_numbers_restore(json, 1), 0);
	assert_string_equal(name_of(json, 1), "new 0");
	assert_string_equal(name_of(json, 2), "new 7");
	assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
	json_object_put(json);
}

static void a_new_note_replaces_an_earlier_one(void **state)
{
	const struct luks_numbers n = copies(), none = LUKS_NUMBERS_NONE;
	json_object *json = noted();

	(void)state;
	assert_int_equal(luks_numbers_note(json, HEADER_SIZE, &n), 0);
	assert_int_equal(json_object_object_length(at(json, "tokens")), 3);
	assert_int_equal(luks_numbers_note(json, HEADER_SIZE, &none), 0);
	assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
	json_object_put(json);
}

static void no_room_is_told(void **state)
{
	const struct luks_numbers n = copies();
	json_object *json = parse(begun), *tokens = at(json, "tokens");

	(void)state;
	assert_int_equal(luks_numbers_note(json, 4096 + 3072, &n), -ENOSPC);
	assert_int_equal(json_object_object_length(tokens), 2);
	for (unsigned id = 2; id < LUKS_MAX_TOKENS; id++)
		assert_int_equal(field_set_id(tokens, id, parse("{'type':'z','keyslots':[]}")), 0);
	assert_int_equal(luks_numbers_note(json, HEADER_SIZE, &n), -ENOSPC);
	assert_int_equal(json_object_object_length(tokens), (int)LUKS_MAX_TOKENS);
	json_object_put(json);
}

/* Whatever it is: no keyslot is lost, and none gets a number that is no number. */
static void a_hostile_note_does_no_harm(void **state)
{
	static const char *const notes[] = {
		"{'1':'5','2':'5'}",
		"{'1':'32','2':'-1'}",
		"{'1':'07','2':'1'}",
		"{'1':0,'2':[]}",
		"{'1':'','5':'0'}",
		"{'9':'0','31':'7'}",
		"{'1':'1','2':'2'}",
		"[]",
		"'0'",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		json_object *json = noted();

		drop_old_key(json);
		assert_int_equal(
			field_set(field_by_id(at(json, "tokens"), 2), "numbers", parse(notes[i])),
			0);
		assert_int_equal(luks_numbers_restore(json, 1), 0);
		assert_int_equal(json_object_object_length(at(json, "keyslots")), 3);
		assert_string_equal(name_of(json, 5), "other");
		assert_string_equal(name_of(json, 1), "new 0");
		assert_string_equal(name_of(json, 2), "new 7");
		assert_int_equal(json_object_object_length(at(json, "tokens")), 2);
		json_object_put(json);
	}
}

/* Two that want one number: the first one has it. */
static void a_number_is_given_once(void **state)
{
	json_object *json = noted();

	(void)state;
	drop_old_key(json);
	assert_int_equal(field_set(field_by_id(at(json, "tokens"), 2), "numbers",
				   parse("{'2':'0','1':'0'}")),
			 0);
	assert_int_equal(luks_numbers_restore(json, 1), 0);
	assert_string_equal(name_of(json, 0), "new 0");
	assert_string_equal(name_of(json, 2), "new 7");
	assert_int_equal(json_object_object_length(at(json, "keyslots")), 3);
	json_object_put(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_get_the_numbers_of_their_originals),
		cmocka_unit_test(a_number_that_is_taken_is_not_given),
		cmocka_unit_test(a_note_for_another_key_is_dropped),
		cmocka_unit_test(a_note_for_an_earlier_key_is_dropped),
		cmocka_unit_test(a_new_note_replaces_an_earlier_one),
		cmocka_unit_test(no_room_is_told),
		cmocka_unit_test(a_hostile_note_does_no_harm),
		cmocka_unit_test(a_number_is_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
