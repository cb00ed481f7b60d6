/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "daemon/workers/store.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

const char *volume_state_name(enum volume_state state)
{
	static const char *const names[] = {
		[VOLUME_IDLE] = "idle",           [VOLUME_QUEUED] = "queued",
		[VOLUME_PREPARING] = "preparing", [VOLUME_RUNNING] = "running",
		[VOLUME_SUSPENDED] = "suspended", [VOLUME_REVERSING] = "reversing",
		[VOLUME_FINISHING] = "finishing", [VOLUME_LOCKED] = "locked",
		[VOLUME_FAILED] = "failed",
	};

	assert(state < ARRAY_SIZE(names));
	return names[state];
}

uint64_t wall_clock_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void volume_mark(struct volume *v, uint64_t what)
{
	v->core->marked = true;
	v->core->changed |= what;
	manager_mark(v->manager, 0);
}

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void volume_free(struct volume *v)
{
	struct volume_core *c = v->core;

	if (c) {
		request_free_all(v);
		(void)worker_link_free(c->link);
		(void)sd_event_source_disable_unref(c->restart);
		(void)sd_event_source_disable_unref(c->look_limit);
		(void)sd_event_source_disable_unref(c->retry);
		if (c->old_key_fd >= 0)
			(void)close(c->old_key_fd);
		if (c->new_key_fd >= 0)
			(void)close(c->new_key_fd);
		volume_free_place(v);
		free_strings(c->disks);
		free(c->record_json);
		free(c->sent_json);
		free(c->found_json);
		free(c->shown);
		remembered_clear(&c->memory);
		free(c);
	}
	free(v->name);
	free(v->device);
	free(v->header_device);
	free(v->group);
	free(v->keys);
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
	struct volume_core *c = v->core;
	size_t n = 0;

	free_strings(c->disks);
	c->disks = TAKE_PTR(look->disks);
	while (c->disks && c->disks[n])
		n++;
	c->convert.disks = (const char *const *)c->disks;
	c->convert.n_disks = n;
}

static void apply_parameters(struct volume *v, const struct worker_look *l)
{
	const bool none = l->reencryption == REENCRYPTION_NONE;

	(void)text_copy(v->mode, sizeof(v->mode), none ? "" : l->mode);
	(void)text_copy(v->direction, sizeof(v->direction), none ? "" : l->direction);
	(void)text_copy(v->resilience, sizeof(v->resilience), none ? "" : l->resilience);
	(void)text_copy(v->old_cipher, sizeof(v->old_cipher), l->old_cipher);
	(void)text_copy(v->new_cipher, sizeof(v->new_cipher), none ? "" : l->new_cipher);
	v->old_sector_size = l->old_sector_size;
	v->new_sector_size = none ? 0 : l->new_sector_size;
	v->new_key_size = none ? 0 : l->new_key_size;
	v->keep_key = !none && l->keep_key;
	(void)text_copy(v->resilience_hash, sizeof(v->resilience_hash),
			none ? "" : l->resilience_hash);
	(void)text_copy(v->new_pbkdf, sizeof(v->new_pbkdf), none ? "" : l->new_pbkdf);
	(void)text_copy(v->new_pbkdf_hash, sizeof(v->new_pbkdf_hash),
			none ? "" : l->new_pbkdf_hash);
	v->bytes_total = l->progress.bytes_total;
	v->bytes_done = none ? 0 : l->progress.bytes_done;
	v->hotzone_offset = l->progress.hotzone_offset;
	v->hotzone_size = l->progress.hotzone_size;
	v->core->reencryption = l->reencryption;
	v->core->unseen = false;
	v->core->stacked = l->stacked;
	v->core->supported = l->supported;
	v->core->sequence = l->sequence;
	memcpy(v->core->old_side, l->old_side, sizeof(v->core->old_side));
	memcpy(v->core->new_side, l->new_side, sizeof(v->core->new_side));
}

void volume_show_record(struct volume *v)
{
	const struct record *r = v->core->shown ?: &v->core->record;
	const struct volume_key *active = record_active_key(r);
	struct volume_key *keys = NULL;

	if (r->n_keys > 0) {
		keys = malloc(r->n_keys * sizeof(*keys));
		if (keys)
			memcpy(keys, r->keys, r->n_keys * sizeof(*keys));
	}
	free(v->keys);
	v->keys = keys;
	v->n_keys = keys ? r->n_keys : 0;
	(void)text_copy(v->key_id, sizeof(v->key_id), active ? active->id : "");
	v->key_generation = active ? active->generation : 0;
	v->has_queued_rotation = r->has_queued;
	v->queued_rotation = r->queued;
	v->last_rotation = r->last;
	v->run = volume_run_options(v);
	volume_mark(v, VOLUME_CHANGED_KEYS | VOLUME_CHANGED_ROTATION);
}

int volume_apply_look(struct volume *v, struct worker_look *look)
{
	bool moved = take_string(&v->device, &look->device);
	int r;

	assert(look->valid);
	if (strcmp(look->header_device, v->device) == 0)
		*look->header_device = '\0';
	moved = take_string(&v->header_device, &look->header_device) || moved;
	moved = take_string(&v->name, &look->name) || moved;
	apply_parameters(v, look);
	r = volume_take_record(v, look);
	if (r < 0)
		return r;
	take_disks(v, look);
	volume_show_record(v);
	volume_mark(v, VOLUME_CHANGED_PARAMETERS | VOLUME_CHANGED_PROGRESS |
			       (moved ? VOLUME_CHANGED_IDENTITY : 0));
	return 0;
}

