/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of the resilience area that a re-encryption uses. */
#pragma once

#include <json-c/json.h>

#include "luks/reencrypt.h"

/*
 * Cuts the area of @r to a capacity of about @hotzone_size bytes, and not more than what is left to
 * convert as far as whole sectors of the area allow: the last hotzone can then be as long as
 * cryptsetup makes it, see luks_reenc_stock_safe(). 0 leaves it as it is.
 */
void reenc_cut_area(struct luks_reenc *r, uint64_t hotzone_size);

/*
 * What was cut off the area of @before holds checksums, or with a journal old data: noted in @json
 * to be wiped. @header_size: bytes of one header copy.
 */
void reenc_note_cut(json_object *json, uint64_t header_size, const struct luks_reenc *before,
		    const struct luks_reenc *r);
