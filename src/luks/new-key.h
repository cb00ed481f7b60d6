/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the keyslots of a re-encryption's new volume key tell of it, without opening one. */
#pragma once

#include <stdint.h>

#include "luks/header.h"
#include "luks/reencrypt.h"

struct luks_new_key {
	uint32_t size; /* bytes; 0: no keyslot tells */
	/*
	 * Of the PBKDF of all its keyslots, valid text; "": they differ, there are none, or they
	 * are those of before, since the volume key stays. Only pbkdf2 has a hash.
	 */
	char pbkdf[16], pbkdf_hash[33];
};

/* @r: of @h. Nothing is known of a volume that is in no re-encryption. */
void luks_new_key_get(const struct luks_header *h, const struct luks_reenc *r,
		      struct luks_new_key *ret);
