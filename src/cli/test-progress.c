/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines of progress, and when they are printed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/progress.h"

#define MIB     (UINT64_C(1) << 20)
#define SECONDS UINT64_C(1000000)

static void assert_line(struct progress_figures f, bool final, const char *expected)
{
	char line[256];

	assert_int_equal(progress_format(&f, final, line, sizeof(line)), 0);
	assert_string_equal(line, expected);
}

static void lines_read_as_those_of_cryptsetup(void **state)
{
	(void)state;
	/* 2112 of 10240 MiB are 20.625 %; 245.6 MiB/s; 12 minutes and 44 seconds are left. */
	assert_line((struct progress_figures){.bytes = 2112 * MIB,
					      .size = 10240 * MIB,
					      .speed = 257530265,
					      .eta_usec = 764 * SECONDS},
		    false, "Progress:  20.6%, ETA 12m44s, 2112 MiB written, speed 245.6 MiB/s");
	assert_line((struct progress_figures){.bytes = 8 * MIB,
					      .size = 8 * MIB,
					      .speed = 512,
					      .elapsed_usec = SECONDS * (89 * 60 + 59)},
		    true, "Finished, time 89m59s,    8 MiB written, speed 512.0 B/s");
}

static void units_change_with_the_size(void **state)
{
	struct progress_figures f = {.size = UINT64_MAX};

	(void)state;
	f.bytes = 4096 * MIB - 1;
	f.speed = 1024;
	f.eta_usec = SECONDS * 90 * 60;
	assert_line(f, false,
		    "Progress:   0.0%, ETA 01h30m00s, 4095 MiB written, speed 1024.0 B/s");
	f.bytes = 4096 * MIB;
	f.speed = 1536;
	f.eta_usec = SECONDS * 36 * 3600;
	assert_line(f, false, "Progress:   0.0%, ETA 01 days,    4 GiB written, speed   1.5 KiB/s");
	f.bytes = UINT64_C(5) << 42;
	f.speed = UINT64_C(3) << 40;
	assert_line(f, false,
		    "Progress:   0.0%, ETA 01 days,   20 TiB written, speed 3072.0 GiB/s");
	f.bytes = UINT64_MAX;
	assert_line(f, false,
		    "Progress: 100.0%, ETA 01 days,   15 EiB written, speed 3072.0 GiB/s");
}

static void json_has_the_keys_of_cryptsetup_and_escapes_the_path(void **state)
{
	const struct progress_figures f = {.bytes = 8192,
					   .size = 44040192,
					   .speed = 126877696,
					   .eta_usec = 2520012999,
					   .elapsed_usec = 5561235000};
	char line[512];

	(void)state;
	assert_int_equal(progress_format_json(&f, "/dev/sda", line, sizeof(line)), 0);
	assert_string_equal(line, "{\"device\":\"/dev/sda\",\"device_bytes\":\"8192\","
				  "\"device_size\":\"44040192\",\"speed\":\"126877696\","
				  "\"eta_ms\":\"2520012\",\"time_ms\":\"5561235\"}");
	assert_int_equal(progress_format_json(&f, "a\"b\n", line, sizeof(line)), 0);
	assert_non_null(strstr(line, "\"device\":\"a\\\"b\\n\""));
	assert_int_equal(progress_format_json(&f, "/dev/sda", line, 20), -ENOSPC);
}

/* Runs updates, and gives what was printed. */
static char *print(struct progress p, const uint64_t (*updates)[2], size_t n)
{
	char *text = NULL;
	size_t size;

	p.out = open_memstream(&text, &size);
	assert_non_null(p.out);
	for (size_t i = 0; i < n; i++)
		progress_update(&p, updates[i][0] * MIB, updates[i][1]);
	progress_break(&p);
	assert_int_equal(fclose(p.out), 0);
	return text;
}

