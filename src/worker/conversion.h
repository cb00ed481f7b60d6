/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume on which the engine is at work: ciphers, disk, header store and (online) the device
 * stack, put together, and taken apart in the one order that is safe.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "util/secret.h"
#include "worker/progress.h"
#include "worker/volume.h"

#define HOTZONE_DEFAULT (UINT64_C(16) << 20) /* bytes */

struct conversion_keys {
	struct secret *old_key, *new_key; /* of v->reenc's sides */
};

/*
 * Makes the one commit that is left when all is converted (LUKS_REENC_FINISH), and wipes what it
 * frees. No data is touched.
 */
int conversion_finish(struct volume *v);

/*
 * Recovers a hot header, and converts to the end unless @recover_only, or until @stop. Afterwards
 * the live table is what `cryptsetup open` would make. @v is locked; its header and
 * v->reenc are current on return. Logs failures with what to do.
 */
int conversion_run(struct volume *v, const struct conversion_keys *keys, bool recover_only,
		   const volatile sig_atomic_t *stop, struct progress *progress,
		   enum engine_outcome *ret);
