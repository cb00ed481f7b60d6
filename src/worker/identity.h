/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each opening of a volume compares what was opened with the identity that the job names, and
 * refuses everything else before anything is written: -ERROR_OTHER_VOLUME, logged with both.
 */
#pragma once

#include "luks/place.h"
#include "proto/messages.h"
#include "worker/work-options.h"

/* Are the files that were found those that are meant? */
int identity_check_place(const struct work_options *o, const struct luks_place *p);

/* Has the header that was read at @path the UUID that is meant? */
int identity_check_uuid(const struct work_options *o, const char *found, const char *path);
