/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that is cut, made valid, or masked; what is valid is asked of sd-bus itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <systemd/sd-bus.h>

#include "util/cleanup.h"
#include "util/text.h"

/* A message to append to, on a bus with nobody at the other end. */
static sd_bus_message *new_message(sd_bus **ret_bus)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(sd_bus_new(&bus) >= 0);
	assert_true(sd_bus_set_fd(bus, pair[0], pair[0]) >= 0);
	assert_true(sd_bus_start(bus) >= 0);
	assert_true(sd_bus_message_new_signal(bus, &m, "/a", "a.b", "C") >= 0);
	(void)close(pair[1]);
	*ret_bus = bus;
	return m;
}

/* In as many bytes as asked for, which may be more than it needs, or too few. */
static void encode(uint32_t c, size_t bytes, char *out)
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = bytes; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(bytes == 1 ? c : lead[bytes] | c);
	out[bytes] = '\0';
}

/* Every code point there could be, in every length that holds it, too long ones included. */
static void what_is_valid_is_what_the_bus_takes(void **state)
{
	static const uint32_t most[] = {0, 0xff, 0x7ff, 0xffff, 0x1fffff};
	sd_bus *bus;
	sd_bus_message *m = new_message(&bus);
	char text[5];

	(void)state;
	for (size_t bytes = 1; bytes <= 4; bytes++)
		for (uint32_t c = 1; c <= most[bytes]; c += c < 0x20000 || c > 0x10f000 ? 1 : 61) {
			bool taken;

			encode(c, bytes, text);
			if (c % 4096 == 0) { /* it would grow without a limit */
				sd_bus_message_unref(m);
				assert_true(sd_bus_message_new_signal(bus, &m, "/a", "a.b", "C") >=
					    0);
			}
			taken = sd_bus_message_append_basic(m, 's', text) >= 0;
			if (taken != text_is_valid(text))
				fail_msg("U+%x in %zu bytes: sd-bus says %d", c, bytes, taken);
			text_make_valid(text);
			assert_true(text_is_valid(text));
			assert_int_equal(strlen(text), bytes);
		}
	sd_bus_message_unref(m);
	sd_bus_unref(bus);
}

static void random_bytes_become_what_the_bus_takes(void **state)
{
	const char *given = getenv("TEXT_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
	sd_bus *bus;
	sd_bus_message *m = new_message(&bus);

	(void)state;
	printf("TEXT_SEED=%u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < 20000; i++) {
		char bytes[24], cut[17], masked[24];
		size_t n = (size_t)rand() % (sizeof(bytes) - 1);

		/* Mostly what begins and continues characters, so that many are nearly right. */
		for (size_t j = 0; j < n; j++)
			bytes[j] = (char)(rand() % 3 ? 0x80 + rand() % 0x80 : 1 + rand() % 255);
		bytes[n] = '\0';
		(void)text_copy(cut, sizeof(cut), bytes);
		assert_true(sd_bus_message_append_basic(m, 's', cut) >= 0);
		memcpy(masked, bytes, sizeof(bytes));
		text_mask(masked);
		assert_true(sd_bus_message_append_basic(m, 's', masked) >= 0);
		text_make_valid(bytes);
		assert_true(sd_bus_message_append_basic(m, 's', bytes) >= 0);
	}
	sd_bus_message_unref(m);
	sd_bus_unref(bus);
}

static void check_copy(const char *text, size_t size, bool whole, const char *expected)
{
	char buf[16], formatted[16];

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(text_copy(buf, size, text), whole);
	assert_string_equal(buf, expected);
	for (size_t i = size; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 'x');
	assert_int_equal(text_format(formatted, size, "%s", text), whole);
	assert_string_equal(formatted, expected);
}

static void text_is_cut_after_a_whole_character(void **state)
{
	(void)state;
	check_copy("", 1, true, "");
	check_copy("a", 1, false, "");
	check_copy("abc", 4, true, "abc");
	check_copy("abcd", 4, false, "abc");
	/* Two, three and four bytes, cut at each place. */
	check_copy("a\xc3\xbc", 4, true, "a\xc3\xbc");
	check_copy("a\xc3\xbc", 3, false, "a");
	check_copy("a\xc3\xbc", 2, false, "a");
	check_copy("a\xe2\x82\xac", 5, true, "a\xe2\x82\xac");
	check_copy("a\xe2\x82\xac", 4, false, "a");
	check_copy("a\xe2\x82\xac", 3, false, "a");
	check_copy("\xf0\x9f\x94\x91", 5, true, "\xf0\x9f\x94\x91");
	check_copy("\xf0\x9f\x94\x91", 4, false, "");
	check_copy("\xf0\x9f\x94\x91", 3, false, "");
	check_copy("\xf0\x9f\x94\x91", 2, false, "");
	check_copy("\xc3\xbc\xc3\xbc", 3, false, "\xc3\xbc");
	/* A part of a character at the end of a text that is not cut is a byte as any other. */
	check_copy("a\xc3", 4, true, "a?");
	check_copy("B\xfcro", 8, true, "B?ro");
	check_copy("\xbc\xbc\xbc\xbc\xbc", 5, false, "????");
}

static void a_field_that_was_cut_within_a_text_is_valid(void **state)
{
	char buf[32];

	(void)state;
	assert_true(text_format(buf, sizeof(buf), "%.2s: %d", "B\xc3\xbc", 7));
	assert_string_equal(buf, "B?: 7");
}

static void check_mask(const char *text, const char *expected)
{
	_cleanup_free_ char *copy = text_masked(text);

	assert_non_null(copy);
	assert_string_equal(copy, expected);
}

static void a_terminal_is_told_nothing(void **state)
{
	(void)state;
	check_mask("", "");
	check_mask("B\xc3\xbcro \xe2\x82\xac \xf0\x9f\x94\x91",
		   "B\xc3\xbcro \xe2\x82\xac \xf0\x9f\x94\x91");
	check_mask("a\33[2Jb\x7f"
		   "c\n\t\r\a",
		   "a?[2Jb?c????");
	/* CSI and OSC of C1: as a character, and as the byte that it is in Latin-1. */
	check_mask("a\xc2\x9b"
		   "b\x9b"
		   "c\xc2\x9d\xc2\xa0",
		   "a?b?c?\xc2\xa0");
	/* "exe.gpj" shown as "jpg.exe", an isolate, marks, and a new line by another name. */
	check_mask("\xe2\x80\xae"
		   "a\xe2\x81\xa6\xe2\x80\x8e\xd8\x9c\xe2\x80\xa8z",
		   "?a????z");
	check_mask("\xff\xc3", "??");
}

static void json_is_the_same_json(void **state)
{
	_cleanup_free_ char *copy =
		text_json("{\n  \"a\": \"B\xc3\xbcro\\n\x7f\xc2\x9b\xe2\x80\xae\xfc\"\n}");

	(void)state;
	assert_non_null(copy);
	assert_string_equal(copy, "{\n  \"a\": \"B\xc3\xbcro\\n\\u007f\\u009b\\u202e?\"\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_valid_is_what_the_bus_takes),
		cmocka_unit_test(random_bytes_become_what_the_bus_takes),
		cmocka_unit_test(text_is_cut_after_a_whole_character),
		cmocka_unit_test(a_field_that_was_cut_within_a_text_is_valid),
		cmocka_unit_test(a_terminal_is_told_nothing),
		cmocka_unit_test(json_is_the_same_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
