/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/place.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>
#include <systemd/sd-device.h>

#include "io/geometry.h"
#include "util/cleanup.h"
#include "util/log.h"

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

void place_clear(struct volume_place *p)
{
	free(p->name);
	free(p->device);
	free(p->header_device);
	free_strings(p->links);
	free_strings(p->disks);
	free(p->absence);
	*p = (struct volume_place){};
}

int place_await(struct volume_place *p, const char *device, const char *header)
{
	assert(!p->device);
	p->name = strdup("");
	p->device = strdup(device);
	p->header_device = strdup(header ? header : "");
	return p->name && p->device && p->header_device ? 0 : -ENOMEM;
}

int place_set_absence(struct volume_place *p, const char *why)
{
	char *copy = strdup(why);

	if (!copy)
		return -ENOMEM;
	p->absence_told = p->absence_told && p->absence && strcmp(p->absence, why) == 0;
	free(p->absence);
	p->absence = copy;
	return 0;
}

bool place_tell_absence(struct volume_place *p)
{
	const bool told = p->absence_told;

	assert(p->absence);
	p->absence_told = true;
	return !told;
}

/* Moves @from to *to; true when that is a change. */
static bool take_string(char **to, char **from)
{
	const bool same = *to && strcmp(*to, *from) == 0;

	free(*to);
	*to = TAKE_PTR(*from);
	return !same;
}

bool place_take_names(struct volume_place *p, struct worker_look *look)
{
	bool moved = take_string(&p->device, &look->device);

	assert(look->valid);
	if (strcmp(look->header_device, p->device) == 0)
		*look->header_device = '\0';
	moved = take_string(&p->header_device, &look->header_device) || moved;
	moved = take_string(&p->name, &look->name) || moved;
	free_strings(p->disks);
	p->disks = TAKE_PTR(look->disks);
	free(p->absence);
	p->absence = NULL;
	return moved;
}

/* sysfs never waits for a device. A loop device without a file stays there, with size 0. */
static bool is_attached(uint64_t number)
{
	uint64_t size;

	return sysfs_block_number((dev_t)number, "size", &size) == 0 && size > 0;
}

/* Has udev seen another UUID there since? False where it is not known. */
static bool has_other_uuid(uint64_t number, const char *uuid)
{
	sd_device *d = NULL;
	const char *found;
	bool other;

	if (sd_device_new_from_devnum(&d, 'b', (dev_t)number) < 0)
		return false;
	other = sd_device_get_property_value(d, "ID_FS_UUID", &found) >= 0 &&
		strcasecmp(found, uuid) != 0;
	sd_device_unref(d);
	return other;
}

/* All that udev has made for the node: its database is below /run, and never waits for a device. */
static void note_links(struct volume_place *p)
{
	sd_device *d = NULL;
	size_t n = 0;

	free_strings(p->links);
	p->links = NULL;
	if (!node_is_block(p->identity.data) ||
	    sd_device_new_from_devnum(&d, 'b', (dev_t)p->identity.data.device) < 0)
		return;
	for (const char *l = sd_device_get_devlink_first(d); l; l = sd_device_get_devlink_next(d)) {
		char **grown = reallocarray(p->links, n + 2, sizeof(*grown));

		if (!grown)
			break;
		p->links = grown;
		grown[n] = strdup(l);
		grown[n + 1] = NULL;
		if (!grown[n++])
			break;
	}
	sd_device_unref(d);
}

bool place_has_link(const struct volume_place *p, const char *path)
{
	for (char **l = p->links; l && *l; l++)
		if (strcmp(*l, path) == 0)
			return true;
	return false;
}

/* May @now be what @was is known as? @labelled: the LUKS header is on it. */
static bool is_same_place(struct node was, struct node now, bool labelled, const char *uuid)
{
	if (!node_is_known(was) || !node_is_known(now) || node_equal(was, now))
		return true;
	if (node_is_block(was) != node_is_block(now))
		return false;
	/* A file can be known again only where its disk has got another number. */
	if (!node_is_block(was) && (was.inode != now.inode || major(was.device) == 0))
		return false;
	if (!is_attached(was.device))
		return true;
	return node_is_block(was) && labelled && has_other_uuid(was.device, uuid);
}

bool place_is_attached(const struct volume_place *p)
{
	const struct node n = p->identity.header;

	return !node_is_block(n) || is_attached(n.device);
}

bool place_is_at(const struct volume_place *p, const struct worker_look *look)
{
	const struct identity *i = &p->identity;

	return node_equal(i->data, look->node) && node_equal(i->header, look->header_node);
}

int place_check(const struct volume_place *p, const struct worker_look *look, struct failure *f)
{
	const struct identity *i = &p->identity;
	const bool attached = node_equal(i->data, i->header);
	const bool data = is_same_place(i->data, look->node, attached, look->uuid);
	char was[NODE_TEXT_SIZE], now[NODE_TEXT_SIZE];
	const char *path = data ? look->header_device : look->device;
	const char *known = data && *p->header_device ? p->header_device : p->device;

	assert(look->valid);
	if (data && is_same_place(i->header, look->header_node, true, look->uuid))
		return 0;
	(void)node_text(data ? look->header_node : look->node, now);
	(void)node_text(data ? i->header : i->data, was);
	if (strcmp(path, known) == 0)
		return failure_set(
			f, -ENOTUNIQ,
			"%s: another device with the same LUKS UUID is there now (%s; the "
			"volume was on %s). If it takes the volume's place: recryptctl "
			"remove --force %s, then recryptctl add %s",
			path, now, was, look->uuid, path);
	return failure_set(
		f, -ENOTUNIQ,
		"%s (%s) has the same LUKS UUID as %s (%s), which is known already. If it "
		"is a copy, give it a UUID of its own: cryptsetup luksUUID --uuid "
		"$(uuidgen) %s. If it takes the place of the other one: recryptctl remove "
		"--force %s, then recryptctl add %s",
		path, now, known, was, path, look->uuid, path);
}

void place_take_nodes(struct volume_place *p, const struct worker_look *look)
{
	struct identity *i = &p->identity;
	char was[NODE_TEXT_SIZE], now[NODE_TEXT_SIZE];

	assert(look->valid);
	if (node_is_known(i->data) && !place_is_at(p, look))
		log_notice("%s: is now on %s, and was on %s, which is gone", look->device,
			   node_text(look->node, now), node_text(i->data, was));
	(void)snprintf(i->uuid, sizeof(i->uuid), "%s", look->uuid);
	i->data = look->node;
	i->header = look->header_node;
	note_links(p);
}
