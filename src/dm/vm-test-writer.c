/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The application: writes to the volume while it is converted, and knows what each block must hold.
 */
#include "dm/vm-test-stack.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/io.h"

void fill_block(uint64_t *block, uint64_t index, uint64_t generation)
{
	for (size_t i = 0; i < BLOCK / sizeof(*block); i += 2) {
		block[i] = index;
		block[i + 1] = generation;
	}
}

static void check_block(const uint64_t *block, uint64_t index, const char *when)
{
	uint64_t expected[BLOCK / sizeof(uint64_t)];

	fill_block(expected, index, shared->generation[index]);
	if (memcmp(block, expected, BLOCK) != 0)
		FATAL("%s: block %ju holds block %ju of generation %ju instead of %ju", when,
		      (uintmax_t)index, (uintmax_t)block[0], (uintmax_t)block[1],
		      (uintmax_t)shared->generation[index]);
}

/* Overwrites and reads back random blocks, most of them near the edge, until told to stop. */
static void run_writer(unsigned seed)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);
	const uint64_t blocks = volume_size / BLOCK;

	srandom(seed);
	while (!shared->stop) {
		const uint64_t edge = shared->position.boundary / BLOCK;
		uint64_t index = (uint64_t)random() % blocks;

		if (index % 4 != 0)
			index = (edge + blocks - 96 + index % 192) % blocks;
		fill_block(block, index, shared->generation[index] + 1);
		/* A range that was given up answers EIO until it is back. */
		while (pwrite_full(fd, block, BLOCK, index * BLOCK) < 0)
			shared->errors++;
		shared->generation[index]++;
		if (pread_full(fd, block, BLOCK, index * BLOCK) == 0)
			check_block(block, index, "the writer");
		else
			shared->errors++;
		shared->writes++;
	}
	free(block);
}

pid_t start_writer(unsigned seed)
{
	pid_t pid;

	shared->stop = false;
	pid = fork();
	if (pid < 0)
		FATAL("fork: %m");
	if (pid == 0) {
		run_writer(seed);
		_exit(0);
	}
	return pid;
}

void stop_writer(pid_t pid)
{
	int status;

	shared->stop = true;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		FATAL("the writer ended with status %#x", (unsigned)status);
}

void check_volume(const char *when)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);

	for (uint64_t i = 0; i < volume_size / BLOCK; i++) {
		int r = pread_full(fd, block, BLOCK, i * BLOCK);

		if (r < 0)
			FATAL("%s: cannot read block %ju: %s", when, (uintmax_t)i, strerror(-r));
		check_block(block, i, when);
	}
	free(block);
}

void fill_volume(void)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);

	for (uint64_t i = 0; i < volume_size / BLOCK; i++) {
		fill_block(block, i, shared->generation[i]);
		if (pwrite_full(fd, block, BLOCK, i * BLOCK) < 0)
			FATAL("cannot fill block %ju", (uintmax_t)i);
	}
	free(block);
}
