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

static const struct record_keys NO_KEYS = {};

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
	assert_int_equal(luks_record_set(h, "{\"a\":1,\"keyslots\":[\"0\"],\"type\":\"other\"}",
					 &NO_KEYS, &why),
			 0);
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
	assert_int_equal(luks_record_set(h, "{\"a\":1}", &NO_KEYS, &why), 0);
	assert_int_equal(luks_record_set(h, "{\"b\":2}", &NO_KEYS, &why), 0);
	assert_record(h, "{\"b\":2,\"type\":\"recryptd\",\"keyslots\":[]}");
	tokens = field_get(h->json, "tokens", json_type_object);
	assert_int_equal(json_object_object_length(tokens), before + 1);
	assert_int_equal(luks_record_set(h, "", &NO_KEYS, &why), 0);
	assert_record(h, "");
	tokens = field_get(h->json, "tokens", json_type_object);
	assert_int_equal(json_object_object_length(tokens), before);
	assert_int_equal(luks_record_set(h, "", &NO_KEYS, &why), 0);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const texts[] = {"[]", "1", "{", "null", "{\"a\":1", " "};
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	char *before = member_text(h->json, "tokens"), *after;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct luks_reason why = {};

		assert_int_equal(luks_record_set(h, texts[i], &NO_KEYS, &why), -EINVAL);
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
	assert_int_equal(luks_record_set(h, text, &NO_KEYS, &why), -EFBIG);
	for (length = 1; length < RECORD_SIZE_MAX - 64; length += 64) {
		(void)snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", length, 0);
		if (luks_record_set(h, text, &NO_KEYS, &why) == -ENOSPC)
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
	assert_int_equal(luks_record_set(h, "{}", &NO_KEYS, &why), -ENOSPC);
	field_delete_id(field_get(h->json, "tokens", json_type_object), 7);
	assert_int_equal(luks_record_set(h, "{}", &NO_KEYS, &why), 0);
	assert_non_null(field_by_id(field_get(h->json, "tokens", json_type_object), 7));
}

static struct record_keys keys_of(const struct luks_header *h, const char *first,
				  const char *second)
{
	const char *texts[] = {first, second};
	struct record_keys keys = {};

	for (int digest = 0; digest < 2; digest++) {
		_cleanup_(secret_freep) struct secret *volume_key = NULL;

		if (!texts[digest])
			continue;
		assert_int_equal(secret_copy(texts[digest], strlen(texts[digest]), &volume_key), 0);
		assert_int_equal(record_key_make(h, digest, volume_key, &keys.key[keys.n++]), 0);
	}
	return keys;
}

static void assert_trust(const struct luks_header *h, const char *first, const char *second,
			 enum record_trust expected)
{
	struct record_keys keys = keys_of(h, first, second);

	assert_int_equal(luks_record_check(h, &keys), expected);
	record_keys_forget(&keys);
}

static void sign(struct luks_header *h, const char *text, const char *first, const char *second)
{
	struct record_keys keys = keys_of(h, first, second);
	struct luks_reason why = {};

	assert_int_equal(luks_record_set(h, text, &keys, &why), 0);
	record_keys_forget(&keys);
}

static void a_record_is_verified_under_either_key(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();

	(void)state;
	assert_trust(h, "old", "new", RECORD_NONE);
	sign(h, "{\"a\":1.50,\"b\":\"x/y \xc3\xa9\"}", "old", "new");
	assert_trust(h, NULL, NULL, RECORD_UNVERIFIED);
	assert_trust(h, "old", "new", RECORD_VERIFIED);
	assert_trust(h, "old", NULL, RECORD_VERIFIED);
	assert_trust(h, NULL, "new", RECORD_VERIFIED);
	assert_trust(h, "other", NULL, RECORD_UNTRUSTED);
	assert_trust(h, "old", "other", RECORD_UNTRUSTED);
	sign(h, "{}", "old", NULL); /* before there was a new key */
	assert_trust(h, "old", "new", RECORD_VERIFIED);
	assert_trust(h, NULL, "new", RECORD_UNTRUSTED);
}

static void a_record_without_a_mac_is_untrusted(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();

	(void)state;
	sign(h, "{\"a\":1}", NULL, NULL);
	assert_trust(h, NULL, NULL, RECORD_UNVERIFIED);
	assert_trust(h, "old", "new", RECORD_UNTRUSTED);
	/* That of another text is not kept. */
	sign(h, "{\"a\":1,\"mac\":{\"0\":\"1\"}}", NULL, NULL);
	assert_record(h, "{\"a\":1,\"type\":\"recryptd\",\"keyslots\":[]}");
}

static json_object *token(const struct luks_header *h)
{
	json_object *tokens = field_get(h->json, "tokens", json_type_object);

	for (unsigned id = 0; id < LUKS_MAX_TOKENS; id++) {
		json_object *t = field_by_id(tokens, id);

		if (t && strcmp(field_string(t, "type"), RECORD_TOKEN_TYPE) == 0)
			return t;
	}
	return NULL;
}

/* Each change of the token, of the volume, or of the key that the MAC is said to be of. */
static void a_mac_counts_for_what_it_was_made_for_only(void **state)
{
	_cleanup_(luks_header_freep) struct luks_header *h = header();
	json_object *macs, *mac, *first;
	struct record_keys keys = keys_of(h, "old", "new");

	(void)state;
	sign(h, "{\"a\":1}", "old", "new");
	assert_int_equal(field_set(token(h), "a", json_object_new_int(2)), 0);
	assert_int_equal(luks_record_check(h, &keys), RECORD_UNTRUSTED);
	assert_int_equal(field_set(token(h), "a", json_object_new_int(1)), 0);
	assert_int_equal(luks_record_check(h, &keys), RECORD_VERIFIED);
	assert_int_equal(field_set(token(h), "b", json_object_new_boolean(1)), 0);
	assert_int_equal(luks_record_check(h, &keys), RECORD_UNTRUSTED);
	json_object_object_del(token(h), "b");
	h->uuid[0] ^= 1;
	assert_int_equal(luks_record_check(h, &keys), RECORD_UNTRUSTED);
	h->uuid[0] ^= 1;

	macs = field_get(token(h), "mac", json_type_object);
	assert_true(json_object_object_get_ex(macs, keys.key[0].fingerprint, &first));
	assert_true(json_object_object_get_ex(macs, keys.key[1].fingerprint, &mac));
	assert_string_not_equal(json_object_get_string(mac), json_object_get_string(first));
	assert_int_equal(field_set(macs, keys.key[1].fingerprint, json_object_get(first)), 0);
	assert_int_equal(luks_record_check(h, &keys), RECORD_UNTRUSTED);
	json_object_object_del(macs, keys.key[1].fingerprint);
	assert_int_equal(luks_record_check(h, &keys), RECORD_VERIFIED);
	json_object_object_del(macs, keys.key[0].fingerprint);
	assert_int_equal(luks_record_check(h, &keys), RECORD_UNTRUSTED);
	record_keys_forget(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_verified_under_either_key),
		cmocka_unit_test(a_record_without_a_mac_is_untrusted),
		cmocka_unit_test(a_mac_counts_for_what_it_was_made_for_only),
		cmocka_unit_test(a_record_is_a_token_of_no_keyslot),
		cmocka_unit_test(a_new_record_replaces_the_old_one),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_record_leaves_room_for_the_reencryption),
		cmocka_unit_test(no_token_number_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
