/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's figures, as texts and from a real block device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <dirent.h>
#include <errno.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "pace/load.h"

static void requests_and_their_time_are_read(void **state)
{
	/* reads 10 in 30 ms, writes 200 in 4000 ms, 3 in flight */
	static const char text[] =
		"      10        0      80       30      200        0     1600"
		"     4000        3      900     4030        0        0        0 "
		"       0        7       12\n";
	struct load_figures f = {};

	(void)state;
	assert_int_equal(load_parse_stat(text, &f), 0);
	assert_int_equal(f.requests, 210);
	assert_int_equal(f.waited_usec, 4030000);
	assert_int_equal(f.in_flight, 3);
	assert_int_equal(load_parse_stat("10 0 80", &f), -EBADMSG);
	assert_int_equal(load_parse_stat("", &f), -EBADMSG);
}

static void pressure_is_that_of_some(void **state)
{
	uint64_t usec = 0;

	(void)state;
	assert_int_equal(
		load_parse_pressure("some avg10=1.00 avg60=0.50 avg300=0.10 total=123456789\n"
				    "full avg10=0.00 avg60=0.00 avg300=0.00 total=42\n",
				    &usec),
		0);
	assert_int_equal(usec, 123456789);
	assert_int_equal(load_parse_pressure("full avg10=0.00 total=42\n", &usec), -EBADMSG);
	assert_int_equal(load_parse_pressure("some avg10=0.00\n", &usec), -EBADMSG);
}

static void a_device_that_is_not_there_is_said(void **state)
{
	struct load l = LOAD_NONE;

	(void)state;
	assert_int_equal(load_open(makedev(4000, 4000), &l), -ENOENT);
	load_close(&l);
}

/* Some block device of this machine: what its counters are can be told, and does not go back. */
static void a_real_device_can_be_looked_at_again_and_again(void **state)
{
	struct load_figures first, second;
	struct load l = LOAD_NONE;
	DIR *devices = opendir("/sys/dev/block");
	struct dirent *entry;
	unsigned major, minor;
	int r = -ENOENT;

	(void)state;
	while (devices && r < 0 && (entry = readdir(devices)))
		if (sscanf(entry->d_name, "%u:%u", &major, &minor) == 2)
			r = load_open(makedev(major, minor), &l);
	if (devices)
		(void)closedir(devices);
	if (r < 0)
		skip(); /* it has none */
	assert_int_equal(load_read(&l, &first), 0);
	assert_int_equal(load_read(&l, &second), 0);
	assert_true(second.requests >= first.requests);
	assert_true(second.waited_usec >= first.waited_usec);
	load_close(&l);
	assert_int_equal(l.stat_fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_their_time_are_read),
		cmocka_unit_test(pressure_is_that_of_some),
		cmocka_unit_test(a_device_that_is_not_there_is_said),
		cmocka_unit_test(a_real_device_can_be_looked_at_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
