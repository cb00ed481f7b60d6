/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was reserved is had without the kernel: the heap does not grow. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/log.h"
#include "worker/process.h"

#define TEXT ((size_t)400 << 10) /* bytes */

static void reserved_memory_is_had_without_the_kernel(void **state)
{
	static void *kept[4096];
	struct mallinfo2 before;
	const void *end;
	void *text;

	(void)state;
	assert_int_equal(process_protect(), 0);
	text = malloc(TEXT);
	assert_non_null(text);
	assert_int_equal(process_reserve_memory(), 0);
	end = sbrk(0);
	before = mallinfo2();
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
			kept[i] = malloc(16 + i % 8 * 24);
			assert_non_null(kept[i]);
		}
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			free(kept[i]);
	}
	/* A commit copies the text of a token in the header, and frees the one before. */
	for (size_t i = 1; i < 10; i++) {
		kept[i] = malloc(TEXT);
		assert_non_null(kept[i]);
		free(i == 1 ? text : kept[i - 1]);
	}
	assert_ptr_equal(sbrk(0), end);
	assert_int_equal(mallinfo2().hblks, before.hblks);
	free(kept[9]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_memory_is_had_without_the_kernel),
	};

#ifdef __SANITIZE_ADDRESS__
	return 77; /* it has an allocator of its own */
#endif
	log_init("test-process", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
