/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/error-name.h"
#include "util/error.h"

static void each_code_has_a_name_and_a_text(void **state)
{
	(void)state;
	for (int code = ERROR_FIRST; code < ERROR_END; code++) {
		/* Why a wait ended is recryptctl's own affair. */
		if (code <= ERROR_NOT_AUTHORIZED)
			assert_string_not_equal(error_name(-code), "Failed");
		assert_true(*error_text(-code));
		assert_string_equal(error_text(-code), error_text(code));
	}
	assert_string_equal(error_text(-ENOMEM), strerrordesc_np(ENOMEM));
	assert_true(*error_text(-ERROR_END));
	assert_true(*error_text(INT32_MIN));
}

/* What a kernel or a library says is never one of ours. */
static void an_errno_is_no_code(void **state)
{
	static const int errnos[] = {EDQUOT, ESTALE,      EREMCHG,  EKEYREJECTED, EPERM,  E2BIG,
				     ENOMSG, EINPROGRESS, EALREADY, ESHUTDOWN,    ENOPKG, ETXTBSY};

	(void)state;
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		assert_string_equal(error_name(-errnos[i]), "Failed");
		assert_int_equal(error_received(-errnos[i], "Failed"), -errnos[i]);
	}
}

static void a_code_crosses_a_connection(void **state)
{
	(void)state;
	for (int code = ERROR_FIRST; code < ERROR_NOT_AUTHORIZED; code++) {
		const int sent = error_sent(-code);
		char name[128];

		if (code == ERROR_SHUTTING_DOWN)
			continue; /* of the manager alone */
		assert_in_range(-sent, 1, ERROR_FIRST - 1);
		assert_int_equal(error_received(sent, error_name(-code)), -code);
		(void)snprintf(name, sizeof(name), "org.recryptd1.Error.%s", error_name(-code));
		assert_int_equal(error_received(sent, name), -code);
	}
	assert_int_equal(error_sent(0), 0);
	assert_int_equal(error_sent(-EIO), -EIO);
	assert_int_equal(error_received(-ENOMEM, "NoMemory"), -ENOMEM);
}

static void a_number_that_is_no_error_is_one(void **state)
{
	static const int numbers[] = {
		0, 1, INT32_MAX, INT32_MIN, -ERROR_FIRST, -ERROR_KEYSLOTS_LOST};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(error_received(numbers[i], "KeyslotsLost"), -EIO);
}

static void names_are_found(void **state)
{
	(void)state;
	assert_int_equal(error_of_name("HeaderConflict"), -ERROR_HEADER_CHANGED);
	assert_int_equal(error_of_name("Busy"), -EBUSY);
	assert_int_equal(error_of_name("NotFound"), -ENODEV);
	assert_int_equal(error_of_name("NotAuthorized"), -ERROR_NOT_AUTHORIZED);
	assert_int_equal(error_of_name(""), 0);
	assert_int_equal(error_of_name("Failed"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_a_name_and_a_text),
		cmocka_unit_test(an_errno_is_no_code),
		cmocka_unit_test(a_code_crosses_a_connection),
		cmocka_unit_test(a_number_that_is_no_error_is_one),
		cmocka_unit_test(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
