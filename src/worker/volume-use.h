/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a volume in use, and by what? A mistake here destroys data: an open volume that is converted
 * as a closed one keeps its old key in the kernel, whatever is written below it. So all that could
 * be a user of the data counts, by the bytes that it lies on and not by its name, and what cannot
 * be told is no "closed".
 */
#pragma once

#include "worker/volume.h"

/*
 * Sets v->name, v->active_size and v->stacked where the volume is open on v->data. Logs why it
 * cannot be worked on as it is open: -EBUSY, -ENOTUNIQ, -ENODEV.
 */
int volume_find_active(struct work_volume *v);

/* Keeps others from using the data, and the file of a detached header, until volume_unclaim(). */
int volume_claim(struct work_volume *v);
void volume_unclaim(struct work_volume *v);

/*
 * Of these only the claim of a block device, where there is none. A private mapping takes the claim
 * over, and lets the device go at its end: no commit before it is claimed again.
 */
int volume_claim_device(struct work_volume *v);

/*
 * Has somebody begun to use a closed volume since it was claimed? Nothing keeps others from
 * attaching one more loop device to a file. Logs -EBUSY. Opens files, so nothing may be frozen.
 */
int volume_check_claim(struct work_volume *v);
