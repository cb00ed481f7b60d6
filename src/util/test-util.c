/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checked arithmetic, secret memory, whole-file I/O, and what of the log is captured. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <limits.h>
#include <cmocka.h>

#include "util/closest.h"
#include "util/device-name.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/key-memfd.h"
#include "util/log.h"
#include "util/secret.h"

static void overflow_is_reported(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(add_u64(UINT64_MAX, 1, &v), -EOVERFLOW);
	assert_int_equal(mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v), -EOVERFLOW);
	assert_int_equal(v, 7);
	assert_int_equal(add_u64(UINT64_MAX - 1, 1, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void range_inside_does_not_wrap(void **state)
{
	(void)state;
	assert_true(range_inside(0, 10, 10));
	assert_true(range_inside(10, 0, 10));
	assert_false(range_inside(1, 10, 10));
	assert_false(range_inside(UINT64_MAX, 2, 10));
	assert_false(range_inside(2, UINT64_MAX, 10));
}

/* "VmLck" of /proc/self/status in kB. */
static long locked_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kb = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld kB", &kb) == 1)
			break;
	(void)fclose(f);
	return kb;
}

static void secret_is_locked_and_released(void **state)
{
	const long before = locked_kb();
	struct secret *s;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* the address sanitizer turns mlock() into nothing */
#endif
	assert_int_equal(secret_new(5000, &s), 0);
	assert_int_equal(s->size, 5000);
	assert_int_equal(s->data[4999], 0);
	/* 5000 bytes and the head of the mapping: two pages of 4 KiB. */
	assert_true(locked_kb() >= before + 8);
	memset(s->data, 0xaa, 5000);
	secret_truncate(s, 3);
	assert_int_equal(s->size, 3);
	assert_int_equal(s->data[2], 0xaa);
	assert_int_equal(s->data[3], 0);
	assert_null(secret_free(s));
	assert_int_equal(locked_kb(), before);
}

static void hand_over(size_t size)
{
	_cleanup_(secret_freep) struct secret *sent = NULL, *found = NULL;
	_cleanup_close_ int fd = -1;

	assert_int_equal(secret_new(size, &sent), 0);
	memset(sent->data, 0x5a, size);
	assert_int_equal(secret_to_fd(sent, &fd), 0);
	if (size > 0)
		assert_int_equal(secret_from_fd(fd, size - 1, &found), -EFBIG);
	(void)close(TAKE_FD(fd));
	assert_int_equal(secret_to_fd(sent, &fd), 0);
	assert_int_equal(secret_from_fd(fd, size + 1, &found), 0);
	assert_int_equal(found->size, size);
	assert_memory_equal(found->data, sent->data, size);
}

/* A pipe that does not end is not waited for. */
static void secret_goes_to_another_process(void **state)
{
	struct secret *found;
	int fds[2];

	(void)state;
	hand_over(0);
	hand_over(32);
	hand_over(PIPE_BUF);
	hand_over(PIPE_BUF + 1);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "half", 4), 4);
	assert_int_equal(secret_from_fd(fds[0], 100, &found), -ETIMEDOUT);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void read_past_the_end_is_an_error(void **state)
{
	char path[] = "/tmp/recryptd-test-XXXXXX", buf[8];
	_cleanup_close_ int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pwrite_full(fd, "abcd", 4, 2), 0);
	assert_int_equal(pread_full(fd, buf, 6, 0), 0);
	assert_memory_equal(buf, "\0\0abcd", 6);
	assert_int_equal(pread_full(fd, buf, 8, 0), -ENODATA);
	assert_int_equal(pread_full(fd, buf, 8, UINT64_MAX), -EOVERFLOW);
}

static void *log_for(void *arg)
{
	log_error("not captured");
	log_capture_for(*(struct log_capture *)arg);
	log_error("in");
	log_capture_for((struct log_capture){});
	log_error("not captured");
	return NULL;
}

/* What a caller is answered has the errors, as far as there is room, also those not logged. */
static void captured_errors_are_those_of_this_thread_and_those_that_work_for_it(void **state)
{
	char text[26];
	struct log_capture captured;
	pthread_t thread;

	(void)state;
	log_init("test", LOG_EMERG);
	log_capture(text, sizeof(text));
	log_notice("no error");
	assert_string_equal(text, "");
	log_error("first");
	captured = log_captured();
	assert_int_equal(pthread_create(&thread, NULL, log_for, &captured), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	log_hold();
	assert_int_equal(log_error_errno(-EIO, "%d", 2), -EIO);
	log_release();
	assert_string_equal(text, "first; in; 2: Input/outpu");
	log_capture(NULL, 0);
	log_error("third");
	assert_string_equal(text, "first; in; 2: Input/outpu");
}

static void assert_device(const char *text, const char *path)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(device_name_path(text, &found), path ? 0 : -EINVAL);
	if (path)
		assert_string_equal(found, path);
}

static void devices_have_tags(void **state)
{
	(void)state;
	assert_device("UUID=1-a", "/dev/disk/by-uuid/1-a");
	assert_device("LABEL=a b/", NULL);
	assert_device("LABEL=a b\\", "/dev/disk/by-label/a\\x20b\\x5c");
	assert_device("LABEL=\xc3\xbc", "/dev/disk/by-label/\xc3\xbc");
	assert_device("PARTUUID=x", "/dev/disk/by-partuuid/x");
	assert_device("PARTLABEL=x", "/dev/disk/by-partlabel/x");
	assert_device("UUID=", NULL);
	assert_device("ID=x", NULL);
	assert_device("x", NULL);
	assert_device("/x", "/x");
	assert_device("file:///a%20", "/a ");
}

static const char *const words[] = {"RateLimit", "RateMin", "RateMax", "Window", NULL};

static void a_slip_is_guessed_where_one_name_is_near(void **state)
{
	(void)state;
	assert_string_equal(closest_name("ratelimit", words), "RateLimit");
	assert_string_equal(closest_name("RateLimt", words), "RateLimit");
	assert_string_equal(closest_name("Windows", words), "Window");
	assert_string_equal(closest_name("RateMi", words), "RateMin");
	assert_null(closest_name("RateM", words)); /* as near to the one as to the other */
	assert_null(closest_name("Colour", words));
	assert_null(closest_name("", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overflow_is_reported),
		cmocka_unit_test(range_inside_does_not_wrap),
		cmocka_unit_test(secret_is_locked_and_released),
		cmocka_unit_test(secret_goes_to_another_process),
		cmocka_unit_test(read_past_the_end_is_an_error),
		cmocka_unit_test(
			captured_errors_are_those_of_this_thread_and_those_that_work_for_it),
		cmocka_unit_test(devices_have_tags),
		cmocka_unit_test(a_slip_is_guessed_where_one_name_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
