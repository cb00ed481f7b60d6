/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starting a re-encryption in the header through libcryptsetup, as `cryptsetup reencrypt
 * --init-only` does. libcryptsetup works on a copy of the header in memory (draft.h). In three
 * steps, so that the caller can ask, and try out what comes next, in between:
 *
 *   luks_begin_plan()    copies the header, opens keyslots, checks everything
 *   luks_begin_make()    in the copy: adds keyslots for the new key, copies priorities and tokens,
 *                        and starts the re-encryption
 *   luks_begin_commit()  puts the copy on the disk, with one commit
 *
 * Nothing is written before the last step, and that one is done or not. Afterwards the header is
 * re-read by the caller who converts; libcryptsetup's context is gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/header.h"
#include "luks/place.h"
#include "luks/token-choice.h"
#include "luks/unlock.h"
#include "util/secret.h"

/*
 * Costs of the new keyslots; what is NULL or 0 is taken from the old keyslot, or with another type
 * from the library.
 */
struct luks_pbkdf {
	const char *type; /* "pbkdf2", "argon2i", "argon2id" */
	const char *hash; /* of pbkdf2 */
	uint32_t time_ms;
	uint32_t iterations; /* forced, without a benchmark */
	uint32_t memory_kib;
	uint32_t parallel;
};

/* Volume keys that do not come out of a keyslot. */
struct luks_given_keys {
	const struct secret *old_key; /* verified, instead of passphrases for it; or NULL */
	const struct secret *new_key; /* NULL: random */
	bool no_keyslots; /* for the new key: both are given, and the caller has been told */
};

struct luks_begin_params {
	const char *device; /* what messages call it */
	const struct luks_place *place;
	const char *active_name; /* dm name of the open volume, NULL: offline */
	const char *cipher;      /* "aes-xts-plain64"; NULL: as before */
	uint32_t key_size;       /* bytes of the new key; 0: as before */
	uint32_t old_key_size;   /* bytes that the current key must have; 0: any */
	uint32_t sector_size;    /* bytes; 0: as before */
	bool keep_key;           /* change only cipher or sector size */
	bool force_offline;      /* the user says that no file system depends on the sector size */
	int keyslot;             /* carry only this one over, or LUKS_ANY_KEYSLOT */
	const char *resilience;  /* "checksum" or "journal" */
	const char *resilience_hash; /* of "checksum", LUKS2 name */
	uint64_t device_size;        /* bytes to re-encrypt; 0: all */
	struct luks_given_keys given;
	/* Where tokens are chosen, only their keyslots are carried over, and nobody is asked. */
	const struct luks_token_choice *token_choice; /* NULL: none was made */
	struct luks_pbkdf pbkdf;
	bool may_weaken;  /* a person chose the cipher and costs above, weaker than now or not */
	bool skip_tokens; /* none is asked for a passphrase or key */
	struct luks_passphrases passphrases;
};

struct luks_begin_slot {
	int keyslot;     /* number in the old header */
	uint32_t tokens; /* bit n: token n is assigned to it */
	bool kept;
	bool by_device; /* no person knows its passphrase (bindings.h) */
};

struct luks_begin_plan {
	char old_cipher[128], new_cipher[128];
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint32_t old_key_size, new_key_size;       /* bytes */
	bool keeps_key;
	size_t n_slots, n_lost;
	struct luks_begin_slot slots[32]; /* those of the old key, n_slots of them */
};

struct luks_begin;

/*
 * Asks for passphrases, one a keyslot. Every refusal is logged here with what to do; nothing on
 * disk has changed then. -ERROR_KEY_REJECTED: no keyslot could be opened. -EBUSY: a re-encryption
 * is already there.
 */
int luks_begin_plan(const struct luks_begin_params *params, struct luks_begin **ret);

/* Also forgets the keys and passphrases. */
struct luks_begin *luks_begin_free(struct luks_begin *b);
DEFINE_CLEANUP(struct luks_begin, luks_begin_free)

/* What commit would do; belongs to @b. The caller tells the user which keyslots would be lost. */
const struct luks_begin_plan *luks_begin_get_plan(const struct luks_begin *b);

/* The volume key that the volume has now; belongs to @b. */
const struct secret *luks_begin_get_old_key(const struct luks_begin *b);

/* The volume key that it will have. */
const struct secret *luks_begin_get_new_key(const struct luks_begin *b);

/*
 * Makes the header that begins the re-encryption, clean, in memory; once. Both results belong to
 * @b; what the caller changes in the header's JSON is committed as well. Failures are logged.
 */
int luks_begin_make(struct luks_begin *b, struct luks_header **ret, struct meta_io **ret_io);

/*
 * Puts what was made on the disk (and makes it before, unless luks_begin_make() did). On failure
 * (logged) the header is as it was, unless the message says otherwise; -ERROR_HEADER_CHANGED:
 * another program has changed it since the plan. On success the results hold both volume keys, the
 * same one twice if it is kept; then nothing more can be done with @b.
 */
int luks_begin_commit(struct luks_begin *b, struct secret **ret_old_key,
		      struct secret **ret_new_key);
