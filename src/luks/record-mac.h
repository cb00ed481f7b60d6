/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whoever can write to the disk can write a state token. A MAC says that its author had a volume
 * key of the volume:
 *
 *   "mac": {"<fingerprint of a digest>": "<HMAC-SHA256 in hexadecimal>", ...}
 *
 *   key    HMAC-SHA256(volume key, label NUL UUID)
 *   text   fingerprint NUL UUID NUL token without "mac", as compact JSON
 *
 * There is one MAC for each volume key that the header has, so both during a re-encryption, and
 * the one of the key that stays still holds after the end. The text names the key, so that no
 * MAC counts for another one.
 */
#pragma once

#include <stddef.h>

#include "luks/header.h"
#include "util/secret.h"

/* Characters of a fingerprint, with the NUL. */
#define LUKS_FINGERPRINT_SIZE 33

enum record_trust {
	RECORD_NONE,       /* no token */
	RECORD_UNVERIFIED, /* no key of the volume is known yet */
	RECORD_VERIFIED,
	RECORD_UNTRUSTED, /* no MAC, or a wrong one, under a key that is known */
};

/* A key that MACs are made with, for one digest of the header. */
struct record_key {
	char fingerprint[LUKS_FINGERPRINT_SIZE];
	struct secret *key;
};

struct record_keys {
	size_t n;
	struct record_key key[2]; /* a re-encryption has two */
};

void record_keys_forget(struct record_keys *keys);

/* The key of @digest, made from its verified volume key. -EINVAL: no such digest; -ENOMEM. */
int record_key_make(const struct luks_header *h, int digest, const struct secret *volume_key,
		    struct record_key *ret);

/* Names a digest by its salt and value, which nobody chooses for a key that he does not have. */
int luks_digest_fingerprint(const struct luks_header *h, int digest,
			    char ret[static LUKS_FINGERPRINT_SIZE]);

/*
 * Names one side of a re-encryption, or the volume as it is: its digest, cipher and sector size.
 * "" where there is no such digest.
 */
void luks_side_fingerprint(const struct luks_header *h, int digest, const char *cipher,
			   unsigned sector_size, char ret[static LUKS_FINGERPRINT_SIZE]);

/* Replaces the MACs of the token @record of @h: one for each of @keys, none is no error. */
int record_mac_put(const struct luks_header *h, json_object *record,
		   const struct record_keys *keys);

/* @keys: those of the header's present digests. */
enum record_trust record_mac_check(const struct luks_header *h, json_object *record,
				   const struct record_keys *keys);
