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
#include <string.h>

#include "daemon/control/core.h"

static void drop_hold(struct volume *v)
{
	record_release(&v->token.record);
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
	if (!header_in_reencryption(&v->header) && v->worker.job != WORKER_PREPARE &&
	    !v->header.unseen) {
		record_failed(&v->token.record, why, wall_clock_usec());
		volume_tell_end(v);
		volume_spare_keys(v);
	} else {
		record_take_back(&v->token.record);
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
	return !v->token.found && !trouble_is_conflict(&v->trouble) && !v->token.record.foreign;
}

/* @first: whose word it waits for; NULL: not there yet. */
static void settle_held(struct volume *v, const struct volume *first)
{
	static const char why[] = "the daemon ended while its group was being prepared";
	const struct record *r = &v->token.record;
	const bool prepared = header_in_reencryption(&v->header);
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
			settle_held(v, manager_present_volume(m, v->token.record.held));
}

void group_join(struct volume *v, struct job *j, const char *group, const struct volume *first)
{
	assert(j && !v->group);
	v->group = j;
	record_hold(&v->token.record, group, first->uuid);
	(void)volume_record_changed(v);
}
