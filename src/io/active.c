/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/active.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "dm/names.h"
#include "io/extent.h"
#include "io/stacking.h"

static bool lies_here(const struct active_volume *v, const struct stat *data)
{
	struct extent own, of_mapping;

	if (v->data_device == 0)
		return true;
	/* Also by way of a device of the device-mapper: a path of multipath, a linear one. */
	if (S_ISBLK(data->st_mode) && (device_lies_on(data->st_rdev, v->data_device) ||
				       device_lies_on(v->data_device, data->st_rdev)))
		return true;
	/* What cannot be told is no other disk. */
	return extent_of_stat(data, &own) < 0 ||
	       extent_of_device(v->data_device, &of_mapping) < 0 ||
	       extent_overlaps(&own, &of_mapping);
}

int active_find(const char *uuid, const struct stat *data, struct active *ret)
{
	struct active_volumes all;
	int r = find_active_volumes(uuid, &all);

	*ret = (struct active){0};
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r; /* without device-mapper nothing is mapped */
	assert(all.n <= ACTIVE_VOLUMES_MAX);
	for (size_t i = 0; i < all.n; i++) {
		const struct active_volume *v = &all.volume[i];

		if (lies_here(v, data)) {
			ret->here[ret->n_here++] = *v;
		} else {
			ret->elsewhere[ret->n_elsewhere++] = *v;
		}
	}
	return 0;
}

const struct active_volume *active_pick(const struct active *a, const char *wanted)
{
	const struct active_volume *best = NULL;
	enum name_match best_match = NAME_OTHER;

	for (unsigned i = 0; i < a->n_here && !wanted; i++)
		if (a->here[i].data_device != 0)
			return &a->here[i];
	if (!wanted)
		return a->n_here == 0 ? NULL : &a->here[0];
	for (unsigned i = 0; i < a->n_here; i++) {
		const enum name_match match = name_match(wanted, a->here[i].name);

		if (match > best_match) {
			best_match = match;
			best = &a->here[i];
		}
	}
	return best;
}
