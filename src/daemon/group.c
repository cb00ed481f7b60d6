/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rotation of several volumes: all are prepared before one is converted. Until then each is held
 * (in its header too); the first that cannot be prepared takes all others back, and so does a
 * manager that dies in between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/core.h"
#include "util/cleanup.h"
#include "util/log.h"

static void release(struct job *j)
{
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *v = j->members[i].volume;

		if (!v || v->core->group != j)
			continue;
		v->core->group = NULL;
		v->core->record.held[0] = '\0';
		(void)volume_record_changed(v);
	}
}

void group_member_prepared(struct volume *v)
{
	struct job *j = v->core->group;
	bool all = true;

	for (size_t i = 0; i < j->n_members; i++) {
		if (j->members[i].volume == v)
			j->members[i].prepared = true;
		all = all && j->members[i].prepared;
	}
	if (all)
		release(j);
}

static void take_back(struct volume *v)
{
	struct volume_core *c = v->core;

	c->group = NULL;
	if (c->reencryption == REENCRYPTION_NONE && c->at_work != WORKER_PREPARE) {
		record_failed(&c->record, "another volume of the group could not be prepared",
			      wall_clock_usec());
		c->keys = false;
	} else {
		c->record.cancel = true;
		c->record.has_queued = false;
		c->record.held[0] = '\0';
	}
	(void)volume_record_changed(v);
}

void group_failed(struct volume *v, int error, const struct failure *f)
{
	struct job *j = v->core->group;
	struct failure other;

	(void)failure_set(&other, -ECANCELED,
			  "taken back, because another volume cannot be prepared: %.400s", f->text);
	take_back(v);
	job_member_ended(j, v, error, f);
	for (size_t i = 0; i < j->n_members; i++) {
		struct volume *o = j->members[i].volume;

		if (!o || o->core->group != j)
			continue;
		take_back(o);
		job_member_ended(j, o, -ECANCELED, &other);
	}
}

static int collect(struct manager *m, const struct volume_filter *filter, struct failure *f,
		   struct volume **volumes, size_t *ret_n)
{
	size_t n = 0;

	for (struct volume *v = m->volumes; v; v = v->next) {
		if (!volume_filter_matches(filter, v))
			continue;
		if (v->job || v->core->record.has_queued ||
		    v->core->reencryption != REENCRYPTION_NONE)
			return failure_set(f, -EINPROGRESS, "%s: a rotation is under way",
					   v->device);
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
	size_t n = 0;
	int r;

	if (m->stopping)
		return failure_set(f, -ESHUTDOWN, "the daemon is being stopped");
	if (!volumes)
		return failure_set(f, -ENOMEM, "out of memory");
	r = collect(m, filter, f, volumes, &n);
	if (r < 0)
		return r;
	if (job_new(m, JOB_ROTATE, volumes, n, ret_job) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct volume *v = volumes[i];

		v->core->group = *ret_job;
		(void)snprintf(v->core->record.held, sizeof(v->core->record.held), "%llu",
			       (unsigned long long)(*ret_job)->id);
		volume_wish_rotation(v, options);
	}
	return 0;
}
