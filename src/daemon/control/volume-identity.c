/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A volume that is looked at: it is what it was, at its place or another, or something else is
 * there. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/workers/duplicates.h"
#include "util/cleanup.h"
#include "util/log.h"

int volume_apply_look(struct volume *v, struct worker_look *look)
{
	const bool moved = place_take_names(&v->place, look);
	int r;

	schedule_set_disks(&v->lines.convert, (const char *const *)v->place.disks);
	header_looked(&v->header, look);
	progress_looked(&v->progress, look);
	r = volume_take_record(v, look);
	if (r < 0)
		return r;
	volume_show_record(v);
	mark_set(&v->mark, VOLUME_CHANGED_PARAMETERS | VOLUME_CHANGED_PROGRESS |
				   (moved ? VOLUME_CHANGED_IDENTITY : 0));
	return 0;
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

void volume_set_place(struct volume *v, const struct worker_look *look)
{
	assert(strcmp(look->uuid, v->uuid) == 0);
	place_take_nodes(&v->place, look);
	note_device_id(v);
}

int volume_move(struct volume *v, struct worker_look *look, struct failure *f)
{
	if (v->worker.job != WORKER_NONE)
		return failure_set(f, -EBUSY, "%s: its worker has not ended yet with %s; try again",
				   look->device, v->place.device);
	/* A worker's passphrases go with it. The next one checks the volume keys of the store. */
	volume_drop_worker(v);
	keys_lost(&v->keys, false);
	if (look->reencryption == REENCRYPTION_NONE)
		keys_drop(&v->keys);
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
	keys_lost(&v->keys, false);
	worker_slot_look_again(&v->worker);
	mark_set(&v->mark, 0);
}
