/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "dm/kernel-key.h"
#include "dm/layout.h"
#include "dm/names.h"
#include "dm/stock-stack.h"
#include "dm/table.h"
#include "util/checked.h"

#define LOGON ":64:logon:cryptsetup:2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11-d1"

static struct target parsed(const char *type, const char *params)
{
	struct target t = {};

	assert_int_equal(target_parse(0, 100, type, params, &t), 0);
	return t;
}

static void a_line_comes_back_as_it_was(void **state)
{
	static const struct {
		const char *type, *params;
	} lines[] = {
		{"linear", "253:4 2048"},
		{"error", ""},
		{"crypt", "aes-xts-plain64 00ff 0 8:16 32768"},
		{"crypt", "aes-xts-plain64 " LOGON " 8192 259:1048575 40960 1 sector_size:4096"},
		{"crypt", "aes-cbc-essiv:sha256 00ff 8 8:1 9 6 allow_discards same_cpu_crypt "
			  "submit_from_crypt_cpus no_read_workqueue no_write_workqueue "
			  "sector_size:2048"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct target t = parsed(lines[i].type, lines[i].params);
		char text[512];

		assert_int_equal(target_format(&t, text, sizeof(text)), 0);
		assert_string_equal(text, lines[i].params);
		assert_string_equal(target_type_name(t.type), lines[i].type);
	}
}

static void a_crypt_line_is_understood(void **state)
{
	const struct target t =
		parsed("crypt", "aes-xts-plain64 " LOGON " 8192 8:17 40960 2 allow_discards "
				"sector_size:4096");

	(void)state;
	assert_int_equal(t.type, TARGET_CRYPT);
	assert_true(text_equal(t.cipher, (struct text){"aes-xts-plain64", 15}));
	assert_true(text_equal(t.key, (struct text){LOGON, strlen(LOGON)}));
	assert_int_equal(t.iv_offset, 8192);
	assert_true(t.device == makedev(8, 17));
	assert_int_equal(t.offset, 40960);
	assert_int_equal(t.flags, CRYPT_ALLOW_DISCARDS);
	assert_int_equal(t.sector_size, 4096);
}

static void an_option_that_nobody_knows_is_refused(void **state)
{
	static const char *const options[] = {
		"1 iv_large_sectors",
		"1 integrity:16:aead",
		"2 allow_discards unheard_of",
		"1 sector_size:",
	};
	char params[256];
	struct target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		(void)snprintf(params, sizeof(params), "aes-xts-plain64 00 0 8:1 0 %s", options[i]);
		assert_int_equal(target_parse(0, 1, "crypt", params, &t), -EOPNOTSUPP);
	}
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		const char *type, *params;
	} lines[] = {
		{"linear", ""},
		{"linear", "8:1"},
		{"linear", "8:1 "},
		{"linear", "8:1 1 1"},
		{"linear", "8 1"},
		{"linear", ":1 1"},
		{"linear", "8: 1"},
		{"linear", "8:1 -1"},
		{"linear", "8:1 18446744073709551616"},
		{"linear", "4294967296:1 0"},
		{"linear", "/dev/sda 0"},
		{"crypt", ""},
		{"crypt", "aes-xts-plain64"},
		{"crypt", "aes-xts-plain64 00 0 8:1"},
		{"crypt", "aes-xts-plain64  0 8:1 0"},
		{"crypt", "aes-xts-plain64 00 x 8:1 0"},
		{"crypt", "aes-xts-plain64 00 0 8:1 0 1"},
		{"crypt", "aes-xts-plain64 00 0 8:1 0 2 allow_discards"},
		{"crypt", "aes-xts-plain64 00 0 8:1 0 0 allow_discards"},
		{"crypt", "aes-xts-plain64 00 0 8:1 0 1 sector_size:4095"},
		{"crypt", "aes-xts-plain64 00 0 8:1 0 1 sector_size:4294967296"},
	};
	struct target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (target_parse(0, 1, lines[i].type, lines[i].params, &t) != -EBADMSG)
			fail_msg("%s \"%s\" is accepted", lines[i].type, lines[i].params);
	}
}

