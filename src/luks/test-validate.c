/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metadata that is damaged or tampered with, one field at a time: what cryptsetup refuses is
 * refused by luks_validate(), and what only the engine would stumble over by luks_reenc_load().
 */
#include <errno.h>
#include <json-c/json_pointer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/reencrypt.h"
#include "luks/test-support.h"
#include "luks/validate.h"
#include "util/checked.h"

#define MIB   UINT64_C(1048576)
#define STATE "1_reencrypt_fwd_hot_second_hotzone"

/* Sets @path to the JSON @value, or takes it away where that is NULL. */
struct mutation {
	const char *path, *value;
};

static void mutate(json_object *json, const struct mutation *m)
{
	char parent[128];
	json_object *object;
	char *key;

	(void)strcpy(parent, m->path);
	key = strrchr(parent, '/');
	*key++ = 0;
	if (json_pointer_get(json, parent, &object) < 0)
		fail_msg("%s is not there", parent);
	if (m->value)
		assert_int_equal(json_object_object_add(object, key, json_tokener_parse(m->value)),
				 0);
	else
		json_object_object_del(object, key);
}

static void recorded_states_are_valid(void **state)
{
	static const char *const names[] = {
		STATE,
		"1_reencrypt_fwd_finished",
		"2_encrypt_hot_moved_seg",
		"3_encrypt_detached_init",
		"4_decrypt_detached_kill-w42",
		"5_decrypt_datashift_init",
		"5_decrypt_datashift_finished",
		"6_kill-w21",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_object *json = state_json(names[i]);
		struct luks_reason why = {""};

		if (luks_validate(json, TEST_HEADER_SIZE, &why) < 0)
			fail_msg("%s: %s", names[i], why.text);
		json_object_put(json);
	}
}

