/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The jobs of a worker: which steps it takes, and in which order.
 *
 *     check      open -> plan
 *     begin      open -> plan -> begin
 *     resume     open -> enter -> resilience -> convert
 *     reencrypt  begin -> take over -> convert, or else resume
 *     recover    open -> enter -> convert, until the header is clean
 *     cancel     open -> enter -> recover -> turn around -> convert
 *     reverse    the same without the last step; undo: the same before anything is converted
 *
 *     enter:     unlock -> take over -> confirm the position
 *
 * The same order serves a person at a terminal and the manager. Where the two differ, in where keys
 * come from, who agrees, and who watches, a job asks its desk (desk.h).
 *
 * Each job returns 0 or a negative errno, which has been logged.
 */
#pragma once

#include "worker/steps.h"

struct work;

/* All of it is called with work.steps open. Functions return 0 or a negative errno, and log it. */
struct desk {
	/* Fills the part of work.steps that steps_open() leaves to the caller. */
	int (*bring_keys)(struct work *w);
	/* -ENOKEY: no key is known that could begin or resume the re-encryption. */
	int (*check_keys)(struct work *w);
	/* Is something at hand to verify a clean header with, which recover has nothing to do with?
	 */
	bool (*may_verify)(struct work *w);
	/* The steps have found keys, which may serve later jobs. */
	int (*keep_keys)(struct work *w);
	/* May a header of --resilience none be resumed? Before keys are asked for, and once locked.
	 */
	int (*check_position)(struct work *w);
	int (*confirm_position)(struct work *w);
	/* To a plan and the keyslots that it loses. The last call before the first write. */
	int (*agree)(struct work *w, const struct luks_begin_plan *plan);
	/* Sets work.steps.watch for a conversion, and learns how it ended; returns @error or
	 * another. */
	void (*watch)(struct work *w, bool recover_only);
	int (*unwatch)(struct work *w, int error, enum engine_outcome outcome);
};

struct work {
	const struct work_options *options;
	const struct desk *desk;
	void *arg;   /* the desk's */
	bool speaks; /* a person reads what the job has found and done */
	struct steps steps;
};

/* @ret is to be closed, whatever becomes of its one job. */
static inline void work_init(struct work *ret, const struct work_options *o, const struct desk *d,
			     void *arg)
{
	*ret = (struct work){.options = o, .desk = d, .arg = arg, .steps.volume = VOLUME_NONE};
}
void work_close(struct work *w);

/* What begin would do, and what stands in its way. Writes nothing. */
int work_check(struct work *w);
/* -ERROR_IN_PROGRESS: a re-encryption is in progress. */
int work_begin(struct work *w);
/* -ERROR_NO_ROTATION: none is in progress. */
int work_resume(struct work *w);
/* As the options say: --init-only, --resume-only. */
int work_reencrypt(struct work *w);
int work_recover(struct work *w);
int work_cancel(struct work *w);
/* What has nothing converted is left to work_undo(): that is no error. -ERROR_NO_ROTATION as above.
 */
int work_reverse(struct work *w);
/* -EINVAL: a part is converted already. */
int work_undo(struct work *w);
