/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "util/io.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Refusals are the rule here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz", LOG_EMERG);
	return 0;
}

char *fuzz_take_text(struct fuzz_input *in, size_t size)
{
	const size_t n = size < in->size ? size : in->size;
	char *text = malloc(n + 1);

	REQUIRE(text);
	memcpy(text, in->data, n);
	text[n] = '\0';
	in->data += n;
	in->size -= n;
	return text;
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		REQUIRE(fd >= 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	REQUIRE(ftruncate(fd, 0) == 0);
	REQUIRE(pwrite_full(fd, data, size, 0) == 0);
	return path;
}
