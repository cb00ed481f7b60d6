/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/orphans.h"

#include <stdio.h>
#include <string.h>

#include "dm/names.h"
#include "dm/task.h"
#include "util/checked.h"

struct orphan_search {
	char uuid[DM_UUID_MAX + 1]; /* how it begins */
	const char *suffix;
	int removed;
};

static int remove_helper(const char *name, dev_t device, void *arg)
{
	struct orphan_search *s = arg;
	const size_t length = strlen(name), end = strlen(s->suffix);
	struct device_info info;
	int r;

	if (length <= end || strcmp(name + length - end, s->suffix) != 0)
		return 0;
	r = task_info_of(device, &info);
	if (r < 0)
		return r;
	if (!info.exists || !name_has_prefix(info.uuid, s->uuid))
		return 0;
	r = task_remove(name);
	s->removed += r == 0;
	return r;
}

int orphans_remove(const char *uuid)
{
	/* From the top down. */
	static const char *const suffixes[] = {SUFFIX_PIECES, SUFFIX_HOTZONE, SUFFIX_OLD,
					       SUFFIX_NEW};
	struct orphan_search s = {0};
	int r = name_uuid(UUID_HELPER, uuid, "", s.uuid);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		s.suffix = suffixes[i];
		r = task_list(remove_helper, &s);
		if (r < 0)
			return r;
	}
	return s.removed;
}
