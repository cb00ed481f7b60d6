/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm/names.h"
#include "dm/stock-stack.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/io.h"

static int note_mapping(struct active_volumes *found, const char *name,
			const struct device_info *info)
{
	struct active_volume *v = &found->volume[found->n];

	if (found->n == ACTIVE_VOLUMES_MAX)
		return -E2BIG;
	*v = (struct active_volume){.device = info->device, .suspended = info->suspended};
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	found->n++;
	return 0;
}

struct mapping_search {
	const char *uuid;
	struct active_volumes *found;
};

static int note_if_volume(const char *name, dev_t device, void *arg)
{
	struct mapping_search *search = arg;
	struct device_info info;
	int r = task_info_of(device, &info);

	if (r < 0)
		return r == -ENXIO ? 0 : r; /* it has gone */
	if (!info.exists || !name_is_volume(info.uuid, search->uuid))
		return 0;
	return note_mapping(search->found, name, &info);
}

struct helper {
	const char *suffix;
	bool stock; /* of cryptsetup's own stack */
};

/* False where device-mapper has no room for the name, so that there is no such device. */
static bool helper_of(const struct active_volume *v, const struct helper *h, char *ret)
{
	if (h->stock)
		return name_stock_helper(v->name, h->suffix, ret) == 0;
	name_helper(v->name, h->suffix, ret);
	return true;
}

static int helper_uuid(const struct helper *h, const char *uuid, const char *name, char *ret)
{
	return h->stock ? name_stock_uuid(uuid, name, ret)
			: name_uuid(UUID_HELPER, uuid, name, ret);
}

static const struct helper all_helpers[] = {
	{SUFFIX_PIECES, false},       {SUFFIX_HOTZONE, false},      {SUFFIX_OLD, false},
	{SUFFIX_NEW, false},          {SUFFIX_STOCK_OVERLAY, true}, {SUFFIX_STOCK_FORWARD, true},
	{SUFFIX_STOCK_BACKWARD, true}};

bool find_is_helper_of(const struct active_volume *v, const char *uuid, const char *dm_uuid)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_helpers); i++) {
		char name[DM_NAME_MAX + 1], expected[DM_UUID_MAX + 1];

		if (helper_of(v, &all_helpers[i], name) &&
		    helper_uuid(&all_helpers[i], uuid, name, expected) == 0 &&
		    strcasecmp(dm_uuid, expected) == 0)
			return true;
	}
	return false;
}

static int look_for_helpers(const char *uuid, struct active_volume *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_helpers); i++) {
		char name[DM_NAME_MAX + 1], dm_uuid[DM_UUID_MAX + 1];
		struct device_info info;
		int r;

		if (!helper_of(v, &all_helpers[i], name))
			continue;
		r = helper_uuid(&all_helpers[i], uuid, name, dm_uuid);
		if (r < 0)
			return r;
		r = task_info(name, &info);
		if (r < 0)
			return r;
		if (!info.exists || strcasecmp(info.uuid, dm_uuid) != 0)
			continue;
		v->helpers = true;
		v->frozen = v->frozen || info.suspended;
	}
	return 0;
}

/* The device that a crypt target, or a linear one, of this table goes to; 0: there is none. */
static dev_t target_device(const struct table *t, enum target_type type)
{
	return t->count > 0 && t->targets[0].type == type ? t->targets[0].device : 0;
}

/* -ENODATA: there is no table, or it is none of ours or of cryptsetup's. */
static int read_table(dev_t device, struct table *ret)
{
	int r = task_table_of(device, ret);

	return r == -ENXIO || r == -EBADMSG || r == -EOPNOTSUPP || r == -E2BIG ? -ENODATA : r;
}

static int look_at_table(struct active_volume *v)
{
	_cleanup_table_ struct table t = {};
	int r = read_table(v->device, &t);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	v->size = table_size(&t) << SECTOR_SHIFT;
	v->data_device = target_device(&t, TARGET_CRYPT);
	return 0;
}

