/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must hold before a re-encryption may begin. Every refusal is logged here, with what to do.
 */
#pragma once

#include <libcryptsetup.h>

#include "luks/begin.h"
#include "luks/keyslots.h"

/*
 * No re-encryption in the header (-EBUSY), no requirement that we do not know (-ERROR_REQUIREMENT),
 * no integrity (-ENOTSUP), device and header writable.
 */
int luks_begin_check_volume(struct crypt_device *cd, const struct luks_begin_params *params);

/* Sector sizes, data size and device_size fit each other, and the file system can take them. */
int luks_begin_check_sizes(struct crypt_device *cd, const struct luks_begin_params *params,
			   const struct luks_keyslots *keyslots,
			   const struct luks_begin_plan *plan);

/* -ENOTSUP: a token holds something that only the key or cipher which would go can decrypt. */
int luks_begin_check_tokens(struct crypt_device *cd, const char *device,
			    const struct luks_begin_plan *plan);

/*
 * Is there room for @new_slots keyslots of the new key, @old_slots more of the old one, and after
 * that for resilience data of any hotzone? -ENOSPC.
 */
int luks_begin_check_room(const struct luks_begin_params *params,
			  const struct luks_keyslots *keyslots, const struct luks_begin_plan *plan,
			  size_t new_slots, size_t old_slots);
