/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Crash states of a recorded run, and what becomes of each: all subsets of the unflushed writes
 * where these are few, random subsets and torn writes where they are many, and for some of them a
 * second crash during the recovery itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

/* How much to try: under the sanitizers a state costs ten times as much. */
#ifdef __SANITIZE_ADDRESS__
#define USUALLY(count, sanitized) (sanitized)
#else
#define USUALLY(count, sanitized) (count)
#endif

struct exploration {
	const struct volume *volume;
	uint64_t hotzone_size;
	uint64_t seed;
	unsigned all_subsets_up_to;    /* pending writes */
	unsigned random_subsets, torn; /* per event beyond that */
	unsigned event_one_in;         /* 0: every one */
	unsigned events;               /* how many, 0: all */
	unsigned again_one_in;         /* states whose recovery is crashed too */
	unsigned stock_one_in;         /* states that cryptsetup has to bring back; 0: none */
	/* Is the finished image right? NULL: volume_check_finished() against volume->plain. */
	bool (*is_right)(void *arg, const uint8_t *image, unsigned event);
	void *is_right_arg;
	bool may_refuse;  /* a state is right, too, where the recovery ends with an error */
	unsigned stop_at; /* lost states after which it ends, 0: never */
	bool quiet;       /* says nothing but what is lost */
	/* results */
	unsigned states, recrashed, by_stock, refused, lost;
};

/* Explores all that @r's medium saw from @first_event on. */
void explore(struct exploration *x, struct run *r, unsigned first_event);
