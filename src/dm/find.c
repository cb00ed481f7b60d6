/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm/names.h"
#include "dm/stock-stack.h"
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
	static const char *const suffixes[] = {
		SUFFIX_PIECES,        SUFFIX_HOTZONE,       SUFFIX_OLD,           SUFFIX_NEW,
		SUFFIX_STOCK_OVERLAY, SUFFIX_STOCK_FORWARD, SUFFIX_STOCK_BACKWARD};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char name[DM_NAME_MAX + 1], dm_uuid[DM_UUID_MAX + 1];
		struct device_info info;
		int r;

		name_helper(v->name, suffixes[i], name);
		r = name_uuid(UUID_HELPER, uuid, name, dm_uuid);
		if (r == -ENAMETOOLONG)
			continue; /* one of cryptsetup's, which could not make it either */
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

/* The data device of a crypt target, or of the helper (or cryptsetup's) that a linear one goes to.
 */
static int look_for_data(struct active_volume *v)
{
	static const struct {
		const char *suffix;
		enum target_type type;
	} helpers[] = {
		{"", TARGET_CRYPT},
		{SUFFIX_OLD, TARGET_CRYPT},
		{SUFFIX_NEW, TARGET_CRYPT},
		{SUFFIX_STOCK_FORWARD, TARGET_LINEAR},
		{SUFFIX_STOCK_BACKWARD, TARGET_LINEAR},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(helpers) && v->data_device == 0; i++) {
		_cleanup_table_ struct table t = {};
		struct device_info info;
		char name[DM_NAME_MAX + 1];

		name_helper(v->name, helpers[i].suffix, name);
		r = task_info(name, &info);
		if (r == 0 && !info.live_table)
			continue;
		if (r == 0)
			r = task_table(name, &t);
		if (r == -ENXIO || r == -EBADMSG || r == -EOPNOTSUPP || r == -E2BIG) {
			r = 0; /* no such helper, or none of ours: whoever needs it finds 0 */
			continue;
		}
		if (r < 0)
			return r;
		if (i == 0)
			v->size = table_size(&t) << SECTOR_SHIFT;
		if (t.count > 0 && t.targets[0].type == helpers[i].type)
			v->data_device = t.targets[0].device;
	}
	return r;
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
		r = look_for_data(&search.found);
	if (r == 0)
		*ret = search.found;
	return r;
}

/* Puts the dashes back into the UUID of "CRYPT-LUKS2-<32 digits>-<name>". */
static int luks_uuid_of(const char *dm_uuid, char ret[37])
{
	static const unsigned groups[] = {8, 4, 4, 4, 12};
	const char *digits = dm_uuid + strlen(UUID_VOLUME);
	char *out = ret;

	if (strncmp(dm_uuid, UUID_VOLUME, strlen(UUID_VOLUME)) != 0 ||
	    strspn(digits, "0123456789abcdefABCDEF") != 32 || digits[32] != '-')
		return -ENODEV;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		memcpy(out, digits, groups[i]);
		digits += groups[i];
		out += groups[i];
		*out++ = '-';
	}
	out[-1] = '\0';
	return 0;
}

int find_volume_by_name(const char *name, struct active_volume *ret)
{
	struct device_info info;
	char uuid[37];
	int r = name_check(name);

	if (r < 0)
		return r;
	r = task_info(name, &info);
	if (r < 0)
		return r;
	if (!info.exists)
		return -ENODEV;
	r = luks_uuid_of(info.uuid, uuid);
	return r < 0 ? r : find_active_volume(uuid, ret);
}

int find_device_node(dev_t device, char *path, size_t size)
{
	char uevent[64], line[256];
	int r = -ENODEV;
	FILE *f;

	(void)snprintf(uevent, sizeof(uevent), "/sys/dev/block/%u:%u/uevent", major(device),
		       minor(device));
	f = fopen(uevent, "re");
	if (!f)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "DEVNAME=", 8) == 0)
			r = (size_t)snprintf(path, size, "/dev/%s", line + 8) < size
				    ? 0
				    : -ENAMETOOLONG;
	}
	(void)fclose(f);
	return r;
}
