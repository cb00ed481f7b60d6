/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What has to hold in each order of events:
 *
 *   what callers were promised is durable before anything is done because of it
 *   each call is answered once
 *   a group is all or none
 *   nothing waits for ever
 *   no key outlives its use
 */
#include "host.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "util/text.h"

#define require(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			play_fail(__VA_ARGS__);                                                    \
	} while (0)

static struct record token_of(const struct disk *d)
{
	struct record r;

	require(record_parse(d->header.token, &r) == 0, "%s: the token is no token", d->path);
	return r;
}

static bool is_outcome(const struct record *r, const char *outcome)
{
	return strcmp(r->last.outcome, outcome) == 0;
}

/* --- before the worker acts --- */

static void check_group(const struct disk *d)
{
	if (!host.scenario->group)
		return;
	for (unsigned i = 0; i < world.n_disks; i++) {
		const struct header *h = &world.disk[i].header;

		if (!host.in_group[i])
			continue;
		require(h->state != REENCRYPTION_NONE || strcmp(h->old_side, host.sides[i]) != 0,
			"%s is converted, and %s is not prepared", d->path, world.disk[i].path);
	}
}

void check_job(const struct worker *w, const struct call *c)
{
	const struct disk *d = w->disk;
	const struct record r = token_of(d);

	switch (c->job) {
	case WORKER_PREPARE:
		require(r.has_queued && is_outcome(&r, "preparing"),
			"%s: is prepared before the header says why", d->path);
		require(!c->loses || r.queued.lose_keyslots,
			"%s: may lose keyslots before the header says so", d->path);
		break;
	case WORKER_CONVERT:
		require(is_outcome(&r, "running") && r.last.converting_usec > 0,
			"%s: is converted before the header says that it has started", d->path);
		require(!d->header.backward || r.turned, "%s: goes back before the header says why",
			d->path);
		if (!d->header.backward)
			check_group(d);
		break;
	case WORKER_UNDO:
		require(r.cancel && r.turned, "%s: is undone before the header says why", d->path);
		break;
	case WORKER_REVERSE:
		require(r.cancel, "%s: is reversed before the header says why", d->path);
		break;
	case WORKER_NONE:
	case WORKER_INSPECT:
	case WORKER_UNLOCK:
	case WORKER_USE_PROVIDER:
	case WORKER_ADOPT:
	case WORKER_LOCK:
	case WORKER_CHECK:
	case WORKER_RECOVER:
	case WORKER_FOREGROUND:
	case WORKER_JOB_COUNT:
		break;
	}
}

/* --- what callers hear --- */

/* Has another call to the same volume come after this one? Then its word counts. */
static bool is_overtaken(const struct issued *o)
{
	for (const struct issued *p = o + 1; p < host.issued + host.n_issued; p++)
		if (!p->refused && p->op.kind != OP_CHECK && p->op.kind != OP_UNLOCK_WRONG &&
		    (p->op.disk == o->op.disk || p->op.kind == OP_ROTATE_ALL ||
		     o->op.kind == OP_ROTATE_ALL))
			return true;
	return host.helped > 0;
}

void check_answer(const struct issued *o)
{
	const struct disk *d = &world.disk[o->op.disk];
	struct record r;

	if (o->error < 0 || is_overtaken(o))
		return;
	r = token_of(d);
	if (o->op.kind == OP_SUSPEND)
		require(r.suspended && d->header.state != REENCRYPTION_HOT && !d->header.stacked,
			"%s: its suspension is promised, and not durable", d->path);
	if (o->op.kind == OP_RESUME)
		require(!r.suspended, "%s: its resumption is promised, and not durable", d->path);
	if (o->op.kind == OP_RATE)
		require(r.has_rate && r.rate == o->op.disk + 1,
			"%s: its rate is promised, and not durable", d->path);
}

static void check_rotated(const struct disk *d, const char *side_before)
{
	const struct header *h = &d->header;

	require(h->state == REENCRYPTION_NONE, "%s: its job is done, and it is in re-encryption",
		d->path);
	require(strcmp(h->old_side, side_before) != 0, "%s: rotated, and yet under the old key",
		d->path);
}

void check_job_end(const struct issued *o, const struct job *j)
{
	const struct disk *d = &world.disk[o->op.disk];

	/* A rotation that is to follow has the job of what is under way, a cancel perhaps. */
	if (j->state != JOB_DONE || is_overtaken(o) || o->op.kind == OP_ROTATE_AFTER)
		return;
	if (o->op.kind == OP_ROTATE || o->op.kind == OP_ROTATE_LOSING) {
		check_rotated(d, o->side);
	} else if (o->op.kind == OP_CANCEL) {
		require(d->header.state == REENCRYPTION_NONE &&
				strcmp(d->header.old_side, o->side) == 0,
			"%s: cancelled, and yet not under the old key", d->path);
	} else {
		for (unsigned i = 0; i < world.n_disks; i++)
			if (host.in_group[i])
				check_rotated(&world.disk[i], host.sides[i]);
	}
}

