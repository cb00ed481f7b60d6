/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Callers that wait: for a record that is durable, for a stop, for an answer of the worker. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "util/error.h"

int request_add(struct volume *v, const struct request *r)
{
	struct request **end = &v->requests, *q = malloc(sizeof(*q));

	assert((r->kind == REQUEST_UNLOCK) == (r->fd >= 0));
	assert(!r->check_done || (r->kind == REQUEST_CHECK && !r->done));
	assert(!r->sent && r->sequence <= v->writing.wanted); /* or it would wait for ever */
	if (!q)
		return -ENOMEM;
	*q = *r;
	q->caller = v->manager->jobs.caller;
	q->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = q;
	mark_set(&v->mark, 0);
	return 0;
}

/* Takes it out of the list; the callback may add others. */
static void answer_request(struct volume *v, struct request *q, struct volume *told, int error,
			   const struct failure *f, const struct worker_end *end)
{
	static const struct failure none;
	static const struct worker_end nothing;

	assert(error <= 0);
	for (struct request **p = &v->requests; *p; p = &(*p)->next)
		if (*p == q) {
			*p = q->next;
			break;
		}
	if (q->fd >= 0)
		(void)close(q->fd);
	if (q->done)
		q->done(told, error, f ? f : &none, q->userdata);
	if (q->check_done)
		q->check_done(told, error, f ? f : &none, end ? end : &nothing, q->userdata);
	free(q);
}

/* Its worker has died in a hotzone, and the next one recovers that, if it can. */
static int judge_unclean(const struct volume *v, struct failure *f)
{
	if (v->status.state == VOLUME_LOCKED)
		return failure_set(f, -ENOKEY,
				   "%s: it is suspended, but a range is left half converted, and "
				   "needs a key to be recovered: unlock the volume",
				   v->place.device);
	if (v->status.state == VOLUME_FAILED)
		return failure_set(
			f, -EIO, "%s: it is suspended, but a range is left half converted: %.400s",
			v->place.device, v->status.reason);
	return 1;
}

/* 1: not yet. 0 or a negative errno: to be answered so. */
static int judge_request(const struct volume *v, const struct request *q, struct failure *f)
{
	if (q->kind != REQUEST_RECORD && q->kind != REQUEST_SUSPENDED)
		return 1;
	if (v->writing.durable < q->sequence || v->writing.place == RECORD_GIVEN_UP)
		return 1;
	if (q->kind == REQUEST_RECORD)
		return 0;
	if (v->status.state == VOLUME_IDLE)
		return failure_set(f, -ERROR_NO_ROTATION, "%s: the rotation had ended before",
				   v->place.device);
	if (!v->token.record.suspended)
		return failure_set(f, -ECANCELED, "%s: it was resumed meanwhile", v->place.device);
	/* Nobody knows what its worker left when it died. */
	if (!worker_slot_knows_header(&v->worker))
		return 1;
	if (header_is_unclean(&v->header))
		return judge_unclean(v, f);
	/* Nothing is prepared or converted; somebody else may unlock it meanwhile. */
	return v->worker.job == WORKER_NONE || v->worker.job == WORKER_UNLOCK ||
			       v->worker.job == WORKER_CHECK
		       ? 0
		       : 1;
}

void request_answer(struct volume *v)
{
	struct request *q = v->requests;

	while (q) {
		struct request *next = q->next;
		struct failure f = {};
		int r = judge_request(v, q, &f);

		if (r <= 0)
			answer_request(v, q, v, r, &f, NULL);
		q = next;
	}
}

bool request_ended(struct volume *v, enum request_kind kind, int error, const struct failure *f,
		   const struct worker_end *end)
{
	/* A record is waited for by its sequence. */
	assert(kind != REQUEST_RECORD && kind != REQUEST_SUSPENDED);
	for (struct request *q = v->requests; q; q = q->next)
		if (q->kind == kind && (q->sent || error < 0)) {
			answer_request(v, q, v, error, f, end);
			return true;
		}
	return false;
}

const struct caller_id *request_caller(const struct volume *v, enum request_kind kind)
{
	for (const struct request *q = v->requests; q; q = q->next)
		if (q->kind == kind && q->sent)
			return &q->caller;
	return NULL;
}

void request_worker_died(struct volume *v)
{
	struct request *q = v->requests;
	struct failure f;

	(void)failure_set(&f, -EIO, "%s: its worker died", v->place.device);
	while (q) {
		struct request *next = q->next;

		if (q->sent && q->kind == REQUEST_LOOK)
			q->sent = false;
		else if (q->sent)
			answer_request(v, q, v, -EIO, &f, NULL);
		q = next;
	}
}

void request_unsend(struct volume *v)
{
	for (struct request *q = v->requests; q; q = q->next)
		q->sent = false;
}

void request_wait_until(struct volume *v, uint64_t sequence)
{
	for (struct request *q = v->requests; q; q = q->next)
		if (q->kind == REQUEST_RECORD || q->kind == REQUEST_SUSPENDED)
			q->sequence = sequence;
}

void request_record_failed(struct volume *v, uint64_t sequence, int error, const struct failure *f)
{
	struct request *q = v->requests;

	assert(error < 0);
	while (q) {
		struct request *next = q->next;

		if ((q->kind == REQUEST_RECORD || q->kind == REQUEST_SUSPENDED) &&
		    q->sequence <= sequence)
			answer_request(v, q, v, error, f, NULL);
		q = next;
	}
}

void request_end_all(struct volume *v, int error, const struct failure *f)
{
	assert(error < 0);
	while (v->requests)
		answer_request(v, v->requests, NULL, error, f, NULL);
}

void request_free_all(struct volume *v)
{
	while (v->requests) {
		struct request *q = v->requests;

		v->requests = q->next;
		if (q->fd >= 0)
			(void)close(q->fd);
		free(q);
	}
}

struct request *request_to_send(struct volume *v)
{
	for (struct request *q = v->requests; q; q = q->next)
		if (!q->sent && q->kind != REQUEST_RECORD && q->kind != REQUEST_SUSPENDED)
			return q;
	return NULL;
}

struct request *request_lock_to_send(struct volume *v)
{
	for (struct request *q = v->requests; q; q = q->next)
		if (!q->sent && q->kind == REQUEST_LOCK)
			return q;
	return NULL;
}

bool request_pending(const struct volume *v)
{
	return v->requests != NULL;
}

const struct request *request_check_asked(const struct volume *v)
{
	for (const struct request *q = v->requests; q; q = q->next)
		if (q->kind == REQUEST_CHECK && q->asked)
			return q;
	return NULL;
}
