/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* No volume of it is there. */
static bool is_abandoned(const struct job *j, uint64_t now)
{
	for (size_t i = 0; i < j->n_members; i++)
		if (j->members[i].volume)
			return false;
	return now > j->created_usec && now - j->created_usec > JOBS_WAIT_USEC;
}

/* Does the result go, with @later jobs that have ended after it? */
static bool is_old(const struct jobs *jobs, const struct job *j, size_t later, uint64_t now)
{
	if (!job_ended(j))
		return is_abandoned(j, now);
	if (now > j->ended_usec && now - j->ended_usec > JOBS_AGE_USEC)
		return true;
	return later >= JOBS_KEPT && !accepted_of_job(&jobs->accepted, j->id);
}

static void drop_job(struct jobs *jobs, struct job **where)
{
	struct job *j = *where;

	assert(jobs->n > 0);
	*where = j->next;
	jobs->n--;
	jobs->unsaved = true;
	(void)accepted_forget_job(&jobs->accepted, j->id);
	jobs->observer->removed(j, jobs->userdata);
	job_free(j);
}

/*
 * Only job_new() and the manager's start call this: a function that ends a job still uses it
 * afterwards.
 */
void job_drop_old(struct jobs *jobs)
{
	const uint64_t now = wall_clock_usec();
	size_t ended = 0;

	for (struct job *j = jobs->first; j; j = j->next)
		ended += job_ended(j);
	for (struct job **p = &jobs->first; *p;) {
		struct job *j = *p;

		ended -= job_ended(j);
		if (is_old(jobs, j, ended, now))
			drop_job(jobs, p);
		else
			p = &j->next;
	}
	if (now > ACCEPTED_AGE_USEC)
		accepted_forget_old(&jobs->accepted, now - ACCEPTED_AGE_USEC);
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
	jobs->unsaved = true;
	jobs->observer->added(j, jobs->userdata);
}

int job_new(struct jobs *jobs, enum job_kind kind, const struct job_seat *seats, size_t n,
	    struct job **ret)
{
	struct job *j;

	assert(n > 0);
	job_drop_old(jobs);
	j = alloc_job(n);
	if (!j)
		return -ENOMEM;
	j->jobs = jobs;
	j->id = job_numbers_next(&jobs->numbers);
	j->kind = kind;
	j->created_usec = wall_clock_usec();
	j->caller = jobs->caller;
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

int job_restore(struct jobs *jobs, const struct job *from)
{
	struct job *j;

	assert(from->n_members > 0);
	for (const struct job *o = jobs->first; o; o = o->next)
		if (o->id >= from->id)
			return -EINVAL;
	j = alloc_job(from->n_members);
	if (!j)
		return -ENOMEM;
	memcpy(j->members, from->members, from->n_members * sizeof(*j->members));
	j->jobs = jobs;
	j->id = from->id;
	j->kind = from->kind;
	/* What runs is seen when the volume is there. */
	j->state = from->state == JOB_RUNNING ? JOB_WAITING : from->state;
	j->created_usec = from->created_usec;
	j->started_usec = from->started_usec;
	j->ended_usec = from->ended_usec;
	j->error = from->error;
	j->failure = from->failure;
	j->caller = from->caller;
	j->bytes = from->bytes;
	j->n_members = from->n_members;
	job_numbers_seen(&jobs->numbers, j->id);
	list_job(jobs, j);
	return 0;
}

/* The volume is not there, and its part has not ended. */
static struct job_member *waiting_member(struct job *j, const char *uuid)
{
	for (size_t i = 0; i < j->n_members; i++) {
		struct job_member *member = &j->members[i];

		if (!member->volume && !member->ended && strcmp(member->uuid, uuid) == 0)
			return member;
	}
	return NULL;
}

static void replaced(struct job *j, const struct volume *v)
{
	struct failure f;

	(void)failure_set(&f, -ECANCELED, "another job has taken its place");
	job_member_ended(j, v, -ECANCELED, &f);
}

struct job *job_volume_found(struct jobs *jobs, const struct job_seat *seat)
{
	struct job *found = NULL;

	for (struct job *j = jobs->first; j; j = j->next) {
		struct job_member *member = waiting_member(j, seat->uuid);

		if (!member)
			continue;
		if (found)
			replaced(found, seat->volume);
		member->volume = seat->volume;
		member->present = seat->present;
		*member->present = j;
		found = j;
	}
	return found;
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
	if (j->started_usec == 0) /* an earlier daemon has not */
		j->started_usec = wall_clock_usec();
	j->jobs->running++;
	j->jobs->unsaved = true;
	j->jobs->observer->changed(j, JOB_CHANGED_STATE | JOB_CHANGED_RUNNING, j->jobs->userdata);
}

static void end_job(struct job *j)
{
	const bool ran = j->state == JOB_RUNNING;

	assert(!job_ended(j) && (!ran || j->jobs->running > 0));
	j->jobs->running -= ran;
	j->state = j->error == 0 ? JOB_DONE : j->error == -ECANCELED ? JOB_CANCELLED : JOB_FAILED;
	j->ended_usec = wall_clock_usec();
	j->jobs->unsaved = true;
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
	j->jobs->unsaved = true;
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
	accepted_free(&jobs->accepted);
}
