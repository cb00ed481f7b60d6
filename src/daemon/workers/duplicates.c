/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/duplicates.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "io/stacking.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/uuid.h"

#define BY_ID   "/dev/disk/by-id/"
#define BY_PATH "/dev/disk/by-path/"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Some of the links by id are made of what is on the disk, and a clone has that, too. */
static bool is_of_hardware(const char *link)
{
	static const char *const by_content[] = {BY_ID "lvm-pv-uuid-", BY_ID "dm-name-",
						 BY_ID "dm-uuid-CRYPT-"};

	for (size_t i = 0; i < ARRAY_SIZE(by_content); i++)
		if (starts_with(link, by_content[i]))
			return false;
	return starts_with(link, BY_ID);
}

static bool is_by_path(const char *link)
{
	return starts_with(link, BY_PATH);
}

static int add_word(char **text, const char *word)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *text, **text ? " " : "", word) < 0)
		return -ENOMEM;
	free(*text);
	*text = longer;
	return 0;
}

/* NULL: out of memory. */
static char *id_of(sd_device *d)
{
	bool (*const kinds[])(const char *) = {is_of_hardware, is_by_path};
	char *id = strdup("");

	for (size_t i = 0; id && !*id && i < ARRAY_SIZE(kinds); i++)
		for (const char *l = sd_device_get_devlink_first(d); l;
		     l = sd_device_get_devlink_next(d))
			if (kinds[i](l) && add_word(&id, l) < 0) {
				free(id);
				return NULL;
			}
	return id;
}

char *duplicates_device_id(struct node n)
{
	_cleanup_(sd_device_unrefp) sd_device *d = NULL;

	if (!node_is_block(n) || sd_device_new_from_devnum(&d, 'b', (dev_t)n.device) < 0)
		return strdup("");
	return id_of(d);
}

static bool has_word(const char *text, const char *word, size_t n)
{
	for (const char *p = text; *p; p += strspn(p, " ")) {
		const size_t length = strcspn(p, " ");

		if (length == n && memcmp(p, word, n) == 0)
			return true;
		p += length;
	}
	return false;
}

/* Is any id in both? A new version of udev adds links, and keeps the old ones. */
static bool id_matches(const char *a, const char *b)
{
	for (const char *p = a; *p; p += strspn(p, " ")) {
		const size_t length = strcspn(p, " ");

		if (has_word(b, p, length))
			return true;
		p += length;
	}
	return false;
}

static bool has_link(sd_device *d, const char *path)
{
	for (const char *l = sd_device_get_devlink_first(d); l; l = sd_device_get_devlink_next(d))
		if (strcmp(l, path) == 0)
			return true;
	return false;
}

/* Is @d another disk with this UUID, and not the same data by another way (multipath, a mirror)? */
static bool is_duplicate(sd_device *d, const struct worker_look *look)
{
	const dev_t found = (dev_t)look->header_node.device;
	const char *uuid;
	dev_t number;

	return sd_device_get_property_value(d, "ID_FS_UUID", &uuid) >= 0 &&
	       uuid_equal(uuid, look->uuid) && sd_device_get_devnum(d, &number) >= 0 &&
	       number != found && !device_lies_on(number, found) && !device_lies_on(found, number);
}

/* The ways to name a disk that lead to another one when a clone is plugged in. */
static bool is_ambiguous(const char *named, sd_device *d, sd_device *other)
{
	static const char *const folders[] = {"/dev/disk/by-uuid/", "/dev/disk/by-label/",
					      "/dev/disk/by-partuuid/", "/dev/disk/by-partlabel/"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (starts_with(named, folders[i]))
			return true;
	return !has_link(d, named) || has_link(other, named);
}

static const char *path_of(sd_device *d)
{
	const char *path;

	return sd_device_get_devname(d, &path) < 0 ? "?" : path;
}

static int refuse_other(sd_device *d, const char *uuid, const char *known, sd_device *right,
			char **ret_instead, struct failure *f)
{
	assert(*known);
	if (right) {
		*ret_instead = strdup(path_of(right));
		return failure_set(
			f, -ENOTUNIQ,
			"%s has the LUKS UUID of the volume %s, which is on %s. Give the copy "
			"a UUID of its own: cryptsetup luksUUID --uuid $(uuidgen) %s",
			path_of(d), uuid, path_of(right), path_of(d));
	}
	return failure_set(
		f, -ENOTUNIQ,
		"%s has the LUKS UUID of the volume %s, which was on %s, and that is not "
		"attached. If it takes its place: recryptctl add %s",
		path_of(d), uuid, known, path_of(d));
}

static int check_disk(sd_device *d, sd_device_enumerator *all, const struct worker_look *look,
		      const char *named, const char *known, char **ret_instead, struct failure *f)
{
	_cleanup_free_ char *id = id_of(d);
	sd_device *right = NULL, *other = NULL;

	if (!id)
		return failure_set(f, -ENOMEM, "out of memory");
	if (*known && id_matches(id, known))
		return 0;
	for (sd_device *e = sd_device_enumerator_get_device_first(all); e;
	     e = sd_device_enumerator_get_device_next(all)) {
		_cleanup_free_ char *its = is_duplicate(e, look) ? id_of(e) : NULL;

		if (!its)
			continue;
		other = e;
		if (id_matches(its, known))
			right = e;
	}
	if (*known)
		return refuse_other(d, look->uuid, known, right, ret_instead, f);
	if (!other || !is_ambiguous(named, d, other))
		return 0;
	return failure_set(
		f, -ENOTUNIQ,
		"%s and %s have the same LUKS UUID, %s, and nobody can tell which of them "
		"%s means. Give the copy a UUID of its own: cryptsetup luksUUID --uuid "
		"$(uuidgen) DEVICE. Or say which: recryptctl add DEVICE",
		path_of(d), path_of(other), look->uuid, named);
}

static int list_luks(sd_device_enumerator **ret)
{
	_cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *all = NULL;
	int r = sd_device_enumerator_new(&all);

	if (r < 0)
		return r;
	r = sd_device_enumerator_add_match_subsystem(all, "block", 1);
	if (r < 0)
		return r;
	r = sd_device_enumerator_add_match_property(all, "ID_FS_TYPE", "crypto_LUKS");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(all);
	return 0;
}

char *duplicates_find(const char *uuid)
{
	_cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *all = NULL;
	const char *its;

	if (list_luks(&all) < 0)
		return NULL;
	for (sd_device *d = sd_device_enumerator_get_device_first(all); d;
	     d = sd_device_enumerator_get_device_next(all))
		if (sd_device_get_property_value(d, "ID_FS_UUID", &its) >= 0 &&
		    uuid_equal(its, uuid))
			return strdup(path_of(d));
	return NULL;
}

int duplicates_check(const struct worker_look *look, const char *named, const char *known,
		     char **ret_instead, struct failure *f)
{
	_cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *all = NULL;
	_cleanup_(sd_device_unrefp) sd_device *d = NULL;

	*ret_instead = NULL;
	/* Where udev does not know the device, it knows nothing of another one either. */
	if (!node_is_block(look->header_node) ||
	    sd_device_new_from_devnum(&d, 'b', (dev_t)look->header_node.device) < 0 ||
	    sd_device_get_is_initialized(d) <= 0 || list_luks(&all) < 0)
		return 0;
	return check_disk(d, all, look, named, known ? known : "", ret_instead, f);
}
