/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person is told, and asked, of the keyslots that a rotation would lose. */
#pragma once

#include <stdint.h>

#include "luks/bindings.h"

/*
 * Says of each of @lost (bit n: keyslot n) that it will be lost, and of one that a device opens
 * how to enrol that again. @device is what messages and commands call the volume.
 */
void lost_keyslots_tell(const char *device, const struct luks_bindings *b, uint32_t lost);

/*
 * Asks at the terminal whether the rotation may go on without them. -ECANCELED: no; -EINTR; or
 * nobody can be asked, where @agrees names the option that says yes. All of that is logged.
 */
int lost_keyslots_confirm(const char *device, uint32_t lost, const char *agrees);
