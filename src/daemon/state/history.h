/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rotations that have ended on this host, in a file of the state directory: the last
 * HISTORY_MAX, oldest first. It is for people; nothing is decided by it.
 *
 *   {"rotations":[{"uuid","name","device","outcome","message","key","generation","started","ended",
 *                  "duration","bytes","stall","caller"}]}
 *
 * Times are of the realtime clock, in microseconds. What is wrong in it is left out, entry by
 * entry.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/state/caller.h"

#define HISTORY_MAX 1000

struct history_entry {
	char uuid[37];
	char name[128], device[256]; /* for show: cut, and valid text */
	char outcome[16];            /* "finished", "cancelled", "failed" */
	char message[128];           /* of the failure */
	char key_id[37];             /* that the data are under since */
	uint32_t generation;
	uint64_t started_usec, ended_usec;
	uint64_t usec;       /* from the first byte that was converted, pauses included; 0: none */
	uint64_t bytes;      /* that were converted; of a cancelled one, that went back */
	uint64_t stall_usec; /* the longest wait of an application; 0: none was seen */
	struct caller_id caller;
};

struct history {
	const char *dir; /* NULL: nothing is kept */
	size_t n;
	struct history_entry *entries;
};

/* @dir stays the caller's. Logs what is wrong with the file, which is no reason not to start. */
void history_load(struct history *h, const char *dir);
/* Durable on return, if it can be. Logs failures. */
void history_add(struct history *h, const struct history_entry *e);
void history_free(struct history *h);

/* Bytes per second, pauses included; 0: not known. */
uint64_t history_rate(const struct history_entry *e);
