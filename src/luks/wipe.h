/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overwriting of metadata areas that held keys. */
#pragma once

#include <stdint.h>

#include "luks/meta-io.h"

/* Overwrites @size bytes at byte @offset once with random data, and flushes. Allocates 1 MiB. */
int luks_wipe_area(struct meta_io *io, uint64_t offset, uint64_t size);