void volume_apply_rate(struct volume *v)
{
	const struct config *config = v->manager->config;
	const struct record *r = &v->core->record;

	v->rate_limit = r->has_rate && (config->keep_rate || v->core->rate_set)
				? r->rate
				: config_for_volume(config, v->uuid)->rate_limit;
	v->core->deadline_looked = 0;
	volume_mark(v, VOLUME_CHANGED_LIMIT);
}

void volume_apply_config(struct volume *v)
{
	const struct volume_config *c = config_for_volume(v->manager->config, v->uuid);
	char *group = strdup(c->group ? c->group : "");

	if (group) {
		free(v->group);
		v->group = group;
	}
	volume_apply_rate(v);
	v->stall_target_usec = c->stall_target_usec;
	v->run = volume_run_options(v);
	volume_mark(v, VOLUME_CHANGED_ROTATION);
	v->core->provider_asked = false;
	volume_forget_clock(v);
}

uint64_t volume_record_changed(struct volume *v)
{
	/* Whatever token nobody vouches for is replaced by this. */
	free(v->core->shown);
	v->core->shown = NULL;
	volume_show_record(v);
	return ++v->core->record_wanted;
}

/* A worker may write what an earlier manager told it, after this one has found a rotation. */
static void end_job_of_nothing(struct volume *v)
{
	struct volume_core *c = v->core;
	struct failure f;

	if (!v->job || c->group || c->reencryption != REENCRYPTION_NONE || c->record.has_queued ||
	    c->at_work != WORKER_NONE)
		return;
	(void)failure_set(&f, -ECANCELED, "%s: the rotation was taken back", v->device);
	job_member_ended(v->job, v, -ECANCELED, &f);
}

void volume_settle_record(struct volume *v)
{
	struct volume_core *c = v->core;
	const enum record_match match = volume_check_header(v);
	const bool beginning = strcmp(c->record.last.outcome, "preparing") == 0;

	if (c->conflict)
		return;
	if (match == RECORD_ENDED_NEW || match == RECORD_ENDED_OLD) {
		volume_rotation_over(v, match == RECORD_ENDED_OLD);
	} else if (c->reencryption != REENCRYPTION_NONE && beginning) {
		volume_is_prepared(v);
	} else if (c->record.cancel && beginning && c->at_work == WORKER_NONE) {
		volume_forget_rotation(v); /* its worker died before it had written anything */
	}
	end_job_of_nothing(v);
}

static void forget_suspended(struct volume *v)
{
	struct record *r = &v->core->record;

	if (!r->suspended || v->manager->config->keep_suspended || v->core->stored)
		return;
	r->suspended = false;
	if (!v->core->found_json) /* which is left to a person */
		(void)volume_record_changed(v);
}

void volume_add_found_job(struct volume *v)
{
	const struct record *r = &v->core->record;
	struct job *j;

	if (v->job || v->core->conflict ||
	    (v->core->reencryption == REENCRYPTION_NONE && !r->has_queued))
		return;
	if (job_new(v->manager, r->cancel ? JOB_CANCEL : JOB_RECOVER, &v, 1, &j) < 0)
		log_error("%s: out of memory", v->device);
}

/* What need not be told again: an earlier manager has. */
static void settle_events(struct volume *v)
{
	_cleanup_close_ int fd = -1;
	struct volume_core *c = v->core;

	c->found = c->reencryption != REENCRYPTION_NONE && !c->stored;
	c->suspended_told =
		c->record.suspended && c->reencryption != REENCRYPTION_HOT && !c->stacked;
	fd = store_take(STORE_LOCKED, v->uuid);
	c->locked_told = fd >= 0;
}

static struct volume *volume_alloc(struct manager *m, const char *uuid)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->core = calloc(1, sizeof(*v->core));
	if (!v->core) {
		free(v);
		return NULL;
	}
	v->manager = m;
	v->core->old_key_fd = v->core->new_key_fd = -1;
	v->core->prepare.owner = v->core->convert.owner = v;
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
	v->core->stored = stored;
	v->core->looked = link != NULL;
	volume_set_place(v, look);
	r = volume_apply_look(v, look);
	if (r < 0) {
		volume_free(v);
		return r;
	}
	volume_apply_config(v);
	v->core->old_key_fd = store_take(STORE_OLD_KEY, v->uuid);
	v->core->new_key_fd = store_take(STORE_NEW_KEY, v->uuid);
	v->core->link = link;
	if (link)
		worker_link_set_handler(link, &volume_worker_handler, v);
	list_volume(v);
	volume_settle_record(v);
	forget_suspended(v);
	group_settle(m);
	settle_events(v);
	volume_add_found_job(v);
	manager_mark(m, MANAGER_CHANGED_VOLUMES);
	*ret = v;
	return 0;
}

void volume_remove(struct volume *v)
{
	struct manager *m = v->manager;
	struct failure f;

	(void)failure_set(&f, -ENODEV, "%s: the volume has gone away", v->device);
	for (struct volume **p = &m->volumes; *p; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			m->n_volumes--;
			break;
		}
	if (v->core->group)
		group_failed(v, -ENODEV, &f);
	schedule_remove(&m->core->prepare, &v->core->prepare);
	schedule_remove(&m->core->convert, &v->core->convert);
	request_end_all(v, -ENODEV, &f);
	volume_drop_worker(v);
	volume_drop_keys(v);
	for (struct job *j = m->jobs; j; j = j->next)
		job_volume_removed(j, v);
	if (m->core->observer.volume_removed)
		m->core->observer.volume_removed(v, m->core->observer.userdata);
	manager_mark(m, MANAGER_CHANGED_VOLUMES);
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
