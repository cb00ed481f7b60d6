/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker has been given to open its volume with, until it is told to forget it: passphrases,
 * and volume keys. All of it has opened something once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "luks/fields.h"
#include "luks/header.h"
#include "luks/record-mac.h"
#include "luks/unlock.h"
#include "util/secret.h"

#define HELD_KEYS_MAX   4 /* the old and the new one, and those of the rotation before */
#define HELD_KEYS_KNOWN 8 /* digests that are known for a key, the last ones */

/*
 * Whether a key belongs to a digest. The header says how long it takes to find that out, so it is
 * found out once.
 */
struct known_digest {
	char fingerprint[LUKS_FINGERPRINT_SIZE];
	bool belongs;
};

struct held_key {
	struct secret *secret;
	struct known_digest known[HELD_KEYS_KNOWN];
	unsigned n_known; /* ever; the last ones are there */
};

struct held_keys {
	struct secret *passphrase[LUKS_MAX_KEYSLOTS];
	unsigned n_passphrases;
	struct held_key key[HELD_KEYS_MAX];
	unsigned n_keys;
	unsigned asked;  /* passphrases that the present job has had */
	uint32_t opened; /* bit n: keyslot n, by a passphrase that is held */
};

void held_keys_forget(struct held_keys *h);

/*
 * Keep a copy, once. The oldest volume key makes room for one more. -ENOSPC: too many. @secret is
 * the volume key of @digest in @header, or @header is NULL.
 */
int held_keys_add_passphrase(struct held_keys *h, const struct secret *passphrase);
int held_keys_add_key(struct held_keys *h, const struct luks_header *header, int digest,
		      const struct secret *secret);

static inline bool held_keys_is_empty(const struct held_keys *h)
{
	return h->n_passphrases == 0 && h->n_keys == 0;
}

static inline bool held_keys_can_make_keyslots(const struct held_keys *h)
{
	return h->n_passphrases > 0;
}

/* The passphrases open these keyslots, and (@all) no others. */
void held_keys_note_opened(struct held_keys *h, uint32_t keyslots, bool all);

/*
 * The volume key that belongs to @digest of @header; NULL: none, or a stop came before that was
 * known. Stays the holder's.
 */
const struct secret *held_keys_find(struct held_keys *h, const struct luks_header *header,
				    int digest);

/* One passphrase after the other, from the first; then every keyslot that is left is given up. */
struct luks_passphrases held_keys_passphrases(struct held_keys *h);
