/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keyslot of type "reencrypt": no key, but how the re-encryption is done, and its area. */
#pragma once

#include <json-c/json.h>

#include "luks/reason.h"
#include "luks/reencrypt.h"

/*
 * Reads mode, direction, resilience, hash, area and shift size of @keyslot into @ret, and for the
 * types with checksums their block size (otherwise 0). -EINVAL: not what the format allows.
 */
int reencrypt_keyslot_parse(json_object *keyslot, struct luks_reenc *ret, struct luks_reason *why);
