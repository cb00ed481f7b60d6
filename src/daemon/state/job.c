/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/checked.h"
#include "util/clock.h"

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
static void drop_old(struct jobs *jobs)
{
	size_t ended = 0;

	for (struct job *j = jobs->first; j; j = j->next)
		ended += job_ended(j);
	for (struct job **p = &jobs->first; *p && ended > JOBS_KEPT;) {
		struct job *j = *p;

		if (!job_ended(j)) {
			p = &j->next;
			continue;
		}
		assert(jobs->n > 0);
		*p = j->next;
		jobs->n--;
		ended--;
		jobs->observer->removed(j, jobs->userdata);
		job_free(j);
	}
}

static struct job *alloc_job(size_t n)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->members = calloc(n, sizeof(*j->members));
	if (j->members)
		return j;
	free(j);
	return NULL;
}

static void list_job(struct jobs *jobs, struct job *j)
{
	struct job **end = &jobs->first;

	while (*end)
		end = &(*end)->next;
	*end = j;
	jobs->n++;
	jobs->observer->added(j, jobs->userdata);
}

int job_new(struct jobs *jobs, enum job_kind kind, const struct job_seat *seats, size_t n,
	    struct job **ret)
{
	struct job *j;

	assert(n > 0);
	drop_old(jobs);
	j = alloc_job(n);
	if (!j)
		return -ENOMEM;
	j->jobs = jobs;
	j->id = job_numbers_next(&jobs->numbers);
	j->kind = kind;
	j->created_usec = wall_clock_usec();
	j->n_members = n;
	for (size_t i = 0; i < n; i++) {
		struct job_member *member = &j->members[i];

		member->volume = seats[i].volume;
		member->present = seats[i].present;
		(void)snprintf(member->uuid, sizeof(member->uuid), "%s", seats[i].uuid);
		*member->present = j;
	}
	list_job(jobs, j);
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

void job_member_started(struct job *j, const struct volume *v)
{
	if (!member_of(j, v) || j->state != JOB_WAITING)
		return;
	j->state = JOB_RUNNING;
	j->started_usec = wall_clock_usec();
	j->jobs->running++;
	j->jobs->observer->changed(j, JOB_CHANGED_STATE | JOB_CHANGED_RUNNING, j->jobs->userdata);
}

static void end_job(struct job *j)
{
	const bool ran = j->state == JOB_RUNNING;

	assert(!job_ended(j) && (!ran || j->jobs->running > 0));
	j->jobs->running -= ran;
	j->state = j->error == 0 ? JOB_DONE : j->error == -ECANCELED ? JOB_CANCELLED : JOB_FAILED;
	j->ended_usec = wall_clock_usec();
	j->jobs->observer->changed(j, JOB_CHANGED_STATE | (ran ? JOB_CHANGED_RUNNING : 0),
				   j->jobs->userdata);
}

static void leave_job(struct job *j, struct job_member *member)
{
	if (*member->present != j)
		return;
	*member->present = NULL;
	j->jobs->observer->left(member->volume, j->jobs->userdata);
}

void job_member_ended(struct job *j, const struct volume *v, int error, const struct failure *f)
{
	struct job_member *member = member_of(j, v);
	bool all = true;

	assert(error <= 0);
	if (!member)
		return;
	leave_job(j, member);
	if (member->ended)
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

bool job_member_prepared(struct job *j, const struct volume *v)
{
	bool all = true;

	for (size_t i = 0; i < j->n_members; i++) {
		if (j->members[i].volume == v)
			j->members[i].prepared = true;
		all = all && j->members[i].prepared;
	}
	return all;
}

void job_volume_removed(struct jobs *jobs, const struct volume *v, int error,
			const struct failure *f)
{
	for (struct job *j = jobs->first; j; j = j->next) {
		struct job_member *member = member_of(j, v);

		if (!member)
			continue;
		job_member_ended(j, v, error, f);
		member->volume = NULL;
	}
}

void job_free_all(struct jobs *jobs)
{
	while (jobs->first) {
		struct job *j = jobs->first;

		jobs->first = j->next;
		job_free(j);
	}
}
