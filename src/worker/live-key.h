/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Has the open mapping the key that the header has? Its table cannot tell: it names a key of the
 * keyring by the header's UUID and a digest number, and an older key can have had the same name.
 * So the plaintext tells: a block of the data device, decrypted with the header's key, is the same
 * block of the mapping, or the mapping has another key.
 */
#pragma once

#include "dm/stack.h"
#include "engine/engine.h"
#include "worker/volume.h"

/*
 * Reads blocks that @view shows until one is what @side makes of the data device. Applications may
 * write meanwhile, so blocks that differ are read again, and at several places. An empty @view, or
 * one without a device, proves nothing and is no error.
 *
 * -ERROR_OTHER_KEY: no block is the same. Others are what reads fail with at all places.
 */
int live_key_prove(const struct work_volume *v, const struct engine_side *side,
		   const struct stack_view *view);
