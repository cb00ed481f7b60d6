/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/control/core.h"
#include "util/checked.h"

const char *job_kind_name(enum job_kind kind)
{
	static const char *const names[] = {
		[JOB_ROTATE] = "rotate",
		[JOB_CANCEL] = "cancel",
		[JOB_RECOVER] = "recover",
	};

	assert(kind < ARRAY_SIZE(names));
	return names[kind];
}

const char *job_state_name(enum job_state state)
{
	static const char *const names[] = {
		[JOB_WAITING] = "waiting", [JOB_RUNNING] = "running",     [JOB_DONE] = "done",
		[JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
	};

	assert(state < ARRAY_SIZE(names));
	return names[state];
}

bool job_ended(const struct job *j)
{
	return j->state == JOB_DONE || j->state == JOB_FAILED || j->state == JOB_CANCELLED;
}

static void job_free(struct job *j)
{
	free(j->members);
	free(j);
}

/*
 * Keeps the last jobs that have ended and drops the others. Only job_new() calls this: a function
 * that ends a job still uses it afterwards.
 */
static void drop_old(struct manager *m)
{
	size_t ended = 0;

	for (struct job *j = m->jobs; j; j = j->next)
		ended += job_ended(j);
	for (struct job **p = &m->jobs; *p && ended > JOBS_KEPT;) {
		struct job *j = *p;

		if (!job_ended(j)) {
			p = &j->next;
			continue;
		}
		assert(m->n_jobs > 0);
		*p = j->next;
		m->n_jobs--;
		ended--;
		if (m->core->observer.job_removed)
			m->core->observer.job_removed(j, m->core->observer.userdata);
		job_free(j);
	}
}

int job_new(struct manager *m, enum job_kind kind, struct volume *const *volumes, size_t n,
	    struct job **ret)
{
	struct job *j = calloc(1, sizeof(*j)), **end = &m->jobs;

	assert(n > 0);
	drop_old(m);
	if (!j)
		return -ENOMEM;
	j->members = calloc(n, sizeof(*j->members));
	if (!j->members) {
		free(j);
		return -ENOMEM;
	}
	j->manager = m;
	j->id = ++m->core->last_job;
	j->kind = kind;
	j->created_usec = wall_clock_usec();
	j->n_members = n;
	for (size_t i = 0; i < n; i++) {
		j->members[i].volume = volumes[i];
		(void)snprintf(j->members[i].uuid, sizeof(j->members[i].uuid), "%s",
			       volumes[i]->uuid);
		volumes[i]->job = j;
	}
	while (*end)
		end = &(*end)->next;
	*end = j;
	m->n_jobs++;
	if (m->core->observer.job_added)
		m->core->observer.job_added(j, m->core->observer.userdata);
	*ret = j;
	return 0;
}

static struct job_member *member_of(struct job *j, const struct volume *v)
{
	for (size_t i = 0; i < j->n_members; i++)
		if (j->members[i].volume == v)
			return &j->members[i];
	return NULL;
}

static void tell_job_state(struct job *j)
{
	manager_tell_job(j, JOB_CHANGED_STATE);
}

void job_member_started(struct job *j, struct volume *v)
{
	if (!member_of(j, v) || j->state != JOB_WAITING)
		return;
	j->state = JOB_RUNNING;
	j->started_usec = wall_clock_usec();
	j->manager->jobs_running++;
	manager_mark(j->manager, MANAGER_CHANGED_JOBS_RUNNING);
	tell_job_state(j);
}

static void end_job(struct job *j)
{
	struct manager *m = j->manager;

	assert(!job_ended(j));
	if (j->state == JOB_RUNNING) {
		assert(m->jobs_running > 0);
		m->jobs_running--;
		manager_mark(m, MANAGER_CHANGED_JOBS_RUNNING);
	}
	j->state = j->error == 0 ? JOB_DONE : j->error == -ECANCELED ? JOB_CANCELLED : JOB_FAILED;
	j->ended_usec = wall_clock_usec();
	tell_job_state(j);
}

void job_member_ended(struct job *j, struct volume *v, int error, const struct failure *f)
{
	struct job_member *member = member_of(j, v);
	bool all = true;

	assert(error <= 0);
	if (v->job == j) {
		v->job = NULL;
		volume_mark(v, 0);
	}
	if (!member || member->ended)
		return;
	member->ended = true;
	member->error = error;
	if (error < 0 && f)
		member->failure = *f;
	if (error < 0 && j->error == 0) {
		j->error = error;
		j->failure = member->failure;
	}
	for (size_t i = 0; i < j->n_members; i++)
		all = all && j->members[i].ended;
	if (all)
		end_job(j);
}

void job_volume_removed(struct job *j, struct volume *v)
{
	struct job_member *member = member_of(j, v);
	struct failure f;

	(void)failure_set(&f, -ENODEV, "%s: the volume has gone away", v->place.device);
	job_member_ended(j, v, -ENODEV, &f);
	if (member)
		member->volume = NULL;
}

void job_free_all(struct manager *m)
{
	while (m->jobs) {
		struct job *j = m->jobs;

		m->jobs = j->next;
		job_free(j);
	}
}
