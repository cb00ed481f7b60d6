/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules for the values of a rotation, whoever gives them. Messages name the options of recryptctl.
 */
#pragma once

#include "model/rotation.h"

/* Why data is not shifted. */
#define NO_SHIFT "it moves the data, which only encryption and decryption in place need"

/* Is @value "checksum" or "journal"? What it is not is logged: -EINVAL, -ENOTSUP. */
int rotation_check_resilience(const char *value);

/* Do the values go together? Logs -EINVAL. */
int rotation_check(const struct rotate_options *z);
