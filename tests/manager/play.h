/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plays a scenario in one order of events after the other. What may come next is a list, in the
 * order in which it usually comes. An order of events takes the first entry of that list each time,
 * but for its deviations. All orders of one deviation are played, and a sample of those of two: the
 * manager and workers are killed between any two events, messages wait, callers come early, timers
 * fire.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

enum op_kind {
	OP_ROTATE,
	OP_ROTATE_AFTER,  /* the one that is there */
	OP_ROTATE_LOSING, /* keyslots, where one waits for their passphrases */
	OP_ROTATE_ALL,
	OP_SUSPEND,
	OP_RESUME,
	OP_CANCEL,
	OP_UNLOCK,
	OP_UNLOCK_FIRST, /* keyslot 0 alone */
	OP_UNLOCK_WRONG,
	OP_LOCK,
	OP_RATE, /* of the disk: its number + 1 */
	OP_CHECK,
	OP_REMOVE,  /* and add it again, as a person does for a disk that is replaced */
	OP_RESTART, /* the manager is told to end, and the next one starts */
};

/* When an operation comes, in the usual order. */
#define AT_REST 0 /* nothing else is left to happen */
/* So many hotzones of its disk are converted, and the rotation is prepared. */
#define AFTER(hotzones) (1 + (hotzones))

struct op {
	enum op_kind kind;
	unsigned disk;
	unsigned when;
};

#define OPS_MAX 256

struct scenario {
	const char *name;
	unsigned n_disks;
	const char *config; /* of recryptd.conf */
	int provider;       /* what it answers, where one is configured */
	struct op ops[OPS_MAX];
	unsigned n_ops;
	unsigned kills;  /* of manager, worker and power, in one order */
	unsigned one_in; /* so many of the orders of two deviations; with SIM_FULL of three */
	bool keyslots;   /* there are two, and a passphrase opens one of them */
	bool group;      /* all volumes end in the same way */
	bool upgrades;   /* a manager finds workers of another version than its own */
};

/* Plays all of these. Fails the test on the first that breaks a promise. */
void play_orders(const struct scenario *s);

/* Plays @n orders in which any event may come at any time, from the program's seed. */
void play_random(const struct scenario *s, uint64_t n);

/* The same with @n_ops operations at random, in place of those that the scenario has. */
void play_random_ops(const struct scenario *s, unsigned n_ops, uint64_t n);

/* How to play the present order again, on standard error. */
void play_tell_order(void);

#define play_fail(...)                                                                             \
	do {                                                                                       \
		play_tell_order();                                                                 \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)
