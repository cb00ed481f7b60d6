/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options of methods, as a caller gives them; each row is in src/model/test-settings.c. */
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

#include "daemon/bus/bus-options.h"
#include "model/test-bus.h"
#include "util/cleanup.h"
#include "util/log.h"

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)
#define DICTIONARY(...)   dictionary("a{sv}", __VA_ARGS__)

static sd_bus_message *dictionary(const char *types, ...)
{
	sd_bus_message *m = test_message_new();
	va_list ap;

	va_start(ap, types);
	assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	va_end(ap);
	test_message_seal(m);
	return m;
}

/* And said why. */
static void expect_refused(int r, const struct failure *f)
{
	assert_int_equal(r, -EINVAL);
	assert_string_equal(f->name, "InvalidArgument");
	assert_true(*f->text != '\0');
}

static void a_rotation_is_what_its_caller_says(void **state)
{
	_cleanup_message_ sd_bus_message *m =
		DICTIONARY(4, "Cipher", "s", "aes-xts-plain64", "KeySize", "u", 64, "Keyslot", "i",
			   3, "Verify", "b", 1);
	struct rotate_options o;
	struct failure f;

	(void)state;
	memset(&o, 0xff, sizeof(o)); /* of a call before */
	assert_int_equal(read_rotate_options(m, &o, NULL, &f), 0);
	assert_string_equal(o.cipher, "aes-xts-plain64");
	assert_int_equal(o.key_size, 64);
	assert_int_equal(o.keyslot, 3);
	assert_int_equal(o.run.verify, CHOICE_YES);
	assert_int_equal(o.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_true(!o.queue && !o.lose_keyslots && o.deadline_usec == 0);
	assert_true(o.may_weaken); /* polkit has been asked */
}

static void without_options_all_is_as_it_is(void **state)
{
	_cleanup_message_ sd_bus_message *m = DICTIONARY(0);
	struct rotate_options o, none = ROTATE_OPTIONS_NONE;
	struct resume_options resume;
	struct run_choices cancel;
	struct failure f;

	(void)state;
	none.may_weaken = true;
	memset(&o, 0, sizeof(o));
	assert_int_equal(read_rotate_options(m, &o, NULL, &f), 0);
	assert_string_equal(o.cipher, "");
	assert_int_equal(o.keyslot, none.keyslot);
	assert_int_equal(o.run.verify, CHOICE_CONFIGURED);
	assert_true(sd_bus_message_rewind(m, true) >= 0);
	memset(&resume, 0xff, sizeof(resume));
	assert_int_equal(read_resume_options(m, &resume, NULL, &f), 0);
	assert_true(!resume.now && resume.run.verify == CHOICE_CONFIGURED);
	assert_true(sd_bus_message_rewind(m, true) >= 0);
	memset(&cancel, 0xff, sizeof(cancel));
	assert_int_equal(read_cancel_options(m, &cancel, NULL, &f), 0);
	assert_true(cancel.verify == CHOICE_CONFIGURED &&
		    cancel.skip_unwritten == CHOICE_CONFIGURED);
	assert_true(sd_bus_message_rewind(m, true) >= 0);
	assert_int_equal(read_options(m, no_settings, NULL, &f), 0);
}

/* MayWeaken is for the worker: polkit, and not the caller, says so. */
static void what_is_for_others_no_caller_says(void **state)
{
	static const char *const others[] = {"MayWeaken", "LeastSequence", "Side", "Now",
					     "",          "cipher"};
	struct rotate_options o;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		_cleanup_message_ sd_bus_message *m = DICTIONARY(1, others[i], "b", 1);
		struct failure f = {};

		expect_refused(read_rotate_options(m, &o, NULL, &f), &f);
	}
}

static void what_resume_and_cancel_do_not_have_is_refused(void **state)
{
	_cleanup_message_ sd_bus_message *now = DICTIONARY(2, "Now", "b", 1, "Verify", "b", 0);
	_cleanup_message_ sd_bus_message *cipher = DICTIONARY(1, "Cipher", "s", "x");
	struct resume_options resume;
	struct run_choices cancel;
	struct failure f = {};

	(void)state;
	assert_int_equal(read_resume_options(now, &resume, NULL, &f), 0);
	assert_true(resume.now && resume.run.verify == CHOICE_NO);
	assert_true(sd_bus_message_rewind(now, true) >= 0);
	expect_refused(read_cancel_options(now, &cancel, NULL, &f), &f);
	expect_refused(read_resume_options(cipher, &resume, NULL, &f), &f);
	assert_true(sd_bus_message_rewind(cipher, true) >= 0);
	expect_refused(read_options(cipher, no_settings, NULL, &f), &f);
}

