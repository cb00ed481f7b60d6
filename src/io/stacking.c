/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/stacking.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* More layers than anybody stacks; a loop in sysfs would end here. */
#define DEPTH_MAX 16

static bool read_device(const char *path, dev_t *ret)
{
	unsigned maj, min;
	FILE *f = fopen(path, "re");
	int n;

	if (!f)
		return false;
	n = fscanf(f, "%u:%u", &maj, &min);
	(void)fclose(f);
	if (n != 2)
		return false;
	*ret = makedev(maj, min);
	return true;
}

static bool lies_on(dev_t upper, dev_t lower, unsigned depth);

/* The devices that sysfs lists in @directory. */
static bool any_lies_on(const char *directory, dev_t lower, unsigned depth)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	bool found = false;

	if (!d)
		return false;
	while (!found && (entry = readdir(d))) {
		char path[512];
		dev_t below;
		const int n = snprintf(path, sizeof(path), "%s/%s/dev", directory, entry->d_name);

		if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof(path))
			continue;
		found = read_device(path, &below) && lies_on(below, lower, depth + 1);
	}
	(void)closedir(d);
	return found;
}

static bool lies_on(dev_t upper, dev_t lower, unsigned depth)
{
	char path[128];
	dev_t disk;

	if (upper == lower)
		return true;
	if (depth == DEPTH_MAX)
		return false;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(upper),
		       minor(upper));
	if (any_lies_on(path, lower, depth))
		return true;
	/* The directory of a partition lies in that of its disk. */
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(upper),
		       minor(upper));
	return read_device(path, &disk) && disk != upper && lies_on(disk, lower, depth + 1);
}

bool device_lies_on(dev_t upper, dev_t lower)
{
	return lies_on(upper, lower, 0);
}
