/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rotation of several volumes: all are prepared before one is converted. Until then each is held,
 * in its header too; the first that cannot be prepared takes all others back.
 *
 *   header of     all are prepared                 in it                      in theirs
 *   the first     held ------------------> held --------> not held
 *   the others    held ------------------> held ------------------> held --------> not held
 *                 `------- after a crash: back -------'   `--- after a crash: on ---'
 *
 * So whether the group goes on is one fact in one header, that of the job's first volume. A manager
 * that finds a held volume asks that header; until it is there, the volume waits.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "daemon/control/core.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/log.h"

static void drop_hold(struct volume *v)
{
	v->core->record.held[0] = '\0';
	(void)volume_record_changed(v);
}

static void release_group(struct job *j)
{
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *v = j->members[i].volume;

		if (!v || v->core->group != j)
			continue;
		v->core->group = NULL;
		if (*v->core->record.held)
			drop_hold(v);
	}
}

/* The first's record is in its header, or cannot get there. */
static void on_decided(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)userdata;
	if (!v || !v->core->group) /* it is gone, or was taken back meanwhile */
		return;
	if (error < 0)
		group_failed(v, error, f);
	else
		release_group(v->core->group);
}

static void decide_group(struct volume *first)
{
	struct request r = {.kind = REQUEST_RECORD, .fd = -1, .done = on_decided};
	struct failure f;

	assert(first && first->core->group);
	drop_hold(first);
	r.sequence = first->core->record_wanted;
	if (request_add(first, &r) == 0)
		return;
	(void)failure_set(&f, -ENOMEM, "out of memory");
	group_failed(first, -ENOMEM, &f);
}

void group_member_prepared(struct volume *v)
{
	struct job *j = v->core->group;
	bool all = true;

	assert(j);
	for (size_t i = 0; i < j->n_members; i++) {
		if (j->members[i].volume == v)
			j->members[i].prepared = true;
		all = all && j->members[i].prepared;
	}
	if (all)
		decide_group(j->members[0].volume);
}

static void take_member_back(struct volume *v, const char *why)
{
	struct volume_core *c = v->core;

	c->group = NULL;
	if (c->reencryption == REENCRYPTION_NONE && c->at_work != WORKER_PREPARE && !c->unseen) {
		record_failed(&c->record, why, wall_clock_usec());
		volume_use_up_keys(v);
	} else {
		c->record.cancel = true;
		c->record.has_queued = false;
		c->record.group[0] = c->record.held[0] = '\0';
	}
	(void)volume_record_changed(v);
}

void group_failed(struct volume *v, int error, const struct failure *f)
{
	static const char why[] = "another volume of the group could not be prepared";
	struct job *j = v->core->group;
	struct failure other;

	assert(j && error < 0);
	(void)failure_set(&other, -ECANCELED,
			  "taken back, because another volume cannot be prepared: %.400s", f->text);
	take_member_back(v, why);
	job_member_ended(j, v, error, f);
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *o = j->members[i].volume;

		if (!o || o->core->group != j)
			continue;
		take_member_back(o, why);
		job_member_ended(j, o, -ECANCELED, &other);
	}
}

static bool says_what_it_wrote(const struct volume *v)
{
	const struct volume_core *c = v->core;

	return !c->shown && !c->conflict && !c->record.foreign;
}

/* @first: whose word it waits for; NULL: not there yet. */
static void settle_held(struct volume *v, const struct volume *first)
{
	static const char why[] = "the daemon ended while its group was being prepared";
	const struct record *r = &v->core->record;
	const bool prepared = v->core->reencryption != REENCRYPTION_NONE;
	struct failure f;

	/* Nothing is decided by a word that nobody vouches for. */
	if (!says_what_it_wrote(v) || (first && !says_what_it_wrote(first)))
		return;
	if (prepared && !first)
		return;
	if (prepared && !*first->core->record.held &&
	    strcmp(first->core->record.group, r->group) == 0) {
		drop_hold(v);
		return;
	}
	take_member_back(v, why);
	(void)failure_set(&f, -ECANCELED, "%s: %s", v->device, why);
	if (v->job)
		job_member_ended(v->job, v, -ECANCELED, &f);
}

void group_settle(struct manager *m)
{
	for (struct volume *v = m->volumes; v; v = v->next)
		if (*v->core->record.held && !v->core->group)
			settle_held(v, manager_volume_by_uuid(m, v->core->record.held));
}

static int refuse_member(struct volume *v, const struct rotate_options *options, struct failure *f)
{
	int r;

	if (v->job || v->core->record.has_queued || v->core->reencryption != REENCRYPTION_NONE)
		return failure_set(f, -ERROR_IN_PROGRESS, "%s: a rotation is under way", v->device);
	r = volume_refuse_conflict(v, f);
	if (r < 0)
		return r;
	r = volume_refuse_unseen(v, f);
	return r < 0 ? r : volume_check_rotation(v, options, f);
}

static int collect_members(struct manager *m, const struct volume_filter *filter,
			   const struct rotate_options *options, struct failure *f,
			   struct volume **volumes, size_t *ret_n)
{
	size_t n = 0;
	int r;

	for (struct volume *v = m->volumes; v; v = v->next) {
		if (!volume_filter_matches(filter, v))
			continue;
		r = refuse_member(v, options, f);
		if (r < 0)
			return r;
		volumes[n++] = v;
	}
	if (n == 0)
		return failure_set(f, -ENODEV, "no volume matches");
	*ret_n = n;
	return 0;
}

int manager_rotate_all(struct manager *m, const struct volume_filter *filter,
		       const struct rotate_options *options, struct failure *f,
		       struct job **ret_job)
{
	_cleanup_free_ struct volume **volumes = calloc(m->n_volumes + 1, sizeof(struct volume *));
	char group[SD_ID128_UUID_STRING_MAX];
	sd_id128_t id;
	size_t n = 0;
	int r;

	if (m->stopping)
		return failure_set(f, -ERROR_SHUTTING_DOWN, "the daemon is being stopped");
	if (!volumes)
		return failure_set(f, -ENOMEM, "out of memory");
	r = volume_check_deadline(options, f);
	if (r < 0)
		return r;
	r = collect_members(m, filter, options, f, volumes, &n);
	if (r < 0)
		return r;
	r = sd_id128_randomize(&id);
	if (r < 0)
		return failure_set(f, r, "no random number for the name of the group");
	if (job_new(m, JOB_ROTATE, volumes, n, ret_job) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	(void)sd_id128_to_uuid_string(id, group);
	for (size_t i = 0; i < n; i++) {
		struct record *record = &volumes[i]->core->record;

		volumes[i]->core->group = *ret_job;
		volume_wish_rotation(volumes[i], options);
		memcpy(record->group, group, sizeof(record->group));
		memcpy(record->held, volumes[0]->uuid, sizeof(record->held));
	}
	return 0;
}
