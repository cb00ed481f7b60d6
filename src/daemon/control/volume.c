/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "daemon/workers/store.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void volume_free(struct volume *v)
{
	request_free_all(v);
	(void)worker_link_free(v->worker.link);
	(void)sd_event_source_disable_unref(v->worker.restart);
	(void)sd_event_source_disable_unref(v->worker.look_limit);
	(void)sd_event_source_disable_unref(v->worker.retry.timer);
	if (v->keys.old_fd >= 0)
		(void)close(v->keys.old_fd);
	if (v->keys.new_fd >= 0)
		(void)close(v->keys.new_fd);
	volume_free_place(v);
	free_strings(v->place.disks);
	free(v->token.json);
	free(v->token.sent_json);
	free(v->token.found_json);
	free(v->token.found);
	remembered_clear(&v->token.memory);
	free(v->place.name);
	free(v->place.device);
	free(v->place.header_device);
	free(v->settings.group);
	free(v->token.shown.keys);
	free(v);
}

/* Moves @from to *to; true when that is a change. */
static bool take_string(char **to, char **from)
{
	const bool same = *to && strcmp(*to, *from) == 0;

	free(*to);
	*to = TAKE_PTR(*from);
	return !same;
}

static void take_disks(struct volume *v, struct worker_look *look)
{
	size_t n = 0;

	free_strings(v->place.disks);
	v->place.disks = TAKE_PTR(look->disks);
	while (v->place.disks && v->place.disks[n])
		n++;
	v->lines.convert.disks = (const char *const *)v->place.disks;
	v->lines.convert.n_disks = n;
}

static void apply_parameters(struct volume *v, const struct worker_look *l)
{
	const bool none = l->reencryption == REENCRYPTION_NONE;

	(void)text_copy(v->header.mode, sizeof(v->header.mode), none ? "" : l->mode);
	(void)text_copy(v->header.direction, sizeof(v->header.direction), none ? "" : l->direction);
	(void)text_copy(v->header.resilience, sizeof(v->header.resilience),
			none ? "" : l->resilience);
	(void)text_copy(v->header.old_cipher, sizeof(v->header.old_cipher), l->old_cipher);
	(void)text_copy(v->header.new_cipher, sizeof(v->header.new_cipher),
			none ? "" : l->new_cipher);
	v->header.old_sector_size = l->old_sector_size;
	v->header.new_sector_size = none ? 0 : l->new_sector_size;
	v->header.new_key_size = none ? 0 : l->new_key_size;
	v->header.keep_key = !none && l->keep_key;
	(void)text_copy(v->header.resilience_hash, sizeof(v->header.resilience_hash),
			none ? "" : l->resilience_hash);
	(void)text_copy(v->header.new_pbkdf, sizeof(v->header.new_pbkdf), none ? "" : l->new_pbkdf);
	(void)text_copy(v->header.new_pbkdf_hash, sizeof(v->header.new_pbkdf_hash),
			none ? "" : l->new_pbkdf_hash);
	v->progress.bytes_total = l->progress.bytes_total;
	v->progress.bytes_done = none ? 0 : l->progress.bytes_done;
	v->progress.hotzone_offset = l->progress.hotzone_offset;
	v->progress.hotzone_size = l->progress.hotzone_size;
	v->header.reencryption = l->reencryption;
	v->header.unseen = false;
	v->header.stacked = l->stacked;
	v->header.supported = l->supported;
	v->header.sequence = l->sequence;
	memcpy(v->header.old_side, l->old_side, sizeof(v->header.old_side));
	memcpy(v->header.new_side, l->new_side, sizeof(v->header.new_side));
}

void volume_show_record(struct volume *v)
{
	const struct record *r = v->token.found ?: &v->token.record;
	const struct volume_key *active = record_active_key(r);
	struct volume_key *keys = NULL;

	if (r->n_keys > 0) {
		keys = malloc(r->n_keys * sizeof(*keys));
		if (keys)
			memcpy(keys, r->keys, r->n_keys * sizeof(*keys));
	}
	free(v->token.shown.keys);
	v->token.shown.keys = keys;
	v->token.shown.n_keys = keys ? r->n_keys : 0;
	(void)text_copy(v->token.shown.key_id, sizeof(v->token.shown.key_id),
			active ? active->id : "");
	v->token.shown.key_generation = active ? active->generation : 0;
	v->token.shown.has_queued = r->has_queued;
	v->token.shown.queued = r->queued;
	v->token.shown.last = r->last;
	v->settings.run = volume_run_options(v);
	mark_set(&v->mark, VOLUME_CHANGED_KEYS | VOLUME_CHANGED_ROTATION);
}

int volume_apply_look(struct volume *v, struct worker_look *look)
{
	bool moved = take_string(&v->place.device, &look->device);
	int r;

	assert(look->valid);
	if (strcmp(look->header_device, v->place.device) == 0)
		*look->header_device = '\0';
	moved = take_string(&v->place.header_device, &look->header_device) || moved;
	moved = take_string(&v->place.name, &look->name) || moved;
	apply_parameters(v, look);
	r = volume_take_record(v, look);
	if (r < 0)
		return r;
	take_disks(v, look);
	volume_show_record(v);
	mark_set(&v->mark, VOLUME_CHANGED_PARAMETERS | VOLUME_CHANGED_PROGRESS |
				   (moved ? VOLUME_CHANGED_IDENTITY : 0));
	return 0;
}

