/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of the state token's MACs, from the volume keys that the service holds. */
#pragma once

#include "luks/record-mac.h"
#include "luks/reencrypt.h"
#include "worker/held-keys.h"

/*
 * Makes @keys those of the digests that @h uses now, as far as @held has their volume keys. Costs a
 * key derivation for a digest that @keys does not have yet, and none otherwise.
 */
void record_keys_refresh(struct record_keys *keys, struct held_keys *held,
			 const struct luks_header *h, const struct luks_reenc *reenc);
