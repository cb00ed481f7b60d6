/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dm/names.h"
#include "util/checked.h"

struct search {
	const char *uuid;
	struct active_volume found;
	unsigned count;
};

static int look_at(const char *name, void *arg)
{
	struct search *search = arg;
	struct device_info info;
	int r;

	if (name_check(name) < 0)
		return 0;
	r = task_info(name, &info);
	if (r < 0)
		return r;
	if (!info.exists || !name_is_volume(info.uuid, search->uuid))
		return 0;
	search->found = (struct active_volume){
		.device = info.device,
		.suspended = info.suspended,
	};
	(void)snprintf(search->found.name, sizeof(search->found.name), "%s", name);
	search->count++;
	return 0;
}

static int look_for_helpers(const char *uuid, struct active_volume *v)
{
	static const char *const suffixes[] = {SUFFIX_PIECES, SUFFIX_HOTZONE, SUFFIX_OLD,
					       SUFFIX_NEW};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char name[DM_NAME_MAX + 1], dm_uuid[DM_UUID_MAX + 1];
		struct device_info info;
		int r;

		name_helper(v->name, suffixes[i], name);
		r = name_uuid(UUID_HELPER, uuid, name, dm_uuid);
		if (r == 0)
			r = task_info(name, &info);
		if (r < 0)
			return r;
		if (!info.exists || strcmp(info.uuid, dm_uuid) != 0)
			continue;
		v->helpers = true;
		v->frozen = v->frozen || info.suspended;
	}
	return 0;
}

int find_active_volume(const char *uuid, struct active_volume *ret)
{
	struct search search = {.uuid = uuid};
	int r = task_list(look_at, &search);

	if (r < 0)
		return r;
	if (search.count != 1)
		return search.count == 0 ? -ENODEV : -ENOTUNIQ;
	r = look_for_helpers(uuid, &search.found);
	if (r == 0)
		*ret = search.found;
	return r;
}
