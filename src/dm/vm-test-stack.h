/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parts of vm-test-stack, a program for tests/vm/test-dm-stack. A writer process works on the
 * volume all the time; what it must find there is in memory that all processes share, and so is
 * the position that a header would hold.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "dm/stack.h"

#define BLOCK      UINT64_C(4096)
#define HOTZONE    (UINT64_C(64) * BLOCK)
#define BLOCKS_MAX 32768

#define FATAL(...)                                                                                 \
	do {                                                                                       \
		fprintf(stderr, "FAILED: " __VA_ARGS__);                                           \
		fprintf(stderr, "\n");                                                             \
		exit(1);                                                                           \
	} while (0)

/* What one side is, from the command line. */
struct side_args {
	const char *key_file, *sector_size, *digest;
};

struct args {
	const char *name, *device, *data_offset, *uuid;
	struct side_args sides[2];
	bool backward;
};

/* Shared by all processes. */
struct shared {
	/* The header: */
	struct stack_position position;
	bool swapped; /* the sides have changed their roles */
	uint8_t journal[HOTZONE];
	bool converted; /* the hotzone is, all of it */
	/* The writer: */
	volatile bool stop;
	uint64_t writes, errors;
	uint64_t generation[BLOCKS_MAX]; /* what is in each block */
};

extern struct args args;
extern struct shared *shared;
extern uint64_t volume_size; /* bytes */

/* vm-test-volume.c */

/*
 * Takes the command line after the command: NAME DEVICE DATA_OFFSET UUID OLD_KEY OLD_SECTOR
 * OLD_DIGEST NEW_KEY NEW_SECTOR NEW_DIGEST forward|backward[:BOUNDARY].
 */
#define VOLUME_ARGS 11
void volume_init(char **argv);

/* The keys of the configuration are there until drop_keys(). */
struct stack_config make_config(void);
void drop_keys(void);

/* Of a block device. */
dev_t device_number(const char *path);

/* Whole blocks, aligned for direct I/O. */
void *aligned_buffer(size_t size);

/* A mapping, for direct I/O. */
int open_dm(const char *name);

/* Ends the program where @r is an error. */
void must(int r, const char *what);

/* vm-test-writer.c */

/* Each block holds its index and how often it was written. */
void fill_block(uint64_t *block, uint64_t index, uint64_t generation);
void fill_volume(void);
void check_volume(const char *when);
pid_t start_writer(unsigned seed);
void stop_writer(pid_t pid);

/* vm-test-engine.c */

/* A stack at the position that the shared memory says, and its end. */
struct stack *take(void);
void leave(struct stack *s);

/* Where the next hotzone lies, in the way of the conversion. */
uint64_t hotzone_offset(void);
/* Bytes that are not converted. */
uint64_t left(void);

void begin_hotzone(struct stack *s);
void commit(bool hot, uint64_t boundary);
void finish_hotzone(struct stack *s);
void convert_one(struct stack *s);
/* Two of them: the first one is thawed with a hot header, before the second one is hot. */
void convert_merged(struct stack *s);
/* What finished is the old side of the next conversion. */
void turn_around_at_end(void);

/* The commands that have a file of their own: vm-test-kill.c and so on. */
void run_kill(void);
void run_measure(void);
void run_refuse(void);
void run_refuse_stacked(void);