void volume_apply_rate(struct volume *v)
{
	const struct config *config = v->manager->config;
	const struct record *r = &v->token.record;

	v->settings.rate_limit = r->has_rate && (config->keep_rate || v->settings.rate_set)
					 ? r->rate
					 : config_for_volume(config, v->uuid)->rate_limit;
	v->clock.looked = 0;
	mark_set(&v->mark, VOLUME_CHANGED_LIMIT);
}

void volume_apply_config(struct volume *v)
{
	const struct volume_config *c = config_for_volume(v->manager->config, v->uuid);
	char *group = strdup(c->group ? c->group : "");

	if (group) {
		free(v->settings.group);
		v->settings.group = group;
	}
	volume_apply_rate(v);
	v->settings.stall_target_usec = c->stall_target_usec;
	v->settings.run = volume_run_options(v);
	mark_set(&v->mark, VOLUME_CHANGED_ROTATION);
	v->keys.provider_asked = false;
	volume_forget_clock(v);
}

uint64_t volume_record_changed(struct volume *v)
{
	/* Whatever token nobody vouches for is replaced by this. */
	free(v->token.found);
	v->token.found = NULL;
	volume_show_record(v);
	return ++v->writing.wanted;
}

/* A worker may write what an earlier manager told it, after this one has found a rotation. */
static void end_job_of_nothing(struct volume *v)
{
	struct failure f;

	if (!v->job || v->group || v->header.reencryption != REENCRYPTION_NONE ||
	    v->token.record.has_queued || v->worker.job != WORKER_NONE)
		return;
	(void)failure_set(&f, -ECANCELED, "%s: the rotation was taken back", v->place.device);
	job_member_ended(v->job, v, -ECANCELED, &f);
}

void volume_settle_record(struct volume *v)
{
	const enum record_match match = volume_check_header(v);
	const bool beginning = strcmp(v->token.record.last.outcome, "preparing") == 0;

	if (v->trouble.conflict)
		return;
	if (match == RECORD_ENDED_NEW || match == RECORD_ENDED_OLD) {
		volume_rotation_over(v, match == RECORD_ENDED_OLD);
	} else if (v->header.reencryption != REENCRYPTION_NONE && beginning) {
		volume_is_prepared(v);
	} else if (v->token.record.cancel && beginning && v->worker.job == WORKER_NONE) {
		volume_forget_rotation(v); /* its worker died before it had written anything */
	}
	end_job_of_nothing(v);
}

static void forget_suspended(struct volume *v)
{
	struct record *r = &v->token.record;

	if (!r->suspended || v->manager->config->keep_suspended || v->worker.stored)
		return;
	r->suspended = false;
	if (!v->token.found_json) /* which is left to a person */
		(void)volume_record_changed(v);
}

int volume_new_job(struct volume *v, enum job_kind kind, struct job **ret)
{
	const struct job_seat seat = {.volume = v, .present = &v->job, .uuid = v->uuid};

	return job_new(&v->manager->jobs, kind, &seat, 1, ret);
}

void volume_add_found_job(struct volume *v)
{
	const struct record *r = &v->token.record;
	struct job *j;

	if (v->job || v->trouble.conflict ||
	    (v->header.reencryption == REENCRYPTION_NONE && !r->has_queued))
		return;
	if (volume_new_job(v, r->cancel ? JOB_CANCEL : JOB_RECOVER, &j) < 0)
		log_error("%s: out of memory", v->place.device);
}

/* What need not be told again: an earlier manager has. */
static void settle_events(struct volume *v)
{
	_cleanup_close_ int fd = -1;

	v->status.found = v->header.reencryption != REENCRYPTION_NONE && !v->worker.stored;
	v->status.suspended_told = v->token.record.suspended &&
				   v->header.reencryption != REENCRYPTION_HOT && !v->header.stacked;
	fd = store_take(STORE_LOCKED, v->uuid);
	v->status.locked_told = fd >= 0;
}

static struct volume *volume_alloc(struct manager *m, const char *uuid)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->manager = m;
	v->mark.turn = &m->core->turn;
	v->keys.old_fd = v->keys.new_fd = -1;
	v->lines.prepare.owner = v->lines.convert.owner = v;
	(void)snprintf(v->uuid, sizeof(v->uuid), "%s", uuid);
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

int volume_new(struct manager *m, struct worker_look *look, struct worker_link *link, bool stored,
	       struct volume **ret)
{
	struct volume *v;
	int r;

	assert(look->valid && !manager_volume_by_uuid(m, look->uuid));
	assert(link || !stored);
	v = volume_alloc(m, look->uuid);
	if (!v)
		return -ENOMEM;
	v->worker.stored = stored;
	v->worker.looked = link != NULL;
	volume_set_place(v, look);
	r = volume_apply_look(v, look);
	if (r < 0) {
		volume_free(v);
		return r;
	}
	volume_apply_config(v);
	v->keys.old_fd = store_take(STORE_OLD_KEY, v->uuid);
	v->keys.new_fd = store_take(STORE_NEW_KEY, v->uuid);
	v->worker.link = link;
	if (link)
		worker_link_set_handler(link, &volume_worker_handler, v);
	list_volume(v);
	volume_settle_record(v);
	forget_suspended(v);
	group_settle(m);
	settle_events(v);
	volume_add_found_job(v);
	turn_mark(&m->core->turn, MANAGER_CHANGED_VOLUMES);
	*ret = v;
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
	volume_drop_keys(v);
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
