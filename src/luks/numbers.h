/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyslots keep their numbers. The copies of keyslots that a new key gets need numbers of their own
 * as long as both keys are there; scripts, crypttab (key-slot=) and people go by the old ones. So a
 * token of type "recryptd-numbers" notes whose copy each of them is, and the commit that ends the
 * re-encryption, which removes the originals, gives the copies their numbers:
 *
 *     0: old key  1: old key  2: copy of 0  3: copy of 1   ->   0: new key  1: new key
 *
 * A number is only a name in the JSON: no area moves. Whoever else ends the re-encryption leaves
 * the numbers of the copies, and a note that means nothing to the next key.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "luks/fields.h"

/* original[n]: whose copy keyslot n is, or -1. */
struct luks_numbers {
	int original[LUKS_MAX_KEYSLOTS];
};
#define LUKS_NUMBERS_NONE                                                                          \
	{                                                                                          \
		.original = { [0 ... LUKS_MAX_KEYSLOTS - 1] = -1 }                                 \
	}

/*
 * Puts a token for @numbers into @json, the metadata of a re-encryption that begins, in the place
 * of an earlier one. @size: bytes of one header copy. -ENOSPC: there is no room, or no number for a
 * token; -ENOMEM. Then @json is as it was but for the earlier token. No copies: no token.
 */
int luks_numbers_note(json_object *json, uint64_t size, const struct luks_numbers *numbers);

/*
 * Gives the keyslots of @digest in @json the numbers that are noted for this digest and free, and
 * removes the note. -ENOMEM: @json is of no use any more.
 */
int luks_numbers_restore(json_object *json, unsigned digest);
