/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tokens say of their keyslots, and how keyslots are named to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "luks/bindings.h"
#include "util/cleanup.h"

static struct luks_bindings read_text(const char *json)
{
	_cleanup_(json_putp) json_object *metadata = json_tokener_parse(json);
	struct luks_bindings b;

	assert_non_null(metadata);
	luks_bindings_read(metadata, &b);
	return b;
}

static void each_keyslot_has_the_type_of_its_token(void **state)
{
	const struct luks_bindings b =
		read_text("{\"keyslots\":{\"0\":{},\"1\":{},\"2\":{},\"7\":{}},\"tokens\":{"
			  "\"0\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"]},"
			  "\"1\":{\"type\":\"systemd-recovery\",\"keyslots\":[\"2\",\"5\"]}}}");

	(void)state;
	assert_string_equal(b.of[0], "passphrase");
	assert_string_equal(b.of[1], "systemd-tpm2");
	assert_string_equal(b.of[2], "systemd-recovery");
	assert_string_equal(b.of[5], ""); /* a token does not make a keyslot */
	assert_string_equal(b.of[7], "passphrase");
}

static void a_known_type_counts_before_another(void **state)
{
	const struct luks_bindings b =
		read_text("{\"keyslots\":{\"0\":{},\"1\":{}},\"tokens\":{"
			  "\"0\":{\"type\":\"notes\",\"keyslots\":[\"0\",\"1\"]},"
			  "\"1\":{\"type\":\"other\",\"keyslots\":[\"1\"]},"
			  "\"2\":{\"type\":\"clevis\",\"keyslots\":[\"0\"]},"
			  "\"3\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"0\"]}}}");

	(void)state;
	assert_string_equal(b.of[0], "clevis");
	assert_string_equal(b.of[1], "notes");
}

static void a_hostile_type_is_cleaned_and_cut(void **state)
{
	const struct luks_bindings b =
		read_text("{\"keyslots\":{\"0\":{},\"1\":{}},\"tokens\":{"
			  "\"0\":{\"type\":\"a\\u001b[31m $(b)\\u202e\",\"keyslots\":[\"0\"]},"
			  "\"1\":{\"type\":\"0123456789012345678901234567890123456789\","
			  "\"keyslots\":[\"1\"]}}}");

	(void)state;
	assert_string_equal(b.of[0], "a??31m???b????");
	assert_string_equal(b.of[1], "0123456789012345678901234567890");
}

static void metadata_of_another_shape_are_no_keyslots(void **state)
{
	struct luks_bindings b = read_text("{\"keyslots\":[],\"tokens\":{\"0\":3}}");

	(void)state;
	for (unsigned i = 0; i < LUKS_MAX_KEYSLOTS; i++)
		assert_string_equal(b.of[i], "");
	b = read_text("{\"keyslots\":{\"0\":{}},\"tokens\":{\"0\":{\"type\":\"x\"},"
		      "\"1\":{\"keyslots\":[\"0\"]}}}");
	assert_string_equal(b.of[0], "passphrase");
}

static void nobody_types_for_a_device(void **state)
{
	static const char *const devices[] = {"systemd-tpm2", "systemd-fido2", "systemd-pkcs11",
					      "clevis"};
	static const char *const typed[] = {"systemd-recovery", "passphrase", "", "luks2-keyring"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_non_null(luks_binding_device(devices[i]));
		assert_true(luks_binding_dies_with_keyslot(devices[i]));
		assert_null(luks_binding_device(typed[i]));
		assert_int_equal(luks_binding_dies_with_keyslot(typed[i]), i == 0);
	}
}

static void keyslots_are_named_in_a_sentence(void **state)
{
	const struct luks_bindings b =
		read_text("{\"keyslots\":{\"0\":{},\"1\":{},\"2\":{}},\"tokens\":{"
			  "\"0\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"]}}}");
	struct luks_bindings longest;
	char text[LUKS_BINDINGS_TEXT];

	(void)state;
	assert_string_equal(luks_bindings_text(&b, 1, text), "keyslot 0");
	assert_string_equal(luks_bindings_text(&b, 2, text), "keyslot 1 (systemd-tpm2)");
	assert_string_equal(luks_bindings_text(&b, 3, text), "keyslots 0 and 1 (systemd-tpm2)");
	assert_string_equal(luks_bindings_text(&b, 7, text), "keyslots 0, 1 (systemd-tpm2) and 2");
	for (unsigned i = 0; i < LUKS_MAX_KEYSLOTS; i++)
		(void)snprintf(longest.of[i], LUKS_BINDING_SIZE, "%s",
			       "0123456789012345678901234567890");
	assert_non_null(luks_bindings_text(&longest, UINT32_MAX, text));
	assert_true(strlen(text) < sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_keyslot_has_the_type_of_its_token),
		cmocka_unit_test(a_known_type_counts_before_another),
		cmocka_unit_test(a_hostile_type_is_cleaned_and_cut),
		cmocka_unit_test(metadata_of_another_shape_are_no_keyslots),
		cmocka_unit_test(nobody_types_for_a_device),
		cmocka_unit_test(keyslots_are_named_in_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
