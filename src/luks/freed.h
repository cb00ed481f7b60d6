/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Areas of the header that a commit freed and that still hold what they held: keys of keyslots that
 * are gone, or old data of a journal. They can only be wiped after that commit is durable, and a
 * crash may come in between. So the commit itself notes them in a token of type "recryptd-wipe",
 * which the commit after the wipe removes:
 *
 *     commit (areas free, token) -> flush -> wipe -> flush -> commit (no token)
 *
 * What a free area holds tells nothing: both a keyslot and a wiped area look random.
 */
#pragma once

#include "luks/header.h"
#include "luks/reencrypt.h"

/*
 * Notes @areas in @json, the header's metadata before a commit, besides those that are noted there
 * already. @size: bytes of one header copy. Where there is no token number or no room, they are
 * left out, since the commit matters more.
 */
void luks_freed_note(json_object *json, uint64_t size, const struct luks_areas *areas);

/* Is anything to be wiped that no re-encryption stands in the way of? */
bool luks_freed_is_due(const struct luks_header *h);

/*
 * Wipes @also and what is noted, but for parts that a keyslot uses now, and commits the header
 * without the note. @h has two good copies, was read under the exclusive metadata lock that is
 * still held, and is not in re-encryption.
 */
int luks_freed_wipe(struct luks_header *h, struct meta_io *io, const struct luks_areas *also);
