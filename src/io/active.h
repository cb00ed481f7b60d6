/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a LUKS2 volume open? Its UUID does not say: a disk and its copies have one. What counts is the
 * bytes that the mappings lie on.
 */
#pragma once

#include <sys/stat.h>

#include "dm/find.h"

struct active {
	/*
	 * Mappings with the UUID over these data, by whatever way (the device itself, a loop device
	 * over the file). Also those of which it cannot be told: data_device is 0.
	 */
	unsigned n_here;
	struct active_volume here[ACTIVE_VOLUMES_MAX];
	/* Mappings with the UUID over other data: copies of this volume, or it of them. */
	unsigned n_elsewhere;
	struct active_volume elsewhere[ACTIVE_VOLUMES_MAX];
};

/* @data is the device or file that has the data. No mapping at all is no error. */
int active_find(const char *uuid, const struct stat *data, struct active *ret);

/*
 * Of those here the one that @wanted names (name_match()); where it is NULL, one that is known to
 * lie here if there is any. NULL: none.
 */
const struct active_volume *active_pick(const struct active *a, const char *wanted);