/* MiB, and microseconds. Resumed at 40 MiB: speed counts from there. */
static const uint64_t run[][2] = {
	{40, 1000000}, {41, 1400000}, {50, 2000000}, {51, 2100000}, {100, 7000000}};

static void a_file_gets_lines_every_half_second(void **state)
{
	char *text = print((struct progress){.size = 100 * MIB}, run, 5);

	(void)state;
	assert_string_equal(text,
			    "Progress:  50.0%, ETA 00m05s,   50 MiB written, speed  10.0 MiB/s\n"
			    "Finished, time 00m06s,  100 MiB written, speed  10.0 MiB/s\n");
	free(text);
}

static void a_terminal_gets_one_line_that_is_rewritten(void **state)
{
	char *text = print((struct progress){.size = 100 * MIB, .terminal = true}, run, 5);

	(void)state;
	assert_string_equal(
		text, "\33[2K\rProgress:  50.0%, ETA 00m05s,   50 MiB written, speed  10.0 MiB/s"
		      "\33[2K\rFinished, time 00m06s,  100 MiB written, speed  10.0 MiB/s\n");
	free(text);
	/* Stopped before the end: the line is closed. */
	text = print((struct progress){.size = 100 * MIB, .terminal = true}, run, 3);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void a_frequency_makes_separate_lines_that_seldom(void **state)
{
	char *text = print((struct progress){.size = 100 * MIB, .terminal = true, .frequency = 2},
			   run, 5);

	(void)state;
	assert_string_equal(text, "Finished, time 00m06s,  100 MiB written, speed  10.0 MiB/s\n");
	free(text);
}

static void the_end_is_told_once(void **state)
{
	static const uint64_t twice[][2] = {{0, 0}, {100, 10000000}, {100, 11000000}};
	char *text = print((struct progress){.size = 100 * MIB}, twice, 3);

	(void)state;
	assert_string_equal(text, "Finished, time 00m10s,  100 MiB written, speed  10.0 MiB/s\n");
	free(text);
}

/* After a change of the limit the mean since the start would be wrong for hours. */
static void who_knows_the_rate_is_believed(void **state)
{
	static const uint64_t slower[][2] = {{0, 0}, {50, 1000000}, {100, 10000000}};
	char *text =
		print((struct progress){.size = 100 * MIB, .rate = MIB, .left_usec = 50 * SECONDS},
		      slower, 3);

	(void)state;
	assert_string_equal(text,
			    "Progress:  50.0%, ETA 00m50s,   50 MiB written, speed 1024.0 KiB/s\n"
			    "Finished, time 00m10s,  100 MiB written, speed  10.0 MiB/s\n");
	free(text);
}

static void nothing_done_yet_has_no_speed_and_no_end(void **state)
{
	static const uint64_t still[][2] = {{0, 0}, {0, 600000}};
	char *text =
		print((struct progress){.size = 100 * MIB, .json = true, .device = "d"}, still, 2);

	(void)state;
	assert_string_equal(
		text, "{\"device\":\"d\",\"device_bytes\":\"0\",\"device_size\":"
		      "\"104857600\",\"speed\":\"0\",\"eta_ms\":\"0\",\"time_ms\":\"600\"}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_read_as_those_of_cryptsetup),
		cmocka_unit_test(units_change_with_the_size),
		cmocka_unit_test(json_has_the_keys_of_cryptsetup_and_escapes_the_path),
		cmocka_unit_test(a_file_gets_lines_every_half_second),
		cmocka_unit_test(a_terminal_gets_one_line_that_is_rewritten),
		cmocka_unit_test(a_frequency_makes_separate_lines_that_seldom),
		cmocka_unit_test(the_end_is_told_once),
		cmocka_unit_test(who_knows_the_rate_is_believed),
		cmocka_unit_test(nothing_done_yet_has_no_speed_and_no_end),
	};

	assert_int_equal(setenv("TERM", "xterm", 1), 0); /* no line is drawn over on a dumb one */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
