/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of the rotations that have ended. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/policy/unit-text.h"
#include "daemon/state/history.h"
#include "util/log.h"

#define UUID "11111111-2222-3333-4444-555555555555"

static char dir[] = "/tmp/test-history-XXXXXX", path[64], bad[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(bad, sizeof(bad), "%s/history.bad", dir);
	return snprintf(path, sizeof(path), "%s/history", dir) < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(bad);
	return rmdir(dir);
}

static struct history_entry entry(uint64_t ended)
{
	return (struct history_entry){
		.uuid = UUID,
		.name = "home",
		.device = "/dev/\"sd\"a",
		.outcome = "finished",
		.key_id = "an-id",
		.generation = 3,
		.started_usec = 1,
		.ended_usec = ended,
		.usec = 2000000,
		.bytes = 4096,
		.stall_usec = 7,
		.caller = {.known = true, .uid = 0},
	};
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void an_entry_outlives_the_daemon(void **state)
{
	const struct history_entry e = entry(5);
	struct history h;

	(void)state;
	history_load(&h, dir);
	assert_int_equal(h.n, 0);
	history_add(&h, &e);
	history_free(&h);
	history_load(&h, dir);
	assert_int_equal(h.n, 1);
	assert_memory_equal(&h.entries[0], &e, sizeof(e));
	assert_int_equal(history_rate(&h.entries[0]), 2048);
	history_free(&h);
}

static void the_oldest_go_first(void **state)
{
	struct history h = {};

	(void)state;
	for (uint64_t i = 1; i <= HISTORY_MAX + 2; i++) {
		const struct history_entry e = entry(i);

		if (i > HISTORY_MAX)
			h.dir = dir; /* the first ones would be written a thousand times */
		history_add(&h, &e);
	}
	history_free(&h);
	history_load(&h, dir);
	assert_int_equal(h.n, HISTORY_MAX);
	assert_int_equal(h.entries[0].ended_usec, 3);
	assert_int_equal(h.entries[HISTORY_MAX - 1].ended_usec, HISTORY_MAX + 2);
	history_free(&h);
}

static void what_cannot_be_understood_is_put_aside(void **state)
{
	static const char *const texts[] = {"", "x", "[]", "{}", "{\"rotations\":1}"};
	const struct history_entry e = entry(1);
	struct history h;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text(texts[i]);
		history_load(&h, dir);
		assert_int_equal(h.n, 0);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(access(bad, F_OK), 0);
		history_add(&h, &e);
		history_free(&h);
	}
}

static void wrong_entries_are_left_out(void **state)
{
	struct history h;

	(void)state;
	write_text("{\"rotations\":[1,null,{},{\"uuid\":\"x\",\"outcome\":\"finished\"},"
		   "{\"uuid\":\"" UUID "\"},"
		   "{\"uuid\":\"" UUID "\",\"outcome\":\"failed\",\"ended\":-1,\"caller\":-5}]}");
	history_load(&h, dir);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.entries[0].outcome, "failed");
	assert_int_equal(h.entries[0].ended_usec, 0);
	assert_false(h.entries[0].caller.known);
	assert_int_equal(history_rate(&h.entries[0]), 0);
	history_free(&h);
}

static void units_are_readable(void **state)
{
	static const struct {
		uint64_t n;
		const char *bytes, *time;
	} rows[] = {
		{0, "0 B", "0.0 s"},
		{1023, "1023 B", "0.0 s"},
		{1024, "1.0 KiB", "0.0 s"},
		{1048575, "1.0 MiB", "1.0 s"},
		{12300000, "11.7 MiB", "12 s"},
		{UINT64_C(3600000000), "3.4 GiB", "1 h"},
		{UINT64_C(125000000), "119 MiB", "2 min 5 s"},
		{UINT64_C(90000000000), "83.8 GiB", "1 d 1 h"},
		{UINT64_MAX, "16.0 EiB", "213503982 d 8 h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(unit_bytes(rows[i].n).text, rows[i].bytes);
		assert_string_equal(unit_usec(rows[i].n).text, rows[i].time);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_outlives_the_daemon),           TEST(the_oldest_go_first),
		TEST(what_cannot_be_understood_is_put_aside), TEST(wrong_entries_are_left_out),
		cmocka_unit_test(units_are_readable),
	};

	log_init("test-history", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
