/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which volume a job is for. By now another disk may lie at the path, or a link may have moved to a
 * clone with the same UUID. So each opening compares what was opened with what the job names, and
 * refuses everything else before anything is written.
 */
#pragma once

#include "luks/place.h"
#include "util/node.h"
#include "worker/options.h"

struct identity {
	char uuid[37];            /* of the LUKS header; "": any */
	struct node data, header; /* not known: any */
};

/* What identity_check_...() return for another volume than was meant; logged with both. */
#define EOTHERVOLUME EREMCHG

/* Are the files that were found those that are meant? */
int identity_check_place(const struct options *o, const struct luks_place *p);

/* Has the header that was read at @path the UUID that is meant? */
int identity_check_uuid(const struct options *o, const char *found, const char *path);
