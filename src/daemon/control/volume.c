/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a volume comes to be known, and how it goes away. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/control/core.h"

static void volume_free(struct volume *v)
{
	request_free_all(v);
	worker_slot_free(&v->worker);
	keys_free(&v->keys);
	token_free(&v->token);
	place_clear(&v->place);
	settings_free(&v->settings);
	free(v);
}

static void forget_suspended(struct volume *v)
{
	struct record *r = &v->token.record;

	if (!r->suspended || v->manager->config->keep_suspended || v->worker.stored)
		return;
	record_unsuspend(r);
	if (!v->token.found_json) /* which is left to a person */
		(void)volume_record_changed(v);
}

static struct volume *volume_alloc(struct manager *m, const char *uuid, bool adopted)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->manager = m;
	(void)snprintf(v->uuid, sizeof(v->uuid), "%s", uuid);
	mark_init(&v->mark, &m->core->turn);
	v->lines.prepare.owner = v->lines.convert.owner = v;
	keys_init(&v->keys, v->uuid);
	worker_slot_init(&v->worker, m->event, &v->mark, v->uuid, adopted);
	return v;
}

static void list_volume(struct volume *v)
{
	struct manager *m = v->manager;
	struct volume **end = &m->volumes;

	while (*end)
		end = &(*end)->next;
	*end = v;
	m->n_volumes++;
	if (m->core->observer.volume_added)
		m->core->observer.volume_added(v, m->core->observer.userdata);
}

/* What was looked at is the volume: everything about it that the header does not say yet. */
static int settle_in(struct volume *v, struct worker_look *look)
{
	int r;

	volume_set_place(v, look);
	r = volume_apply_look(v, look);
	if (r < 0)
		return r;
	volume_apply_config(v);
	keys_take_stored(&v->keys);
	return 0;
}

static void begin_life(struct volume *v)
{
	volume_take_job(v);
	volume_settle_record(v);
	forget_suspended(v);
	group_settle(v->manager);
	volume_find_state(v);
	volume_compare_job(v);
	volume_add_found_job(v);
	turn_mark(&v->manager->core->turn, MANAGER_CHANGED_VOLUMES);
}

int volume_new(struct manager *m, struct worker_look *look, struct worker_link *link, bool adopted,
	       struct volume **ret)
{
	struct volume *v;
	int r;

	assert(look->valid && !manager_volume_by_uuid(m, look->uuid));
	v = volume_alloc(m, look->uuid, adopted);
	if (!v)
		return -ENOMEM;
	r = settle_in(v, look);
	if (r < 0) {
		volume_free(v);
		return r;
	}
	worker_slot_take(&v->worker, link, &volume_worker_handler, v);
	list_volume(v);
	begin_life(v);
	*ret = v;
	return 0;
}

int volume_new_absent(struct manager *m, const char *uuid, const char *device, const char *header,
		      const char *why, struct volume **ret)
{
	struct volume *v;

	assert(!manager_volume_by_uuid(m, uuid));
	v = volume_alloc(m, uuid, false);
	if (!v)
		return -ENOMEM;
	if (place_await(&v->place, device, header) < 0 || place_set_absence(&v->place, why) < 0) {
		volume_free(v);
		return -ENOMEM;
	}
	worker_slot_looked(&v->worker); /* there is nothing to look at */
	volume_apply_config(v);
	volume_set_state(v, VOLUME_ABSENT);
	list_volume(v);
	turn_mark(&m->core->turn, MANAGER_CHANGED_VOLUMES);
	*ret = v;
	return 0;
}

int volume_come(struct volume *v, struct worker_look *look, struct worker_link *link)
{
	int r;

	assert(place_is_absent(&v->place) && !v->worker.link);
	r = settle_in(v, look);
	if (r < 0)
		return r;
	worker_slot_take(&v->worker, link, &volume_worker_handler, v);
	mark_set(&v->mark, VOLUME_CHANGED_ALL);
	begin_life(v);
	return 0;
}

void volume_remove(struct volume *v)
{
	struct manager *m = v->manager;
	struct failure f;

	(void)failure_set(&f, -ENODEV, "%s: the volume has gone away", v->place.device);
	for (struct volume **p = &m->volumes; *p; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			m->n_volumes--;
			break;
		}
	if (v->group)
		group_failed(v, -ENODEV, &f);
	schedule_remove(&m->core->prepare, &v->lines.prepare);
	schedule_remove(&m->core->convert, &v->lines.convert);
	request_end_all(v, -ENODEV, &f);
	volume_drop_worker(v);
	keys_drop(&v->keys);
	job_volume_removed(&m->jobs, v, -ENODEV, &f);
	if (m->core->observer.volume_removed)
		m->core->observer.volume_removed(v, m->core->observer.userdata);
	turn_mark(&m->core->turn, MANAGER_CHANGED_VOLUMES);
	volume_free(v);
}

void volume_free_all(struct manager *m)
{
	while (m->volumes) {
		struct volume *v = m->volumes;

		m->volumes = v->next;
		volume_free(v);
	}
}