/* With a stack, the mapping itself is linear, and only the stack's devices lead to the data. */
static int look_below_stack(struct active_volume *v)
{
	static const struct {
		struct helper helper;
		enum target_type type;
	} helpers[] = {
		{{SUFFIX_OLD, false}, TARGET_CRYPT},
		{{SUFFIX_NEW, false}, TARGET_CRYPT},
		{{SUFFIX_STOCK_FORWARD, true}, TARGET_LINEAR},
		{{SUFFIX_STOCK_BACKWARD, true}, TARGET_LINEAR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(helpers) && v->data_device == 0; i++) {
		_cleanup_table_ struct table t = {};
		struct device_info info;
		char name[DM_NAME_MAX + 1];
		int r;

		if (!helper_of(v, &helpers[i].helper, name))
			continue;
		r = task_info(name, &info);
		if (r < 0)
			return r;
		if (!info.live_table)
			continue;
		r = read_table(info.device, &t);
		if (r == -ENODATA)
			continue;
		if (r < 0)
			return r;
		v->data_device = target_device(&t, helpers[i].type);
	}
	return 0;
}

static int describe_volume(const char *uuid, struct active_volume *v)
{
	int r = look_for_helpers(uuid, v);

	if (r < 0)
		return r;
	r = look_at_table(v);
	return r < 0 ? r : look_below_stack(v);
}

int find_active_volumes(const char *uuid, struct active_volumes *ret)
{
	struct mapping_search search = {.uuid = uuid, .found = ret};
	int r;

	ret->n = 0;
	r = task_list(note_if_volume, &search);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ret->n; i++) {
		r = describe_volume(uuid, &ret->volume[i]);
		if (r < 0)
			return r;
	}
	return 0;
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

/* The device that name_match() means. */
static int info_by_name(const char *name, struct device_info *ret)
{
	char escaped[DM_NAME_MAX + 1];
	int r = name_check(name);

	if (r < 0)
		return r;
	r = task_info(name, ret);
	if (r < 0 || ret->exists || name_escape(name, escaped) < 0)
		return r;
	return task_info(escaped, ret);
}

int find_volume_by_name(const char *name, struct active_volume *ret)
{
	struct active_volumes found;
	struct device_info info;
	char uuid[37];
	int r = info_by_name(name, &info);

	if (r < 0)
		return r;
	if (!info.exists)
		return -ENODEV;
	r = luks_uuid_of(info.uuid, uuid);
	if (r < 0)
		return r;
	r = find_active_volumes(uuid, &found);
	if (r < 0)
		return r;
	for (size_t i = 0; i < found.n; i++) {
		if (found.volume[i].device == info.device) {
			*ret = found.volume[i];
			return 0;
		}
	}
	return -ENODEV;
}

/* The kernel's own text, with a new line behind it. */
static int name_of_number(dev_t device, char *ret)
{
	char path[64], text[DM_NAME_MAX + 2];
	_cleanup_close_ int fd = -1;
	size_t length;
	int r;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/name", major(device),
		       minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENODEV;
	r = read_kernel_text(fd, text, sizeof(text));
	if (r < 0)
		return r;
	length = strlen(text);
	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length == 0 || length > DM_NAME_MAX)
		return -ENODEV;
	memcpy(ret, text, length);
	ret[length] = '\0';
	return 0;
}

int find_mapping_name(const char *given, char *ret)
{
	static const char directory[] = "/dev/mapper/";
	const char *name = given;
	struct stat st;

	if (strchr(given, '/') && stat(given, &st) == 0)
		return S_ISBLK(st.st_mode) ? name_of_number(st.st_rdev, ret) : -ENODEV;
	/* The node, or the link, of an open mapping may be gone. */
	if (strncmp(given, directory, strlen(directory)) == 0)
		name = given + strlen(directory);
	if (strchr(name, '/'))
		return -ENODEV;
	return snprintf(ret, DM_NAME_MAX + 1, "%s", name) > DM_NAME_MAX ? -ENAMETOOLONG : 0;
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

int open_device_node(dev_t device, int flags)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r = find_device_node(device, path, sizeof(path));

	if (r < 0)
		return r;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISBLK(st.st_mode) && st.st_rdev == device ? file_open(fd, flags) : -ENODEV;
}
