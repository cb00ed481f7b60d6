/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arguments of a call that has to wait, and must not keep its message. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bus/bus-arguments.h"
#include "util/log.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void texts_outlive_their_message(void **state)
{
	char message[] = "reason\0header\0name\0group\0state\0uuid 1\0uuid 2";
	struct arguments a = ARGUMENTS_NONE;

	(void)state;
	a.text = message;
	a.header_device = message + 7;
	a.name = message + 14;
	a.group = message + 19;
	a.state = message + 25;
	a.volumes[0] = message + 31;
	a.volumes[1] = message + 38;
	a.rate = 5;
	assert_int_equal(arguments_keep(&a, NULL), 0);
	memset(message, 'x', sizeof(message));
	assert_string_equal(a.text, "reason");
	assert_string_equal(a.header_device, "header");
	assert_string_equal(a.name, "name");
	assert_string_equal(a.group, "group");
	assert_string_equal(a.state, "state");
	assert_string_equal(a.volumes[0], "uuid 1");
	assert_string_equal(a.volumes[1], "uuid 2");
	assert_null(a.volumes[2]);
	assert_int_equal(a.rate, 5);
	assert_int_equal(a.fd, -1);
	arguments_clear(&a);
	assert_true(!a.kept && !a.text && !a.volumes[0] && a.rate == 0);
	arguments_clear(&a);
}

static void without_any_they_are_kept_as_well(void **state)
{
	struct arguments a = ARGUMENTS_NONE;

	(void)state;
	assert_int_equal(arguments_keep(&a, NULL), 0);
	assert_non_null(a.kept);
	assert_true(!a.text && !a.group && !a.volumes[0]);
	arguments_clear(&a);
	assert_null(a.kept);
}

/* The message's goes with it; ours is closed with the call, and by no program that we start. */
static void a_descriptor_becomes_our_own(void **state)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct arguments a = ARGUMENTS_NONE;
	int kept;

	(void)state;
	a.fd = fd;
	assert_int_equal(arguments_keep(&a, NULL), 0);
	kept = a.fd;
	assert_true(kept != fd && kept > STDERR_FILENO && is_open(kept));
	assert_true(fcntl(kept, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(close(fd), 0);
	assert_true(is_open(kept));
	arguments_clear(&a);
	assert_false(is_open(kept));
	assert_int_equal(a.fd, -1);
}

static void what_is_not_kept_stays_the_messages(void **state)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct arguments a = ARGUMENTS_NONE;

	(void)state;
	a.fd = fd;
	arguments_clear(&a);
	assert_true(is_open(fd));
	assert_int_equal(close(fd), 0);
}

static void a_descriptor_that_is_none_is_refused(void **state)
{
	struct arguments a = ARGUMENTS_NONE;
	struct failure f;

	(void)state;
	a.fd = 1 << 20;
	assert_int_equal(arguments_keep(&a, &f), -EBADF);
	assert_null(a.kept);
	a.fd = -1;
	arguments_clear(&a);
}

/* Of all texts together, up to the last byte. */
static void too_much_text_is_refused_and_nothing_has_changed(void **state)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *text = malloc(ARGUMENTS_TEXT_MAX);
	struct arguments a = ARGUMENTS_NONE;
	struct failure f = {};

	(void)state;
	assert_non_null(text);
	/* A byte for the whole, and one at the end of each. */
	memset(text, 'a', ARGUMENTS_TEXT_MAX);
	text[ARGUMENTS_TEXT_MAX - 1 - 1 - 2] = '\0';
	a.text = text;
	a.volumes[0] = "b";
	a.fd = fd;
	assert_int_equal(arguments_keep(&a, &f), 0);
	arguments_clear(&a);
	a.text = text;
	a.volumes[0] = "b";
	a.volumes[1] = "";
	a.fd = fd;
	assert_int_equal(arguments_keep(&a, &f), -EINVAL);
	assert_string_equal(f.name, "InvalidArgument");
	assert_ptr_equal(a.text, text);
	assert_int_equal(a.fd, fd);
	assert_null(a.kept);
	arguments_clear(&a);
	assert_true(is_open(fd));
	assert_int_equal(close(fd), 0);
	free(text);
}

static void as_many_volumes_as_a_call_may_name_are_kept(void **state)
{
	enum { MOST = 64 };
	struct arguments a = ARGUMENTS_NONE;

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		a.volumes[i] = "6a0a6c3e-0e6f-4ea5-9a25-000000000001";
	assert_int_equal(arguments_keep(&a, NULL), 0);
	for (size_t i = 0; i < MOST; i++)
		assert_string_equal(a.volumes[i], "6a0a6c3e-0e6f-4ea5-9a25-000000000001");
	assert_null(a.volumes[MOST]);
	arguments_clear(&a);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(texts_outlive_their_message),
		TEST(without_any_they_are_kept_as_well),
		TEST(a_descriptor_becomes_our_own),
		TEST(what_is_not_kept_stays_the_messages),
		TEST(a_descriptor_that_is_none_is_refused),
		TEST(too_much_text_is_refused_and_nothing_has_changed),
		TEST(as_many_volumes_as_a_call_may_name_are_kept),
	};

	log_init("test-bus-arguments", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
