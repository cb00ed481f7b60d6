/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scratch files and loop devices for the tests of this folder. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A file of @size bytes that has direct I/O, in a directory of its own. */
struct scratch {
	char dir[256];
	char path[288];
};

struct scratch scratch_new(uint64_t size);
void scratch_remove(const struct scratch *s);

/*
 * A loop device with direct I/O over @path, gone when the descriptor and all others of it are
 * closed. Returns a descriptor without O_DIRECT and the device's path; ends the test as skipped
 * where this user or machine cannot have loop devices.
 */
int loop_new(const char *path, uint32_t block_size, bool read_only, char ret_path[32]);
