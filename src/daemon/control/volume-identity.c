/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which device a volume is on. The UUID is the stable part, and a clone has it too; the node (a
 * device number, or the inode of a file) is what tells the two apart. A disk that is detached and
 * attached again gets another number: that is taken for the volume's only once the old node is
 * gone.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>
#include <systemd/sd-device.h>

#include "daemon/control/core.h"
#include "daemon/workers/duplicates.h"
#include "io/geometry.h"
#include "util/log.h"

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

static void free_links(struct volume *v)
{
	for (char **l = v->place.links; l && *l; l++)
		free(*l);
	free(v->place.links);
	v->place.links = NULL;
}

/* All that udev has made for the node: its database is below /run, and never waits for a device. */
static void note_links(struct volume *v)
{
	sd_device *d = NULL;
	size_t n = 0;

	free_links(v);
	if (!node_is_block(v->place.identity.data) ||
	    sd_device_new_from_devnum(&d, 'b', (dev_t)v->place.identity.data.device) < 0)
		return;
	for (const char *l = sd_device_get_devlink_first(d); l; l = sd_device_get_devlink_next(d)) {
		char **grown = reallocarray(v->place.links, n + 2, sizeof(*grown));

		if (!grown)
			break;
		v->place.links = grown;
		grown[n] = strdup(l);
		grown[n + 1] = NULL;
		if (!grown[n++])
			break;
	}
	sd_device_unref(d);
}

/* For the next start: a link may lead to a clone by then. */
static void note_device_id(struct volume *v)
{
	struct manager *m = v->manager;
	_cleanup_free_ char *id = duplicates_device_id(v->place.identity.header);

	if (!id || !*id || !config_set_device_id(m->config, v->uuid, id))
		return;
	saved_state_later(&m->core->saved);
	turn_mark(&m->core->turn, 0);
}

bool volume_has_link(const struct volume *v, const char *path)
{
	for (char **l = v->place.links; l && *l; l++)
		if (strcmp(*l, path) == 0)
			return true;
	return false;
}

void volume_free_place(struct volume *v)
{
	free_links(v);
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

bool volume_is_attached(const struct volume *v)
{
	const struct node n = v->place.identity.header;

	return !node_is_block(n) || is_attached(n.device);
}

bool volume_is_at(const struct volume *v, const struct worker_look *look)
{
	const struct identity *i = &v->place.identity;

	return node_equal(i->data, look->node) && node_equal(i->header, look->header_node);
}

int volume_check_place(const struct volume *v, const struct worker_look *look, struct failure *f)
{
	const struct identity *i = &v->place.identity;
	const bool attached = node_equal(i->data, i->header);
	const bool data = is_same_place(i->data, look->node, attached, v->uuid);
	char was[NODE_TEXT_SIZE], now[NODE_TEXT_SIZE];
	const char *path = data ? look->header_device : look->device;
	const char *known =
		data && *v->place.header_device ? v->place.header_device : v->place.device;

	assert(look->valid && strcmp(look->uuid, v->uuid) == 0);
	if (data && is_same_place(i->header, look->header_node, true, v->uuid))
		return 0;
	(void)node_text(data ? look->header_node : look->node, now);
	(void)node_text(data ? i->header : i->data, was);
	if (strcmp(path, known) == 0)
		return failure_set(
			f, -ENOTUNIQ,
			"%s: another device with the same LUKS UUID is there now (%s; the "
			"volume was on %s). If it takes the volume's place: recryptctl "
			"remove %s, then recryptctl add %s",
			path, now, was, v->uuid, path);
	return failure_set(
		f, -ENOTUNIQ,
		"%s (%s) has the same LUKS UUID as %s (%s), which is known already. If it "
		"is a copy, give it a UUID of its own: cryptsetup luksUUID --uuid "
		"$(uuidgen) %s. If it takes the place of the other one: recryptctl remove "
		"%s, then recryptctl add %s",
		path, now, known, was, path, v->uuid, path);
}

void volume_set_place(struct volume *v, const struct worker_look *look)
{
	struct identity *i = &v->place.identity;
	char was[NODE_TEXT_SIZE], now[NODE_TEXT_SIZE];

	assert(look->valid && strcmp(look->uuid, v->uuid) == 0);
	if (node_is_known(i->data) && !volume_is_at(v, look))
		log_notice("%s: is now on %s, and was on %s, which is gone", look->device,
			   node_text(look->node, now), node_text(i->data, was));
	(void)snprintf(i->uuid, sizeof(i->uuid), "%s", v->uuid);
	i->data = look->node;
	i->header = look->header_node;
	note_links(v);
	note_device_id(v);
}

int volume_move(struct volume *v, struct worker_look *look, struct failure *f)
{
	if (v->worker.job != WORKER_NONE)
		return failure_set(f, -EBUSY, "%s: its worker has not ended yet with %s; try again",
				   look->device, v->place.device);
	/* A worker's passphrases go with it. The next one checks the volume keys of the store. */
	volume_drop_worker(v);
	volume_lose_keys(v);
	if (look->reencryption == REENCRYPTION_NONE)
		volume_drop_keys(v);
	volume_set_place(v, look);
	return volume_apply_look(v, look) < 0 ? failure_set(f, -ENOMEM, "out of memory") : 0;
}

void volume_send_identity(struct volume *v)
{
	if (v->worker.link && worker_link_set_identity(v->worker.link, &v->place.identity) < 0)
		log_warning("%s: its worker cannot be told which volume it is for",
			    v->place.device);
}

void volume_found_other(struct volume *v)
{
	volume_drop_worker(v);
	volume_lose_keys(v);
	v->worker.looked = false;
	mark_set(&v->mark, 0);
}
