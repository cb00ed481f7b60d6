/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libcryptsetup contexts for what is left to it: starting a re-encryption and opening keyslots. Its
 * messages go to our debug log; the last error is kept, for the caller to say it with what to do.
 */
#pragma once

#include <libcryptsetup.h>

#include "luks/place.h"
#include "util/secret.h"

/*
 * Settles the header (luks/settle.h), then makes a context with the LUKS2 header loaded.
 * libcryptsetup opens what was found through its descriptors, which must stay open as long as the
 * context. Logs its own failures: -ENOTSUP LUKS1, -EINVAL not LUKS or no usable header copy,
 * -ERROR_HEADER_CHANGED another disk is there now, else why the device cannot be opened or flushed.
 */
int luks_context_open(const struct luks_place *place, struct crypt_device **ret);

/* Where the volume of a context of luks_context_open() is. */
int luks_context_place(struct crypt_device *cd, struct luks_place *ret);

struct crypt_device *luks_context_close(struct crypt_device *cd);
DEFINE_CLEANUP(struct crypt_device, luks_context_close)

static inline void crypt_keyslot_context_freep(struct crypt_keyslot_context **kc)
{
	crypt_keyslot_context_free(*kc);
}

/* Takes over what libcryptsetup says, and forgets its last error. */
void luks_context_capture_log(void);
/* What it complained about since then, or "" if it did not. */
const char *luks_context_error(void);

/*
 * The volume key in @keyslot, opened by a passphrase, or by what @token brings, as the policy of
 * luks/derive.h says. -ERROR_KEY_REJECTED: it does not open this keyslot. It may give up, see
 * luks_derive_gave_up(). A token of a plugin opens the first of its keyslots only, one of each key
 * in the middle of a re-encryption (libcryptsetup before 2.8).
 */
int luks_keyslot_open(struct crypt_device *cd, int keyslot, const struct secret *passphrase,
		      struct secret **ret);
int luks_keyslot_open_by_token(struct crypt_device *cd, int keyslot, int token,
			       struct secret **ret);

/*
 * The passphrase that a token of type "luks2-keyring" names, from the kernel keyrings of this
 * process. -ENOKEY: not there; -EINVAL: @token is no such token.
 */
int luks_token_passphrase(struct crypt_device *cd, int token, struct secret **ret);