static void what_does_not_fit_is_not_cut(void **state)
{
	const struct target t = parsed("crypt", "aes-xts-plain64 00ff 0 8:16 32768");
	const size_t needed = strlen("aes-xts-plain64 00ff 0 8:16 32768") + 1;
	char text[64];

	(void)state;
	for (size_t size = 1; size < needed; size++)
		assert_int_equal(target_format(&t, text, size), -ENOBUFS);
	assert_int_equal(target_format(&t, text, needed), 0);
}

static void every_difference_is_seen(void **state)
{
	static const char base[] = "aes-xts-plain64 00ff 1 8:16 32768";
	static const char *const others[] = {
		"aes-xts-plain 00ff 1 8:16 32768",
		"aes-xts-plain64 00fe 1 8:16 32768",
		"aes-xts-plain64 00ff 2 8:16 32768",
		"aes-xts-plain64 00ff 1 8:17 32768",
		"aes-xts-plain64 00ff 1 8:16 32769",
		"aes-xts-plain64 00ff 1 8:16 32768 1 allow_discards",
		"aes-xts-plain64 00ff 1 8:16 32768 1 sector_size:4096",
	};
	struct table a = {.count = 1, .targets = {parsed("crypt", base)}};

	(void)state;
	assert_true(table_equal(&a, &a));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const struct table b = {.count = 1, .targets = {parsed("crypt", others[i])}};

		assert_false(table_equal(&a, &b));
	}
	{
		struct table b = a;

		b.targets[0].size++;
		assert_false(table_equal(&a, &b));
		b = a;
		b.count = 0;
		assert_false(table_equal(&a, &b));
	}
}

/* --- layouts --- */

#define KEY(s)                                                                                     \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

static struct layout make_layout(bool backward)
{
	const struct layout l = {
		.size = 1000,
		.backward = backward,
		.data = makedev(8, 1),
		.data_offset = 2048,
		.pieces = makedev(253, 4),
		.hotzone = makedev(253, 3),
		.helpers = {[SIDE_OLD] = makedev(253, 1), [SIDE_NEW] = makedev(253, 2)},
		.sides = {[SIDE_OLD] = {KEY("aes-cbc-plain"), KEY("aa"), 512},
			  [SIDE_NEW] = {KEY("aes-xts-plain64"), KEY("bb"), 4096}},
	};

	return l;
}

static void expect_table(const struct table *t, const char *expected)
{
	char text[1024] = "";
	size_t used = 0;

	for (unsigned i = 0; i < t->count; i++) {
		char params[256];
		int n;

		assert_int_equal(target_format(&t->targets[i], params, sizeof(params)), 0);
		n = snprintf(text + used, sizeof(text) - used, "%ju %ju %s %s\n",
			     (uintmax_t)t->targets[i].start, (uintmax_t)t->targets[i].size,
			     target_type_name(t->targets[i].type), params);
		assert_true(n > 0 && (size_t)n < sizeof(text) - used);
		used += (size_t)n;
	}
	assert_string_equal(text, expected);
}

static void the_plain_table_has_a_target_for_each_side(void **state)
{
	struct layout l = make_layout(false);
	struct table t;

	(void)state;
	assert_int_equal(layout_plain(&l, 0, &t), 0);
	expect_table(&t, "0 1000 crypt aes-cbc-plain aa 0 8:1 2048\n");
	assert_int_equal(layout_plain(&l, 1000, &t), 0);
	expect_table(&t, "0 1000 crypt aes-xts-plain64 bb 0 8:1 2048 1 sector_size:4096\n");
	assert_int_equal(layout_plain(&l, 400, &t), 0);
	expect_table(&t, "0 400 crypt aes-xts-plain64 bb 0 8:1 2048 1 sector_size:4096\n"
			 "400 600 crypt aes-cbc-plain aa 400 8:1 2448\n");
	l.backward = true;
	l.flags = CRYPT_ALLOW_DISCARDS;
	assert_int_equal(layout_plain(&l, 400, &t), 0);
	expect_table(&t, "0 400 crypt aes-cbc-plain aa 0 8:1 2048 1 allow_discards\n"
			 "400 600 crypt aes-xts-plain64 bb 400 8:1 2448 2 allow_discards "
			 "sector_size:4096\n");
}

