/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volume keys out of keyslots and tokens, through libcryptsetup. It takes the same locks as we do
 * (metadata, re-encryption), so this comes before the worker takes its own.
 */
#pragma once

#include <stdbool.h>

#include "util/secret.h"

struct crypt_device;

/* Who is asked for passphrases. */
struct luks_passphrases {
	/*
	 * One passphrase, for @keyslot or (-1) for any. -ENOKEY: there are no more, or the user
	 * gives this keyslot up; any other error ends the attempt.
	 */
	int (*ask)(void *arg, int keyslot, struct secret **ret);
	void *arg;
	unsigned tries; /* wrong passphrases in a row before we give up; at least 1 */
};

#define LUKS_DIGEST_NONE (-1)
#define LUKS_ANY_KEYSLOT (-1)

struct luks_unlock_params {
	const char *device; /* path of the data device or image */
	const char *header; /* path of a detached header, or NULL */
	/*
	 * Digest ids of the keys that are wanted; LUKS_DIGEST_NONE where a side has none. The same
	 * id twice (the key is kept): both results hold the same key.
	 */
	int old_digest, new_digest;
	int keyslot; /* only this one for the old key, or LUKS_ANY_KEYSLOT */
	/* Instead of a passphrase, NULL otherwise; verified against the digest. */
	const struct secret *old_key, *new_key;
	struct luks_passphrases passphrases;
};

/*
 * Both volume keys of a volume in re-encryption (@ret_old, @ret_new: NULL for a side that has no
 * digest). First the volume keys given, then what tokens open by themselves, then passphrases, each
 * tried on every key that is still wanted. Whatever fails is logged here, with what to do.
 * -EPERM: wrong passphrase or volume key; -ENOENT: a key is wanted that no keyslot holds.
 */
int luks_unlock(const struct luks_unlock_params *params, struct secret **ret_old,
		struct secret **ret_new);

/*
 * For begin.c. A libcryptsetup context with the LUKS2 header loaded; its messages go to our debug
 * log, except the last error, which luks_cryptsetup_error() gives. Logs its own failures:
 * -ENOTSUP LUKS1, -EINVAL not LUKS or no usable header copy, -ETXTBSY unknown requirements, or the
 * errno of opening the device.
 */
int luks_open_context(const char *device, const char *header, struct crypt_device **ret);
struct crypt_device *luks_close_context(struct crypt_device *cd);
DEFINE_CLEANUP(struct crypt_device, luks_close_context)
const char *luks_cryptsetup_error(void);

/*
 * The passphrase that a token of type "luks2-keyring" names, from the kernel keyrings of this
 * process. -ENOKEY: not there; -ENOENT: @token is no such token.
 */
int luks_token_passphrase(struct crypt_device *cd, int token, struct secret **ret);
