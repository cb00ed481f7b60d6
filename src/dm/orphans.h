/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Helper devices of a volume that is closed. `cryptsetup close` takes those along that it finds
 * below the volume; a worker that was killed while it set them up had not put them there yet.
 */
#pragma once

/*
 * Removes them; the caller holds the re-encryption lock of the volume, which is not active. Returns
 * how many there were. -EBUSY: one of them is in use.
 */
int orphans_remove(const char *uuid);
