/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shall hotzones with a journal become hot in two halves (halves.c)? That takes two flushes more,
 * during which a disk may write or not. What it says of itself may be untrue, so both ways are
 * tried in turn, and the medians of their times are compared.
 *
 *     one that does not count, then whole, halves, whole, halves, whole, halves
 *
 * It is tried again whenever it is tried how hotzones overlap (overlap.h), and in that way only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Hotzones of each way in a trial. */
#define HALVES_TRIAL_CYCLES 3

struct halves_trial {
	bool fixed;  /* nothing to choose from, or to measure */
	bool halves; /* what is done now */
	bool decided;
	bool disturbed; /* the next one does not count */
	unsigned n[2];  /* of each way, whole and in halves: hotzones that were measured */
	double usec_byte[2][HALVES_TRIAL_CYCLES];
};

/* @possible: there is something to choose. @always: in halves, without a trial. */
void halves_trial_begin(struct halves_trial *t, bool possible, bool always);
/* Begins again: whole at first, and the next hotzone does not count. */
void halves_trial_restart(struct halves_trial *t);
/* The next hotzone does not count. */
void halves_trial_disturbed(struct halves_trial *t);
/* A hotzone of @size bytes has taken @usec, in halves or not; from now on t->halves may differ. */
void halves_trial_update(struct halves_trial *t, bool halves, uint64_t size, uint64_t usec);
