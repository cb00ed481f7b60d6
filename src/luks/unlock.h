/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volume keys out of keyslots and tokens, through libcryptsetup. It takes the same locks as we do
 * (metadata, re-encryption), so this comes before the worker takes its own.
 */
#pragma once

#include <stdbool.h>

#include "luks/place.h"
#include "luks/token-choice.h"
#include "util/secret.h"

/* Who is asked for passphrases. */
struct luks_passphrases {
	/*
	 * One passphrase, for @keyslot, for any, or a new one; @again: the last one opened nothing.
	 * -ENOKEY: the user gives this keyslot up; -ENODATA: there are no more. Any other error
	 * ends the attempt; it has been logged.
	 */
	int (*ask)(void *arg, int keyslot, bool again, struct secret **ret);
	void *arg;
	/*
	 * The passphrases are typed: an empty one is tried like any other, and where it opens
	 * nothing, the user gives the keyslot up.
	 */
	bool empty_gives_up;
	unsigned tries; /* wrong passphrases in a row before we give up; at least 1 */
};

static inline bool luks_passphrase_gives_up(const struct luks_passphrases *p,
					    const struct secret *passphrase)
{
	return p->empty_gives_up && passphrase->size == 0;
}

#define LUKS_DIGEST_NONE    (-1)
#define LUKS_ANY_KEYSLOT    (-1)
#define LUKS_NEW_PASSPHRASE (-2) /* for luks_passphrases.ask: one that opens nothing yet */

struct luks_unlock_params {
	const char *device; /* what messages call it */
	const struct luks_place *place;
	/*
	 * Digest ids of the keys that are wanted; LUKS_DIGEST_NONE where a side has none. The same
	 * id twice (the key is kept): both results hold the same key.
	 */
	int old_digest, new_digest;
	bool old_optional; /* the old key is nice to have: its result may be NULL */
	int keyslot;       /* only this one for the old key, or LUKS_ANY_KEYSLOT */
	/* Instead of a passphrase, NULL otherwise; verified against the digest. */
	const struct secret *old_key, *new_key;
	/* Let tokens open what they can by themselves before anybody is asked. */
	bool tokens;
	const struct luks_token_choice *token_choice; /* which ones; NULL: all */
	struct luks_passphrases passphrases;
};

/*
 * Both volume keys of a volume in re-encryption (@ret_old, @ret_new: NULL for a side that has no
 * digest). First the volume keys given, then tokens, then passphrases, each
 * tried on every key that is still wanted. Whatever fails is logged here, with what to do.
 * -ERROR_KEY_REJECTED: wrong passphrase or volume key; -ENOENT: a key is wanted that no keyslot
 * holds. A keyslot whose derivation gives up is left out; where none opens, that is the error.
 */
int luks_unlock(const struct luks_unlock_params *params, struct secret **ret_old,
		struct secret **ret_new);

/*
 * Says that the volume key given is not the volume's, and what --volume-key-file means in each
 * version of cryptsetup. @which: "old " or "new " where two may be given, else "".
 * @digest: its id, or LUKS_DIGEST_NONE where several were tried.
 */
void luks_tell_wrong_volume_key(const char *device, const char *which, int digest);
