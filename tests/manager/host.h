/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The manager of a simulated host, and its callers: what they asked for, and what they were told.
 */
#pragma once

#include <stdbool.h>

#include "play.h"

struct issued {
	struct op op;
	bool refused, answered, lost;
	int error;
	uint64_t job;     /* 0: none */
	unsigned manager; /* which one was asked */
	char side[33];    /* of the volume, before what was under way when it was asked */
};

struct host {
	const struct scenario *scenario;
	sd_event *event;
	struct manager *manager;
	bool stopped; /* the manager has ended by itself */
	struct issued issued[OPS_MAX];
	unsigned n_issued;
	char sides[DISKS_MAX][33]; /* of each volume at the beginning, and when a group began */
	bool in_group[DISKS_MAX];  /* volumes that are to be rotated together */
	unsigned helped;           /* by people, once all was at rest */
};

extern struct host host;

void host_begin(const struct scenario *s);
void host_end(void);
void host_kill_manager(void);
void host_replace_manager(void);
void host_reboot(void);
/* The next caller calls. */
void host_issue(void);
/* Volumes that need a person get one. False: none does. */
bool host_help(void);

/* --- checks.c: all fail the test --- */

void check_answer(const struct issued *o);
void check_job_end(const struct issued *o, const struct job *j);
void check_at_rest(void);
void check_at_end(void);
