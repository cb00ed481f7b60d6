/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes of the resilience "ahead": checksums that fill whole 4096-byte blocks of the area
 * although hotzones are short, so that those of the next hotzone are written before the flush of
 * this one's data (src/engine/ahead.c).
 */
#pragma once

#include "volume.h"

#define AHEAD_HOTZONE   UINT64_C(32768)
#define AHEAD_DATA_SIZE (6 * AHEAD_HOTZONE)

/* Changes the resilience of @v, which was begun with a journal: that leaves the choice of blocks.
 */
void ahead_make(struct volume *v);
