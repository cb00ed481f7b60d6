/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks a person whether keyslots may be lost. */
#pragma once

#include <stdint.h>

/*
 * Asks at the terminal whether the rotation may go on without them. -ECANCELED: no; -EINTR; or
 * nobody can be asked, where @agrees names the option that says yes. All of that is logged.
 */
int lost_keyslots_confirm(const char *device, uint32_t lost, const char *agrees);
