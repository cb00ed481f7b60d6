/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that starts after another one was killed, with no power cut between: what the killed
 * one wrote may be in a cache only. It does what our programs do at their start:
 *
 *     flush the header's disk -> libcryptsetup loads the header -> our own look at it -> the work
 *
 * libcryptsetup writes a header copy that is bad or older anew, with no flush before.
 */
#pragma once

#include "explore.h"
#include "run.h"

enum program { PROGRAM_REENCRYPT, PROGRAM_RECOVER, PROGRAM_CANCEL, PROGRAMS };

struct restart {
	enum program program;
	bool flushes; /* before libcryptsetup loads the header, as all our programs do */
	bool loads;   /* not where the keys are had from somewhere else */
	/* Before ours another program's libcryptsetup loaded it, and was killed before its flush.
	 */
	bool other_loads;
	/* Test of the tests: flushes of the header do nothing until the engine writes. */
	bool drop_flushes;
};

/*
 * The run @ret on the medium of @killed, whose program dies right before @event. @ret_written: the
 * event with which the new program first writes anything. From there on no power cut may lose data.
 */
int restart(struct run *ret, const struct run *killed, unsigned event, const struct restart *how,
	    uint64_t seed, unsigned *ret_written);

struct restarts {
	const struct volume *volume;
	uint64_t hotzone_size, seed;
	struct restart how; /* but for the program: each in its turn */
	unsigned one_in;    /* of the events at which a header copy is in flight */
	unsigned events;    /* after the restart, at which the power is cut */
	unsigned stop_at;   /* lost states after which it ends, 0: never */
	/* results */
	unsigned kills, states, lost;
};

/* Kills a run while it writes header copies, restarts, and cuts the power at each event then. */
void restart_everywhere(struct restarts *x);
