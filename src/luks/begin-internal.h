/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A re-encryption that is about to begin, between begin.c, begin-open.c and begin-commit.c. */
#pragma once

#include <libcryptsetup.h>

#include "luks/begin.h"
#include "luks/derive-job.h"
#include "luks/draft.h"
#include "luks/keyslots.h"
#include "luks/numbers.h"

/* How a keyslot was opened, in step with luks_begin_plan.slots. */
struct luks_begin_opener {
	struct secret *passphrase; /* NULL: by the token */
	int token;
};

struct luks_begin {
	struct luks_begin_params params;
	struct luks_begin_plan plan;
	struct luks_keyslots keyslots;
	uint32_t tokens; /* bit n: token n may open keyslots */
	struct luks_begin_opener openers[LUKS_MAX_KEYSLOTS];
	uint32_t leftovers;          /* bit n: keyslot n, see begin-leftover.h */
	struct luks_numbers numbers; /* of the copies that are made */
	bool numbers_change;         /* there is no room to note them */
	struct secret *old_key, *new_key;
	struct secret *new_passphrase; /* opens no old keyslot; the volume key was given instead */
	struct luks_draft *draft;      /* NULL in the process that derives */
	struct crypt_device *cd;       /* of the draft */
	struct luks_header *header;    /* the draft's, once it has the re-encryption */
	struct meta_io *io;
	struct luks_given_up given_up;
};

static inline bool luks_begin_is_open(const struct luks_begin *b, size_t i)
{
	return b->openers[i].passphrase || b->openers[i].token >= 0;
}

static inline size_t luks_begin_count_open(const struct luks_begin *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->plan.n_slots; i++)
		n += luks_begin_is_open(b, i);
	return n;
}

/*
 * Fills plan.slots and opens what passphrases and tokens open; sets old_key, and new_passphrase
 * where the volume key came without one for an old keyslot. Logs failures.
 */
int luks_begin_open_keyslots(struct luks_begin *b);

/* Adds keyslots to the draft and begins the re-encryption in it: here, or in the process that
 * derives. */
int luks_begin_here(struct luks_begin *b);
int luks_begin_elsewhere(struct luks_begin *b);
