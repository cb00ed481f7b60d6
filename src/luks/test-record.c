/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record as a token: put in, read back, replaced, removed, and refused where it would harm. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/record.h"
#include "luks/reencrypt.h"
#include "luks/test-support.h"
#include "luks/validate.h"

#define STATE "1_reencrypt_fwd_init-only"

static struct luks_header *header(void)
{
	return header_with(state_json(STATE), TEST_HEADER_SIZE);
}

static void assert_record(const struct luks_header *h, const char *expected)
{
	char text[RECORD_SIZE_MAX];

	assert_int_equal(luks_record_get(h, text), 0);
	assert_string_equal(text, expected);
}

static void a_record_is_a_token_of_no_keyslot(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	struct luks_reason why = {};

	(void)state;
	assert_record(h, "");
	assert_int_equal(
		luks_record_set(h, "{\"a\":1,\"keyslots\":[\"0\"],\"type\":\"other\"}", &why), 0);
	assert_record(h, "{\"a\":1,\"keyslots\":[],\"type\":\"recryptd\"}");
	assert_int_equal(luks_validate(h->json, h->size, &why), 0);
}

static void a_new_record_replaces_the_old_one(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	struct luks_reason why = {};
	json_object *tokens = field_get(h->json, "tokens", json_type_object);
	const int before = json_object_object_length(tokens);

	(void)state;
	assert_int_equal(luks_record_set(h, "{\"a\":1}", &why), 0);
	assert_int_equal(luks_record_set(h, "{\"b\":2}", &why), 0);
	assert_record(h, "{\"b\":2,\"type\":\"recryptd\",\"keyslots\":[]}");
	tokens = field_get(h->json, "tokens", json_type_object);
	assert_int_equal(json_object_object_length(tokens), before + 1);
	assert_int_equal(luks_record_set(h, "", &why), 0);
	assert_record(h, "");
	tokens = field_get(h->json, "tokens", json_type_object);
	assert_int_equal(json_object_object_length(tokens), before);
	assert_int_equal(luks_record_set(h, "", &why), 0);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const texts[] = {"[]", "1", "{", "null", "{\"a\":1", " "};
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	char *before = member_text(h->json, "tokens"), *after;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct luks_reason why = {};

		assert_int_equal(luks_record_set(h, texts[i], &why), -EINVAL);
		assert_true(*why.text);
	}
	after = member_text(h->json, "tokens");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* A header that a record filled could no longer say where the hotzone is. */
static void a_record_leaves_room_for_the_reencryption(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	struct luks_reason why = {};
	struct luks_reenc r;
	char text[2 * RECORD_SIZE_MAX];
	int length, fits = 0;

	(void)state;
	(void)snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", RECORD_SIZE_MAX, 0);
	assert_int_equal(luks_record_set(h, text, &why), -EFBIG);
	for (length = 1; length < RECORD_SIZE_MAX - 64; length += 64) {
		(void)snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", length, 0);
		if (luks_record_set(h, text, &why) == -ENOSPC)
			break;
		fits = length;
	}
	assert_true(fits >= 2048);
	assert_true(length < RECORD_SIZE_MAX - 64);
	assert_int_equal(luks_reenc_load(h, UINT64_C(1) << 40, 0, 512, &r, &why), 0);
	assert_int_equal(luks_reenc_set_position(h, &r, 1 << 20, 1 << 20), 0);
	assert_true(strlen(json_object_to_json_string_ext(h->json, JSON_C_TO_STRING_PLAIN)) + 1024 <
		    h->size - LUKS_HEADER_BINARY_SIZE);
}

static void no_token_number_is_left(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h =
		header_with(state_json(STATE), LUKS_HEADER_MAX_SIZE);
	json_object *tokens = field_get(h->json, "tokens", json_type_object);
	struct luks_reason why = {};

	(void)state;
	for (unsigned id = 0; id < LUKS_MAX_TOKENS; id++)
		assert_int_equal(
			field_set_id(tokens, id,
				     json_tokener_parse("{\"type\":\"x\",\"keyslots\":[]}")),
			0);
	assert_int_equal(luks_record_set(h, "{}", &why), -ENOSPC);
	field_delete_id(field_get(h->json, "tokens", json_type_object), 7);
	assert_int_equal(luks_record_set(h, "{}", &why), 0);
	assert_non_null(field_by_id(field_get(h->json, "tokens", json_type_object), 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_a_token_of_no_keyslot),
		cmocka_unit_test(a_new_record_replaces_the_old_one),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_record_leaves_room_for_the_reencryption),
		cmocka_unit_test(no_token_number_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