static void a_value_of_another_type_is_refused_by_its_name(void **state)
{
	_cleanup_message_ sd_bus_message *m = DICTIONARY(1, "KeySize", "s", "64");
	struct rotate_options o;
	struct failure f = {};

	(void)state;
	expect_refused(read_rotate_options(m, &o, NULL, &f), &f);
	assert_non_null(strstr(f.text, "KeySize"));
}

static void what_is_no_dictionary_is_refused(void **state)
{
	_cleanup_message_ sd_bus_message *m = dictionary("s", "text"), *none = test_message_new();
	struct rotate_options o;
	struct failure f = {};

	(void)state;
	expect_refused(read_rotate_options(m, &o, NULL, &f), &f);
	test_message_seal(none);
	expect_refused(read_rotate_options(none, &o, NULL, &f), &f);
}

static void a_reason_has_a_limit(void **state)
{
	char text[300];
	struct failure f = {};
	const char *found;

	(void)state;
	memset(text, 'r', sizeof(text));
	text[255] = '\0';
	{
		_cleanup_message_ sd_bus_message *m = dictionary("s", text);

		assert_int_equal(read_reason(m, &f, &found), 0);
		assert_string_equal(found, text);
	}
	text[255] = 'r';
	text[256] = '\0';
	{
		_cleanup_message_ sd_bus_message *m = dictionary("s", text);

		expect_refused(read_reason(m, &f, &found), &f);
	}
	{
		_cleanup_message_ sd_bus_message *m = dictionary("u", 5);

		expect_refused(read_reason(m, &f, &found), &f);
	}
}

static void arguments_of_another_type_are_refused(void **state)
{
	_cleanup_message_ sd_bus_message *m = dictionary("st", "text", UINT64_C(5));
	const char *text;
	struct failure f = {};
	uint64_t number;
	int fd;

	(void)state;
	assert_int_equal(read_arguments(m, &f, "st", &text, &number), 0);
	assert_string_equal(text, "text");
	assert_int_equal(number, 5);
	assert_true(sd_bus_message_rewind(m, true) >= 0);
	expect_refused(read_arguments(m, &f, "sh", &text, &fd), &f);
}

/* What a property shows of a queued rotation is what Rotate() would be given for it. */
static void options_are_shown_as_they_were_given(void **state)
{
	_cleanup_message_ sd_bus_message *m = test_message_new(), *none = test_message_new();
	struct rotate_options given = ROTATE_OPTIONS_NONE, o;
	struct failure f;

	(void)state;
	strcpy(given.cipher, "aes-cbc-essiv:sha256");
	given.sector_size = 4096;
	given.keyslot = 0;
	given.run.verify = CHOICE_NO;
	given.may_weaken = true;
	assert_true(append_rotate_options(m, &given) >= 0);
	test_message_seal(m);
	assert_int_equal(read_rotate_options(m, &o, NULL, &f), 0);
	assert_string_equal(o.cipher, given.cipher);
	assert_int_equal(o.sector_size, 4096);
	assert_int_equal(o.keyslot, 0);
	assert_int_equal(o.run.verify, CHOICE_NO);
	assert_true(append_rotate_options(none, NULL) >= 0);
	test_message_seal(none);
	assert_int_equal(sd_bus_message_enter_container(none, 'a', "{sv}"), 1);
	assert_int_equal(sd_bus_message_at_end(none, false), 1);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rotation_is_what_its_caller_says),
		TEST(without_options_all_is_as_it_is),
		TEST(what_is_for_others_no_caller_says),
		TEST(what_resume_and_cancel_do_not_have_is_refused),
		TEST(a_value_of_another_type_is_refused_by_its_name),
		TEST(what_is_no_dictionary_is_refused),
		TEST(a_reason_has_a_limit),
		TEST(arguments_of_another_type_are_refused),
		TEST(options_are_shown_as_they_were_given),
	};

	log_init("test-bus-options", LOG_EMERG);
	return cmocka_run_group_tests(tests, test_bus_connect, test_bus_disconnect);
}
