/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a LUKS2 header's JSON must satisfy before we believe it or write it: the checks that
 * cryptsetup makes on every load and store, so that no commit of ours is refused by it.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "luks/reason.h"

/*
 * @header_size: bytes of one header copy. -EINVAL with @why (may be NULL). Unknown requirements are
 * no error here.
 */
int luks_validate(json_object *json, uint64_t header_size, struct luks_reason *why);

/*
 * The first mandatory requirement that this version does not know, or NULL. A volume that has one
 * must not be touched. Lives as long as @json; text from the disk: print it with care.
 */
const char *luks_unknown_requirement(json_object *json);

/* Removes from a keyslot what early versions of cryptsetup left there, and luks_validate() takes.
 */
void luks_keyslot_drop_leftovers(json_object *keyslot);