static void the_hot_range_goes_through_the_hotzone_device(void **state)
{
	struct layout l = make_layout(false);
	struct table t;
	uint64_t offset, size;

	(void)state;
	assert_int_equal(layout_hot(&l, 400, 100, &t), 0);
	expect_table(&t, "0 400 linear 253:2 0\n"
			 "400 100 linear 253:3 400\n"
			 "500 500 linear 253:1 500\n");
	assert_true(layout_is_pieces(&l, &t));
	assert_int_equal(layout_hot_range(&l, &t, &offset, &size), 0);
	assert_int_equal(offset, 400);
	assert_int_equal(size, 100);
	assert_int_equal(layout_hot(&l, 0, 100, &t), 0);
	expect_table(&t, "0 100 linear 253:3 0\n"
			 "100 900 linear 253:1 100\n");
	l.backward = true;
	assert_int_equal(layout_hot(&l, 900, 100, &t), 0);
	expect_table(&t, "0 900 linear 253:1 0\n"
			 "900 100 linear 253:3 900\n");
}

static void the_hotzone_device_uses_both_helpers_at_rest(void **state)
{
	const struct layout l = make_layout(false);
	struct table t;

	(void)state;
	assert_int_equal(layout_split(&l, 0, &t), 0);
	expect_table(&t, "0 1000 linear 253:1 0\n"
			 "1000 8 linear 253:1 0\n"
			 "1008 8 linear 253:2 0\n");
	assert_int_equal(layout_split(&l, 400, &t), 0);
	expect_table(&t, "0 400 linear 253:2 0\n"
			 "400 600 linear 253:1 400\n"
			 "1000 8 linear 253:1 0\n"
			 "1008 8 linear 253:2 0\n");
	assert_int_equal(layout_one_side(&l, SIDE_NEW, &t), 0);
	assert_int_equal(table_size(&t), 1016);
	assert_int_equal(layout_error(&l, &t), 0);
	expect_table(&t, "0 1016 error \n");
}

static void only_pieces_in_their_places_are_ours(void **state)
{
	const struct layout l = make_layout(false);
	struct table good, bad;

	(void)state;
	assert_int_equal(layout_hot(&l, 400, 100, &good), 0);
	bad = good;
	bad.targets[1].device = makedev(8, 1);
	assert_false(layout_is_pieces(&l, &bad));
	bad = good;
	bad.targets[1].offset++;
	assert_false(layout_is_pieces(&l, &bad));
	bad = good;
	bad.targets[2].size--;
	assert_false(layout_is_pieces(&l, &bad));
	bad = good;
	bad.targets[1].type = TARGET_CRYPT;
	assert_false(layout_is_pieces(&l, &bad));
	bad.count = 0;
	assert_false(layout_is_pieces(&l, &bad));
}

/* The edge may be at either end of the hot range or inside it, and nowhere else. */
static void pieces_fit_only_the_boundaries_they_were_made_for(void **state)
{
	struct layout l = make_layout(false);
	struct table t;

	(void)state;
	for (unsigned backward = 0; backward < 2; backward++) {
		l.backward = backward;
		assert_int_equal(layout_hot(&l, 400, 100, &t), 0);
		for (uint64_t boundary = 0; boundary <= 1000; boundary += 50)
			assert_int_equal(layout_fits(&l, &t, boundary, 0),
					 boundary >= 400 && boundary <= 500);
	}
	l.backward = false;
	assert_int_equal(layout_hot(&l, 400, 100, &t), 0);
	assert_true(layout_fits(&l, &t, 400, 100));
	assert_true(layout_fits(&l, &t, 450, 50));
	assert_false(layout_fits(&l, &t, 400, 101));
	assert_false(layout_fits(&l, &t, 350, 150));
	l.backward = true;
	assert_int_equal(layout_hot(&l, 400, 100, &t), 0);
	assert_true(layout_fits(&l, &t, 500, 100));
	assert_true(layout_fits(&l, &t, 450, 50));
	assert_false(layout_fits(&l, &t, 500, 101));
	assert_false(layout_fits(&l, &t, 550, 150));
}

/* --- names and keys --- */

