/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A detached header for a device that has a header of its own. A re-encryption changes the data and
 * the detached header only: the device's own one would still open, to garbage. And where the own
 * one is the right one, as with a header backup, the data would be converted twice.
 */
#pragma once

#include "worker/volume.h"

/* Logs -EINVAL where there is one, unless the options ask for it. Reads only. */
int own_header_check(const struct work_volume *v);
