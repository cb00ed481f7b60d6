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
#include "util/log.h"

static void drop_hold(struct volume *v)
{
	v->token.record.held[0] = '\0';
	(void)volume_record_changed(v);
}

static void release_group(struct job *j)
{
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *v = j->members[i].volume;

		if (!v || v->group != j)
			continue;
		v->group = NULL;
		if (*v->token.record.held)
			drop_hold(v);
	}
}

/* The first's record is in its header, or cannot get there. */
static void on_decided(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)userdata;
	if (!v || !v->group) /* it is gone, or was taken back meanwhile */
		return;
	if (error < 0)
		group_failed(v, error, f);
	else
		release_group(v->group);
}

static void decide_group(struct volume *first)
{
	struct request r = {.kind = REQUEST_RECORD, .fd = -1, .done = on_decided};
	struct failure f;

	assert(first && first->group);
	drop_hold(first);
	r.sequence = first->writing.wanted;
	if (request_add(first, &r) == 0)
		return;
	(void)failure_set(&f, -ENOMEM, "out of memory");
	group_failed(first, -ENOMEM, &f);
}

void group_member_prepared(struct volume *v)
{
	assert(v->group);
	if (job_member_prepared(v->group, v))
		decide_group(v->group->members[0].volume);
}

static void take_member_back(struct volume *v, const char *why)
{
	v->group = NULL;
	if (v->header.reencryption == REENCRYPTION_NONE && v->worker.job != WORKER_PREPARE &&
	    !v->header.unseen) {
		record_failed(&v->token.record, why, wall_clock_usec());
		volume_use_up_keys(v);
	} else {
		v->token.record.cancel = true;
		v->token.record.has_queued = false;
		v->token.record.group[0] = v->token.record.held[0] = '\0';
	}
	(void)volume_record_changed(v);
}

void group_failed(struct volume *v, int error, const struct failure *f)
{
	static const char why[] = "another volume of the group could not be prepared";
	struct job *j = v->group;
	struct failure other;

	assert(j && error < 0);
	(void)failure_set(&other, -ECANCELED,
			  "taken back, because another volume cannot be prepared: %.400s", f->text);
	take_member_back(v, why);
	job_member_ended(j, v, error, f);
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *o = j->members[i].volume;

		if (!o || o->group != j)
			continue;
		take_member_back(o, why);
		job_member_ended(j, o, -ECANCELED, &other);
	}
}

static bool says_what_it_wrote(const struct volume *v)
{
	return !v->token.found && !v->trouble.conflict && !v->token.record.foreign;
}

/* @first: whose word it waits for; NULL: not there yet. */
static void settle_held(struct volume *v, const struct volume *first)
{
	static const char why[] = "the daemon ended while its group was being prepared";
	const struct record *r = &v->token.record;
	const bool prepared = v->header.reencryption != REENCRYPTION_NONE;
	struct failure f;

	/* Nothing is decided by a word that nobody vouches for. */
	if (!says_what_it_wrote(v) || (first && !says_what_it_wrote(first)))
		return;
	if (prepared && !first)
		return;
	if (prepared && !*first->token.record.held &&
	    strcmp(first->token.record.group, r->group) == 0) {
		drop_hold(v);
		return;
	}
	take_member_back(v, why);
	(void)failure_set(&f, -ECANCELED, "%s: %s", v->place.device, why);
	if (v->job)
		job_member_ended(v->job, v, -ECANCELED, &f);
}

void group_settle(struct manager *m)
{
	for (struct volume *v = m->volumes; v; v = v->next)
		if (*v->token.record.held && !v->group)
			settle_held(v, manager_volume_by_uuid(m, v->token.record.held));
}

static int refuse_member(struct volume *v, const struct rotate_options *options, struct failure *f)
{
	int r;

	if (v->job || v->token.record.has_queued || v->header.reencryption != REENCRYPTION_NONE)
		return failure_set(f, -EINPROGRESS, "%s: a rotation is under way", v->place.device);
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

static int new_group_job(struct manager *m, struct volume **volumes, size_t n, struct job **ret)
{
	_cleanup_free_ struct job_seat *seats = calloc(n, sizeof(*seats));

	if (!seats)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		seats[i] = (struct job_seat){.volume = volumes[i],
					     .present = &volumes[i]->job,
					     .uuid = volumes[i]->uuid};
	return job_new(&m->jobs, JOB_ROTATE, seats, n, ret);
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
		return failure_set(f, -ESHUTDOWN, "the daemon is being stopped");
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
	if (new_group_job(m, volumes, n, ret_job) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	(void)sd_id128_to_uuid_string(id, group);
	for (size_t i = 0; i < n; i++) {
		struct record *record = &volumes[i]->token.record;

		volumes[i]->group = *ret_job;
		volume_wish_rotation(volumes[i], options);
		memcpy(record->group, group, sizeof(record->group));
		memcpy(record->held, volumes[0]->uuid, sizeof(record->held));
	}
	return 0;
}