static void names_that_no_device_can_have_are_refused(void **state)
{
	char longest[DM_NAME_MAX + 2];

	(void)state;
	assert_int_equal(name_check("luks-2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11"), 0);
	assert_int_equal(name_check("a b\n\xff"), 0);
	assert_int_equal(name_check(""), -EINVAL);
	assert_int_equal(name_check(".."), -EINVAL);
	assert_int_equal(name_check("a/b"), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[DM_NAME_MAX] = '\0';
	assert_int_equal(name_check(longest), 0);
	longest[DM_NAME_MAX] = 'a';
	longest[DM_NAME_MAX + 1] = '\0';
	assert_int_equal(name_check(longest), -ENAMETOOLONG);
}

static void expect_helper(const char *volume, const char *expected)
{
	char name[DM_NAME_MAX + 1], uuid[DM_UUID_MAX + 1];

	name_helper(volume, SUFFIX_HOTZONE, name);
	assert_string_equal(name, expected);
	assert_int_equal(name_uuid(UUID_HELPER, "2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11", name, uuid),
			 0);
}

/* The names of plain ones are those that workers of older versions have given. */
static void each_volume_has_helpers_of_its_own(void **state)
{
	char name[DM_NAME_MAX + 1], expected[2 * DM_NAME_MAX];

	(void)state;
	expect_helper("vol", "vol-hotzone-overlay");
	/* 13 + 32 + 1 + 66 + 16 characters are the 128 that a UUID may have. */
	memset(name, 'a', sizeof(name));
	name[66] = '\0';
	(void)snprintf(expected, sizeof(expected), "%s-hotzone-overlay", name);
	expect_helper(name, expected);
	name[66] = 'a';
	name[67] = '\0';
	expect_helper(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-e1047f46d2161262-hotzone-overlay");
	name[67] = 'a';
	name[DM_NAME_MAX] = '\0';
	expect_helper(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-308ff018eed36726-hotzone-overlay");
	expect_helper("a b", "a_b-e63f991904833892-hotzone-overlay");
	expect_helper("a\\x20b", "a_x20b-8ada370b95a58d98-hotzone-overlay");
	expect_helper("\xff", "_-af64724c8602eb6e-hotzone-overlay");
}

static void a_name_is_taken_as_the_tools_of_device_mapper_take_it(void **state)
{
	char name[DM_NAME_MAX + 1], escaped[DM_NAME_MAX + 1];

	(void)state;
	assert_int_equal(name_match("vol", "vol"), NAME_EXACT);
	assert_int_equal(name_match("vol", "vol2"), NAME_OTHER);
	assert_int_equal(name_match("a b", "a\\x20b"), NAME_ESCAPED);
	assert_int_equal(name_match("a b", "a b"), NAME_EXACT);
	assert_int_equal(name_match("a\\x20b", "a\\x20b"), NAME_EXACT);
	assert_int_equal(name_match("a\\x20b", "a b"), NAME_OTHER);
	assert_int_equal(name_match("\xc3\xbc", "\\xc3\\xbc"), NAME_ESCAPED);
	memset(name, ' ', sizeof(name));
	name[32] = '\0';
	assert_int_equal(name_escape(name, escaped), -ENAMETOOLONG);
	name[31] = '\0';
	assert_int_equal(name_escape(name, escaped), 0);
}

static void a_helper_has_the_uuid_of_a_subdevice(void **state)
{
	static const char luks[] = "2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11";
	char uuid[DM_UUID_MAX + 1];

	(void)state;
	assert_int_equal(name_uuid(UUID_HELPER, luks, "vol-new", uuid), 0);
	assert_string_equal(uuid, "CRYPT-SUBDEV-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-vol-new");
	assert_true(name_is_volume("CRYPT-LUKS2-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-vol", luks));
	assert_true(name_is_volume("CRYPT-LUKS2-2A51F8F20C9B4B0C8F2D6F1F7F9A3C11-vol", luks));
	assert_true(name_is_volume("CRYPT-LUKS2-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-a\\x20b", luks));
	assert_false(name_is_volume("CRYPT-LUKS1-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-vol", luks));
	assert_false(name_is_volume("CRYPT-LUKS2-2a51f8f20c9b4b0c8f2d6f1f7f9a3c12-vol", luks));
	assert_int_equal(name_uuid(UUID_HELPER, "2a51f8f2", "vol", uuid), -EINVAL);
	assert_int_equal(
		name_uuid(UUID_HELPER, "2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c1g", "vol", uuid),
		-EINVAL);
}

/* Storage drivers give names of 40 characters and more. */
static void a_helper_of_cryptsetup_has_a_uuid_that_is_cut(void **state)
{
	static const char luks[] = "2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11";
	char name[DM_NAME_MAX + 1], helper[DM_NAME_MAX + 1], uuid[DM_UUID_MAX + 1],
		expected[2 * DM_UUID_MAX];

	(void)state;
	assert_int_equal(name_stock_uuid(luks, "vol-overlay", uuid), 0);
	assert_string_equal(uuid, "CRYPT-SUBDEV-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-vol-overlay");
	memset(name, 'a', sizeof(name));
	name[78] = '\0';
	assert_int_equal(name_stock_helper(name, SUFFIX_STOCK_OVERLAY, helper), 0);
	assert_int_equal(name_stock_uuid(luks, helper, uuid), 0);
	/* 13 + 32 + 1 + 78 characters of 128 */
	(void)snprintf(expected, sizeof(expected),
		       "CRYPT-SUBDEV-2a51f8f20c9b4b0c8f2d6f1f7f9a3c11-%s-ove", name);
	assert_string_equal(uuid, expected);
	assert_int_equal(name_stock_uuid("2a51f8f2", "vol", uuid), -EINVAL);
}

static void a_key_is_named_as_libcryptsetup_names_it(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x1f, 0xa0, 0xff};
	_cleanup_(secret_freep) struct secret *key = NULL, *named = NULL, *hex = NULL, *none = NULL;

	(void)state;
	assert_int_equal(secret_copy(bytes, sizeof(bytes), &key), 0);
	assert_int_equal(kernel_key_text("aes-xts-plain64", "2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11",
					 7, key, true, &named),
			 0);
	assert_true(text_equal(
		(struct text){(const char *)named->data, named->size},
		(struct text)KEY(":4:logon:cryptsetup:2a51f8f2-0c9b-4b0c-8f2d-6f1f7f9a3c11-d7")));
	assert_int_equal(kernel_key_text("aes-xts-plain64", "", 7, key, false, &hex), 0);
	assert_true(text_equal((struct text){(const char *)hex->data, hex->size},
			       (struct text)KEY("001fa0ff")));
	assert_int_equal(kernel_key_text("cipher_null-ecb", "", 7, key, true, &none), 0);
	assert_true(text_equal((struct text){(const char *)none->data, none->size},
			       (struct text)KEY("-")));
	assert_true(kernel_key_is_none((const char *)none->data, none->size));
	assert_true(kernel_key_is_named((const char *)named->data, named->size));
	assert_false(kernel_key_is_named((const char *)hex->data, hex->size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_comes_back_as_it_was),
		cmocka_unit_test(a_crypt_line_is_understood),
		cmocka_unit_test(an_option_that_nobody_knows_is_refused),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(what_does_not_fit_is_not_cut),
		cmocka_unit_test(every_difference_is_seen),
		cmocka_unit_test(the_plain_table_has_a_target_for_each_side),
		cmocka_unit_test(the_hot_range_goes_through_the_hotzone_device),
		cmocka_unit_test(the_hotzone_device_uses_both_helpers_at_rest),
		cmocka_unit_test(only_pieces_in_their_places_are_ours),
		cmocka_unit_test(pieces_fit_only_the_boundaries_they_were_made_for),
		cmocka_unit_test(names_that_no_device_can_have_are_refused),
		cmocka_unit_test(each_volume_has_helpers_of_its_own),
		cmocka_unit_test(a_name_is_taken_as_the_tools_of_device_mapper_take_it),
		cmocka_unit_test(a_helper_has_the_uuid_of_a_subdevice),
		cmocka_unit_test(a_helper_of_cryptsetup_has_a_uuid_that_is_cut),
		cmocka_unit_test(a_key_is_named_as_libcryptsetup_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
