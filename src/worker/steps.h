/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps of which jobs (work.h) are made.
 *
 *     open -> unlock -> take_over -> (rehearsal.h) -> convert   continues a re-encryption
 *     open -> plan -> begin -> take_over -> convert             begins one
 *
 * Each returns 0 or a negative errno, which has been logged with what to do.
 */
#pragma once

#include "luks/begin.h"
#include "worker/conversion.h"
#include "worker/work-options.h"
#include "worker/volume.h"

struct steps {
	const struct work_options *options;
	struct work_volume volume;
	struct luks_passphrases passphrases;
	bool tokens;                           /* they may be tried before anybody is asked */
	bool skip_tokens;                      /* they may not when a re-encryption begins */
	struct luks_token_choice token_choice; /* as the options say */
	/* Of the old and the new side, instead of passphrases; or NULL. The caller's. */
	const struct secret *volume_key, *new_volume_key;
	struct secret *old_key, *new_key;     /* of volume.reenc's sides, once they are known */
	const struct conversion_watch *watch; /* NULL but for steps_convert(), which needs it */
	bool turned_around;                   /* by steps_turn_around() */
};

/* Fills @s but for passphrases and watch, which the caller sets. */
int steps_open(const struct work_options *o, struct steps *s);
void steps_close(struct steps *s);

/*
 * Wipes the areas of keyslots that an earlier re-encryption freed, where its worker died before.
 * To be called by each job that may write, once it is open. A failure is logged, and stops no other
 * work.
 */
int steps_wipe_freed(struct steps *s);

/*
 * -ERROR_HEADER_CHANGED: the header is older than the one that the manager has seen; or data that
 * another key or cipher has written would be decrypted to garbage. Nothing of the sort is known on
 * a command line.
 */
int steps_check_newer(const struct work_volume *v);
int steps_check_side(const struct work_volume *v);

/* -ENOTSUP: only cryptsetup can go on with the re-encryption there is. */
int steps_check_supported(const struct work_volume *v);

/* Can it be finished as the volume is open? Logs -EINVAL. Recovering and cancelling always can. */
int steps_check_size(const struct work_volume *v);

/* -EBUSY: a re-encryption is there already. Nothing is written before steps_begin(). */
int steps_plan(struct steps *s, struct luks_begin **ret);

/*
 * Begins what was planned, once everything up to the first hotzone was tried out with the header
 * that will be. With --device-size that header says to which size the data are fixed, so that a
 * later run needs no option for it. The volume is locked afterwards.
 */
int steps_begin(struct steps *s, struct luks_begin *b);

/* Volume keys for the sides that still need one. */
int steps_unlock(struct steps *s);

/* The lock, unless steps_begin() took it, the header as it is now, and proof that it was written by
 * somebody with the keys. */
int steps_take_over(struct steps *s);

/* To the end or to a stop, which is no error, or only until the header is clean. */
int steps_convert(struct steps *s, bool recover_only, enum engine_outcome *ret);

/* -EINVAL: nothing to cancel, or too late; -ERROR_REVERSING: on the way back. */
int steps_check_cancellable(const struct work_volume *v);

/*
 * After rehearse_rest(): the commit that swaps the roles of the keys of a clean header; with
 * nothing converted that is left to steps_convert(), which then only makes the end's commit.
 */
int steps_turn_around(struct steps *s);

/* A worker was killed after its final commit: what is left of it is the device stack. */
int steps_settle(struct steps *s);
