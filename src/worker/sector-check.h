/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does what lies above an open volume bear larger encryption sectors? dm-crypt answers all I/O that
 * is not made of whole sectors with an error. A file system with smaller blocks breaks at once; a
 * partition table, whose numbers count sectors, when it is read the next time; a device above the
 * volume (LVM, md, another LUKS, a loop device) when something is mounted there the next time.
 */
#pragma once

#include <stdint.h>

#include "worker/volume.h"

/*
 * -EINVAL (logged): what is on the open volume does not bear @sector_size, or it cannot be told. On
 * success it is said which programs will fail.
 */
int sectors_check_above(const struct work_volume *v, uint32_t sector_size);

/*
 * The same of a closed volume, by what is decrypted with its volume key @key: what would break is
 * refused; what cannot be told is only said, as somebody has taken that on himself already.
 */
int sectors_check_closed(const struct work_volume *v, const struct secret *key,
			 uint32_t sector_size);
