/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyslots that earlier versions left behind. Those versions added the keyslots of a new key one by
 * one, so a kill or a power cut could leave some, which open nothing and are in the way of the next
 * ones. A user's own unbound keyslot looks the same. So a token (type "recryptd-begin") remembers a
 * MAC of the new key; a keyslot that holds this very key is a leftover. Today nothing is left, and
 * no such token is made.
 */
#pragma once

#include <json-c/json.h>

#include "luks/begin-internal.h"

/*
 * Sets b->leftovers, and takes them out of b->keyslots, as if they were not there: only what the
 * passphrases and tokens at hand can open is found. Writes nothing.
 */
void luks_begin_find_leftovers(struct luks_begin *b);

/* Out of the draft. Logs failures. */
int luks_begin_remove_leftovers(struct luks_begin *b);

/* The mark of an earlier version, taken out of @json. */
void luks_begin_drop_mark(json_object *json);