/* --- when nothing is left to happen --- */

/* Of the volume that @v is held for: is it gone, or does nobody vouch for its word? */
static bool is_speechless(const struct volume *v)
{
	const struct volume *first = manager_volume_by_uuid(host.manager, v->token.record.held);

	return !first || first->token.found || first->token.record.foreign;
}

/*
 * Does it wait for a volume of its group that waits for a person, or that was forgotten? Then it
 * says so, and what to do.
 */
static bool waits_for_another(const struct volume *v)
{
	if (v->status.state != VOLUME_PREPARING || !*v->token.record.held)
		return false;
	if (!v->group && *v->status.reason && is_speechless(v))
		return true;
	for (const struct volume *o = host.manager->volumes; o; o = o->next)
		if (o != v &&
		    (o->status.state == VOLUME_SUSPENDED || o->status.state == VOLUME_FAILED ||
		     o->status.state == VOLUME_LOCKED))
			return true;
	return false;
}

static void check_volume(const struct volume *v)
{

	require(v->status.state == VOLUME_IDLE || v->status.state == VOLUME_SUSPENDED ||
			v->status.state == VOLUME_LOCKED ||
			(v->status.state == VOLUME_FAILED && world.hung) || waits_for_another(v),
		"%s: waits for ever as %s (%s)", v->place.device,
		volume_state_name(v->status.state), v->status.reason);
	require(!trouble_is_conflict(&v->trouble), "%s: its own header is no longer known again",
		v->place.device);
	/* Whoever asked for it was told so, and it is written with the next one. */
	require(world.hung || (v->writing.wanted == v->writing.durable &&
			       v->writing.place == RECORD_IN_HEADER),
		"%s: its record is not in the header", v->place.device);
	require(v->worker.job == WORKER_NONE, "%s: a worker is at work and never ends",
		v->place.device);
	require(!v->requests, "%s: a call is never answered", v->place.device);
	require(v->status.state != VOLUME_IDLE || !v->job, "%s: is idle, and its job never ends",
		v->place.device);
}

/* Of this manager or one before it. */
static void check_jobs(void)
{
	for (const struct job *j = host.manager->jobs.first; j; j = j->next)
		for (size_t i = 0; i < j->n_members; i++) {
			const struct job_member *m = &j->members[i];
			const struct volume *v = manager_volume_by_uuid(host.manager, m->uuid);

			require(!v || m->ended || v->job == j,
				"%s: job %llu waits for ever, and nothing is done for it",
				v->place.device, (unsigned long long)j->id);
		}
}

static void check_keys(const struct volume *v)
{
	const struct disk *d = world_disk(v->uuid);

	if (v->status.state != VOLUME_IDLE)
		return;
	require(!store_has_keys(v->uuid), "%s: volume keys are kept after their use",
		v->place.device);
	for (unsigned i = 0; i < world.n_workers; i++) {
		const struct worker *w = &world.worker[i];

		require(!w->alive || w->disk != d || d->unlocked_by_person,
			"%s: a worker is there without need", v->place.device);
	}
}

void check_at_rest(void)
{
	for (unsigned i = 0; i < world.n_disks; i++) {
		const struct volume *v = manager_volume_by_uuid(host.manager, world.disk[i].uuid);

		if (!v && world.hung)
			continue; /* it did not answer: a person has to add it */
		require(v, "%s: is not found", world.disk[i].path);
		check_volume(v);
		check_keys(v);
	}
	check_jobs();
	for (unsigned i = 0; i < host.n_issued; i++) {
		const struct issued *o = &host.issued[i];

		require(o->refused || o->answered || o->lost, "call %u is never answered", i);
	}
}

void check_at_end(void)
{
	unsigned changed = 0, members = 0;

	for (unsigned i = 0; i < world.n_disks; i++) {
		const struct disk *d = &world.disk[i];

		require(d->header.state == REENCRYPTION_NONE && !d->header.stacked,
			"%s: nobody brings its rotation to an end", d->path);
		members += host.in_group[i];
		changed += host.in_group[i] && strcmp(d->header.old_side, host.sides[i]) != 0;
	}
	require(!host.scenario->group || changed == 0 || changed == members,
		"%u of %u volumes of a group have a new key", changed, members);
}