static void invalid_metadata_is_refused(void **state)
{
	static const struct mutation mutations[] = {
		{"/keyslots", NULL},
		{"/tokens", "[]"},
		{"/segments", "{}"},
		{"/config", "7"},
		{"/config/json_size", "\"12287\""},
		{"/config/json_size", "12288"},
		{"/config/json_size", "\"-12288\""},
		{"/config/json_size", "\"99999999999999999999999\""},
		{"/config/keyslots_size", "\"16744449\""},
		{"/config/keyslots_size", "\"134221824\""},
		{"/config/keyslots_size", "\"16748544\""},
		{"/config/flags", "[1]"},
		{"/config/requirements", "[]"},
		{"/config/requirements/mandatory", "[1]"},
		{"/config/requirements/mandatory",
		 "[\"online-reencrypt-v2\",\"online-reencrypt-v3\"]"},
		{"/config/requirements", NULL},
		{"/segments/1", NULL},
		{"/segments/3", NULL},
		{"/segments/x", "{}"},
		{"/segments/01", "{}"},
		{"/segments/5", "[]"},
		{"/segments/0/type", NULL},
		{"/segments/0/offset", "\"16777217\""},
		{"/segments/0/offset", "\"18446744073709551104\""},
		{"/segments/0/offset", "16777216"},
		{"/segments/0/size", "\"0\""},
		{"/segments/0/size", "\"4194305\""},
		{"/segments/0/size", "\"4194816\""},
		{"/segments/0/size", "\"dynamic\""},
		{"/segments/0/size", "\"4198400\""},
		{"/segments/0/iv_tweak", "\"0x0\""},
		{"/segments/0/encryption", "\"\""},
		{"/segments/0/sector_size", "0"},
		{"/segments/0/sector_size", "513"},
		{"/segments/0/sector_size", "4294971392"},
		{"/segments/0/sector_size", "512"},
		{"/segments/0/encryption", "\"aes-cbc-plain64\""},
		{"/segments/0/flags", "\"backup-previous\""},
		{"/segments/0/flags", "[7]"},
		{"/segments/0/flags", "[\"backup-previous\"]"},
		{"/segments/3/flags", NULL},
		{"/segments/4/flags", "[\"backup-previous\"]"},
		{"/segments/4/sector_size", "512"},
		{"/digests/0/segments", "[\"9\"]"},
		{"/digests/0/segments", "[1]"},
		{"/digests/0/segments", NULL},
		{"/digests/0/keyslots", "[]"},
		{"/digests/0/keyslots", "[\"0\",\"1\"]"},
		{"/digests/1/segments", "[\"1\",\"4\"]"},
		{"/digests/8", "{\"type\":\"pbkdf2\",\"keyslots\":[],\"segments\":[]}"},
		{"/tokens/0", "{\"type\":\"x\",\"keyslots\":[\"7\"]}"},
		{"/tokens/0", "{\"keyslots\":[]}"},
		{"/keyslots/2", NULL},
		{"/keyslots/32", "{}"},
		{"/keyslots/0/key_size", "-1"},
		{"/keyslots/0/kdf/salt", NULL},
		{"/keyslots/0/kdf/more", "1"},
		{"/keyslots/0/af/type", "\"luks2\""},
		{"/keyslots/0/area/type", "\"none\""},
		{"/keyslots/0/area/offset", "\"32767\""},
		{"/keyslots/0/area/offset", "\"163840\""},
		{"/keyslots/0/area/size", "\"0\""},
		{"/keyslots/0/area/size", "\"18446744073709551615\""},
		{"/keyslots/2/area/size", "\"16355329\""},
		{"/keyslots/2/key_size", "2"},
		{"/keyslots/2/mode", "\"backward\""},
		{"/keyslots/2/direction", "\"up\""},
		{"/keyslots/2/area/sector_size", "1000"},
		{"/keyslots/2/area/sector_size", "256"},
		{"/keyslots/2/area/hash", NULL},
		{"/keyslots/2/area/type", "\"datashift\""},
		{"/keyslots/1/type", "\"reencrypt\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		json_object *json = state_json(STATE);
		struct luks_reason why = {""};

		mutate(json, &mutations[i]);
		if (luks_validate(json, TEST_HEADER_SIZE, &why) != -EINVAL)
			fail_msg("%s = %s is accepted", mutations[i].path, mutations[i].value);
		assert_true(why.text[0]);
		json_object_put(json);
	}
}

static void inconsistent_reencryption_is_refused(void **state)
{
	static const struct {
		struct mutation mutation;
		int error;
	} cases[] = {
		{{"/config/requirements/mandatory", "[\"online-reencrypt\"]"}, -EOPNOTSUPP},
		{{"/config/requirements/mandatory", "[\"online-reencrypt-v2\",\"opal\"]"},
		 -EOPNOTSUPP},
		{{"/config/requirements/mandatory",
		  "[\"online-reencrypt-v2\",\"offline-reencrypt\"]"},
		 -EOPNOTSUPP},
		{{"/config/requirements/mandatory", "[\"online-reencrypt-v4\"]"}, -EOPNOTSUPP},
		{{"/segments/0/integrity", "{\"type\":\"aead\"}"}, -EOPNOTSUPP},
		{{"/keyslots/2/direction", "\"backward\""}, -EBADMSG},
		{{"/keyslots/2/mode", "\"encrypt\""}, -EBADMSG},
		{{"/keyslots/2/mode", "\"decrypt\""}, -EBADMSG},
		{{"/keyslots/2/area/hash", "\"no-such-hash\""}, -EOPNOTSUPP},
		{{"/keyslots/2/area/sector_size", "512"}, -EBADMSG},
		{{"/keyslots/2/area/sector_size", "2097152"}, -EBADMSG},
		{{"/keyslots/2/area/size", "\"4096\""}, -EINVAL},
		{{"/segments/0/iv_tweak", "\"8\""}, -EBADMSG},
		{{"/segments/0/encryption", "\"aes-cbc-plain64\""}, -EBADMSG},
		{{"/segments/1/iv_tweak", "\"8193\""}, -EBADMSG},
		{{"/segments/2/iv_tweak", "\"0\""}, -EBADMSG},
		{{"/segments/1/size", "\"4190208\""}, -EBADMSG},
		{{"/segments/1/offset", "\"20975616\""}, -EBADMSG},
		{{"/segments/1/flags", "[]"}, -EBADMSG},
		{{"/segments/2/flags", "[\"in-reencryption\"]"}, -EBADMSG},
		{{"/segments/3/offset", "\"16781312\""}, -EBADMSG},
		{{"/segments/4/offset", "\"16781312\""}, -EBADMSG},
		{{"/segments/4/iv_tweak", "\"8\""}, -EOPNOTSUPP},
		{{"/segments/5", "{\"type\":\"linear\",\"offset\":\"0\",\"size\":\"dynamic\","
				 "\"flags\":[\"backup-final\"]}"},
		 -EBADMSG},
		{{"/segments/5", "{\"type\":\"linear\",\"offset\":\"0\",\"size\":\"dynamic\","
				 "\"flags\":[\"backup-moved-segment\"]}"},
		 -EBADMSG},
		{{"/digests/0/segments", "[\"1\",\"2\",\"3\",\"0\"]"}, -EBADMSG},
		{{"/digests/0/segments", "[\"2\",\"3\"]"}, -EBADMSG},
		{{"/digests/1/segments", "[\"0\",\"1\",\"3\",\"4\"]"}, -EBADMSG},
		{{"/digests/3/segments", "[\"0\"]"}, -EBADMSG},
		{{"/digests/3/keyslots", "[]"}, -EBADMSG},
		{{"/digests/0/keyslots", "[\"0\",\"2\"]"}, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct mutation *m = &cases[i].mutation;
		struct luks_header *h = header_with(state_json(STATE), TEST_HEADER_SIZE);
		struct luks_reason why = {""};
		struct luks_reenc r;
		int error;

		mutate(h->json, m);
		error = luks_reenc_load(h, 40 * MIB, 0, 4096, &r, &why);
		if (error != cases[i].error)
			fail_msg("%s = %s: %d (%s)", m->path, m->value, error, why.text);
		assert_true(why.text[0]);
		luks_header_free(h);
	}
}

static void unknown_requirement_is_named(void **state)
{
	json_object *json = state_json(STATE);
	const struct mutation m = {"/config/requirements/mandatory",
				   "[\"online-reencrypt-v2\",\"inline-hw-tags\"]"};

	(void)state;
	assert_null(luks_unknown_requirement(json));
	mutate(json, &m);
	assert_string_equal(luks_unknown_requirement(json), "inline-hw-tags");
	json_object_put(json);
}

static void text_from_the_header_is_printable(void **state)
{
	struct luks_reason why;

	(void)state;
	assert_int_equal(luks_refuse(&why, -EINVAL, "a \"%s\"", "\x1b[31mred\n"), -EINVAL);
	assert_string_equal(why.text, "a \"?[31mred?\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_states_are_valid),
		cmocka_unit_test(invalid_metadata_is_refused),
		cmocka_unit_test(inconsistent_reencryption_is_refused),
		cmocka_unit_test(unknown_requirement_is_named),
		cmocka_unit_test(text_from_the_header_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
