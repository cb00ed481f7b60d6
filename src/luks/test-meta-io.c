/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Byte ranges over descriptors with and without O_DIRECT, against a plain copy in memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/meta-io.h"
#include "luks/wipe.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define SIZE (UINT64_C(1) << 20)

static void any_range_is_read_and_written(void **state)
{
	static const int flags[] = {0, O_DIRECT};
	const unsigned seed = (unsigned)time(NULL);
	char path[] = "/var/tmp/test-meta-io-XXXXXX";
	_cleanup_free_ uint8_t *want = calloc(1, SIZE), *buf = aligned_alloc(4096, SIZE);
	const int first = mkstemp(path);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	assert_true(first >= 0 && want && buf);
	assert_int_equal(ftruncate(first, (off_t)SIZE), 0);
	(void)close(first);

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		const int fd = open(path, O_RDWR | O_CLOEXEC | flags[f]);
		struct meta_io *io;

		if (fd < 0 && errno == EINVAL && flags[f]) {
			print_message("no O_DIRECT on this file system\n");
			continue;
		}
		assert_int_equal(meta_io_file_new(fd, path, &io), 0);
		assert_true(io->size == SIZE);
		for (int i = 0; i < 300; i++) {
			const uint64_t unit = i % 3 == 0 ? 4096 : 1;
			const uint64_t offset = (uint64_t)random() % SIZE / unit * unit;
			const uint64_t limit = MIN(SIZE - offset, i % 2 ? 5000U : UINT64_C(300000));
			const size_t size =
				(size_t)((uint64_t)random() % (limit + 1) / unit * unit);

			for (size_t b = 0; b < size; b++)
				want[offset + b] = buf[b] = (uint8_t)random();
			assert_int_equal(meta_io_write(io, offset, buf, size), 0);
		}
		assert_int_equal(meta_io_flush(io), 0);
		assert_int_equal(meta_io_read(io, 0, buf, SIZE), 0);
		assert_memory_equal(buf, want, SIZE);
		for (int i = 0; i < 100; i++) {
			const uint64_t offset = (uint64_t)random() % SIZE;
			const size_t size = (size_t)((uint64_t)random() % (SIZE - offset));

			assert_int_equal(meta_io_read(io, offset, buf + 1, MIN(size, SIZE - 1)), 0);
			assert_memory_equal(buf + 1, want + offset, MIN(size, SIZE - 1));
		}
		assert_int_equal(meta_io_read(io, SIZE - 100, buf, 101), -ENODATA);
		meta_io_free(io);
	}
	assert_int_equal(unlink(path), 0);
}

static void wipe_touches_its_area_only(void **state)
{
	char path[] = "/tmp/test-meta-io-XXXXXX";
	const uint64_t offset = 4096, size = 2 * SIZE + 8192, end = offset + size + 4096;
	_cleanup_free_ uint8_t *buf = malloc(end);
	struct meta_io *io;
	const int fd = mkstemp(path);
	size_t left = 0;

	(void)state;
	assert_true(fd >= 0 && buf);
	assert_int_equal(unlink(path), 0);
	memset(buf, 0x55, end);
	assert_int_equal(pwrite(fd, buf, end, 0), end);
	assert_int_equal(meta_io_file_new(fd, path, &io), 0);
	assert_int_equal(luks_wipe_area(io, offset, size), 0);
	assert_int_equal(meta_io_read(io, 0, buf, end), 0);
	for (uint64_t i = 0; i < end; i++) {
		if (i < offset || i >= offset + size)
			assert_int_equal(buf[i], 0x55);
		else
			left += buf[i] == 0x55;
	}
	/* Random bytes are 0x55 once in 256; twice that is beyond chance. */
	assert_true(left < size / 128);
	assert_int_equal(luks_wipe_area(io, offset, end), -EINVAL);
	meta_io_free(io);
}

static void what_is_no_disk_is_refused(void **state)
{
	struct meta_io *io;
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(meta_io_file_new(fd, "null", &io), -ENOTBLK);
	/* It is still ours. */
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_range_is_read_and_written),
		cmocka_unit_test(wipe_touches_its_area_only),
		cmocka_unit_test(what_is_no_disk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
