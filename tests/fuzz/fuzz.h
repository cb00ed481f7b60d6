/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets share: each is one function that libFuzzer calls with bytes, millions of
 * times in one process. A target fails by abort(), or by what a sanitizer sees.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(): there in every build. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,         \
				      #condition);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The rest of an input. Past the end there are zeros. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++) {
		uint8_t byte = 0;

		if (in->size > 0) {
			byte = *in->data++;
			in->size--;
		}
		value = value << 8 | byte;
	}
	return value;
}

/* A terminated copy of the next bytes, @size at most, which the caller frees. */
char *fuzz_take_text(struct fuzz_input *in, size_t size);

/* A file with these bytes that is gone with the process, always the same one. */
const char *fuzz_file(const uint8_t *data, size_t size);
