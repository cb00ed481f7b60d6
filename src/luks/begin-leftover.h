/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is killed while the keyslots of a new key are added leaves them behind: they open nothing,
 * and are in the way of the next ones. A user's own unbound keyslot looks the same. So before the
 * first one is added, a token remembers a MAC of the new key; a keyslot that holds this very key is
 * ours.
 */
#pragma once

#include <json-c/json.h>

#include "luks/begin-internal.h"

/*
 * Sets b->leftovers, and takes them out of b->keyslots, as if they were not there: only what the
 * passphrases and tokens at hand can open is found. Writes nothing.
 */
void luks_begin_find_leftovers(struct luks_begin *b);

/* Wipes them. Logs failures. */
int luks_begin_remove_leftovers(struct luks_begin *b);

/* One commit, in place of an earlier mark. */
int luks_begin_mark(struct luks_begin *b);
void luks_begin_unmark(struct crypt_device *cd);

/* The mark that a re-encryption began with, taken out of @json. */
void luks_begin_drop_mark(json_object *json);
