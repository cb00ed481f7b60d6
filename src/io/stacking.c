/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/stacking.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool device_read_number(const char *path, dev_t *ret)
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

bool device_is_partition(dev_t device, dev_t *ret_disk)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(device),
		       minor(device));
	if (access(path, F_OK) < 0)
		return false;
	/* The directory of a partition lies in that of its disk. */
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(device),
		       minor(device));
	return device_read_number(path, ret_disk);
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
		found = device_read_number(path, &below) && lies_on(below, lower, depth + 1);
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
	if (depth == STACKING_DEPTH_MAX)
		return false;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(upper),
		       minor(upper));
	if (any_lies_on(path, lower, depth))
		return true;
	return device_is_partition(upper, &disk) && lies_on(disk, lower, depth + 1);
}

bool device_lies_on(dev_t upper, dev_t lower)
{
	return lies_on(upper, lower, 0);
}

int device_each_holder(dev_t device, int (*fn)(dev_t holder, const char *name, void *arg),
		       void *arg)
{
	struct dirent *entry;
	char path[512];
	DIR *d;
	int r = 0;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(device),
		       minor(device));
	d = opendir(path);
	if (!d)
		return -errno;
	while (r == 0 && (entry = readdir(d))) {
		dev_t holder;

		(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders/%s/dev",
			       major(device), minor(device), entry->d_name);
		if (entry->d_name[0] != '.' && device_read_number(path, &holder))
			r = fn(holder, entry->d_name, arg);
	}
	(void)closedir(d);
	return r;
}

static void collect_disks(dev_t device, unsigned depth, struct disk_names *names);

/* True when sysfs lists devices in @directory. */
static bool collect_disks_below(const char *directory, unsigned depth, struct disk_names *names)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	bool found = false;

	if (!d)
		return false;
	while ((entry = readdir(d))) {
		char path[512];
		dev_t below;
		const int n = snprintf(path, sizeof(path), "%s/%s/dev", directory, entry->d_name);

		if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof(path) ||
		    !device_read_number(path, &below))
			continue;
		found = true;
		collect_disks(below, depth + 1, names);
	}
	(void)closedir(d);
	return found;
}

static void add_name(const char *name, struct disk_names *names)
{
	unsigned i = 0;

	assert(names->n <= DISKS_MAX);
	while (i < names->n && strcmp(names->name[i], name) < 0)
		i++;
	if ((i < names->n && strcmp(names->name[i], name) == 0) || names->n == DISKS_MAX ||
	    strlen(name) >= sizeof(names->name[0]))
		return;
	memmove(names->name[i + 1], names->name[i], (names->n - i) * sizeof(names->name[0]));
	(void)snprintf(names->name[i], sizeof(names->name[0]), "%s", name);
	names->n++;
}

static void collect_disks(dev_t device, unsigned depth, struct disk_names *names)
{
	char path[128], real[PATH_MAX];
	dev_t disk;

	if (depth == STACKING_DEPTH_MAX)
		return;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(device),
		       minor(device));
	if (collect_disks_below(path, depth, names))
		return;
	if (device_is_partition(device, &disk)) {
		collect_disks(disk, depth + 1, names);
		return;
	}
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
	if (realpath(path, real))
		add_name(basename(real), names);
}

void device_disks(dev_t device, struct disk_names *ret)
{
	ret->n = 0;
	collect_disks(device, 0, ret);
}
