/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker as the manager sees it: its control thread reads calls and answers at once. The real one
 * is in src/worker/control.c and service-methods.c; worker-jobs.c is what the other thread does.
 */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

/* --- messages --- */

static enum record_trust trust_of(const struct worker *w, const struct header *h)
{
	if (!*h->token)
		return RECORD_NONE;
	if (!w->keys)
		return RECORD_UNVERIFIED;
	return h->is_signed ? RECORD_VERIFIED : RECORD_UNTRUSTED;
}

static char *copy(const char *text)
{
	char *c = strdup(text);

	assert(c);
	return c;
}

static void fill_look(const struct worker *w, struct worker_look *l)
{
	const struct header *h = &w->seen;
	const struct node node = {.device = 1, .inode = w->disk->number + 1};

	*l = (struct worker_look){
		.valid = true,
		.uuid = copy(w->disk->uuid),
		.device = copy(w->disk->path),
		.header_device = copy(w->disk->path),
		.name = copy("vol"),
		.record = copy(h->token),
		.node = node,
		.header_node = node,
		.reencryption = h->state,
		.parameters.old_sector_size = 512,
		.parameters.new_sector_size = 512,
		.stacked = h->stacked,
		.supported = true,
		.trust = trust_of(w, h),
		.sequence = h->sequence,
		.progress = {.bytes_total = HOTZONES, .bytes_done = h->done},
		.keyslots = KEYSLOTS,
		.open_keyslots = w->opened,
	};
	l->name[0] = (char)('a' + w->disk->number);
	l->missing_keyslots = h->state == REENCRYPTION_NONE ? KEYSLOTS & ~w->opened : 0;
	if (h->state != REENCRYPTION_NONE) {
		(void)text_copy(l->parameters.mode, sizeof(l->parameters.mode), "reencrypt");
		(void)text_copy(l->parameters.direction, sizeof(l->parameters.direction),
				h->backward ? "backward" : "forward");
	}
	memcpy(l->old_side, h->old_side, sizeof(l->old_side));
	memcpy(l->new_side, h->new_side, sizeof(l->new_side));
}

struct message *worker_push(struct worker *w, enum said_kind kind)
{
	struct message *m;

	if (!w->link)
		return NULL;
	assert(w->n_outbox < QUEUE_MAX);
	m = &w->outbox[w->n_outbox++];
	*m = (struct message){.kind = kind};
	return m;
}

void worker_push_ended(struct worker *w, enum worker_job job, int error, bool finished)
{
	struct message *m = worker_push(w, SAID_ENDED);

	if (!m)
		return;
	m->end.job = job;
	m->end.error = error;
	m->end.outcome = finished ? OUTCOME_FINISHED : OUTCOME_STOPPED;
	if (error < 0)
		(void)failure_set(&m->end.failure, error, "%s: job %d failed: %s", w->disk->path,
				  job, strerror(-error));
	fill_look(w, &m->end.look);
}

void worker_push_reply(struct worker *w, enum worker_call call, int error)
{
	struct message *m = worker_push(w, SAID_REPLIED);

	if (!m)
		return;
	m->call = call;
	m->error = error;
	if (error < 0)
		(void)failure_set(&m->failure, error, "%s: call %d failed", w->disk->path, call);
}

void worker_push_keys(struct worker *w, const char *side)
{
	struct message *m = worker_push(w, SAID_KEYS);

	if (m) {
		(void)text_copy(m->side, sizeof(m->side), side);
		return;
	}
	w->kept_keys = true;
	(void)text_copy(w->kept_side, sizeof(w->kept_side), side);
}

void worker_push_kept_keys(struct worker *w)
{
	if (w->kept_keys)
		worker_push_keys(w, w->kept_side);
	w->kept_keys = false;
}

/* --- the control thread --- */

static void answer_status(struct worker *w)
{
	struct message *m = worker_push(w, SAID_STATUS);

	if (!m)
		return;
	m->status = (struct worker_status){
		.version = PACKAGE_VERSION,
		.job = w->job,
		.unlocked = w->keys,
		.passphrases = w->keys,
		.run = w->run,
	};
	if (world.upgrades && w->manager != world.managers)
		(void)text_copy(m->status.version, sizeof(m->status.version), "older");
}

static int accept_lock(struct worker *w)
{
	if (w->job == WORKER_NONE)
		return 0;
	if (w->keys_in_use)
		return -EBUSY;
	w->stop = true;
	return 0;
}

static int accept_job(struct worker *w, enum worker_job job)
{
	if (w->quit)
		return -ECANCELED;
	if (job == WORKER_LOCK)
		return accept_lock(w);
	if (job == WORKER_INSPECT)
		return 0;
	if (job == WORKER_REVERSE && w->job == WORKER_CONVERT && w->after == WORKER_NONE) {
		w->after = job;
		w->stop = true;
		return 0;
	}
	if (w->job != WORKER_NONE)
		return -EBUSY;
	w->job = job;
	w->keys_in_use = job == WORKER_CONVERT;
	w->stop = false;
	return 0;
}

static void keep_request(struct worker *w, struct call *c)
{
	if (c->job == WORKER_CONVERT)
		w->run = c->run;
	assert(w->n_requests < QUEUE_MAX);
	w->requests[w->n_requests++] = *c;
}

static void read_job(struct worker *w, struct call *c)
{
	int r;

	if (c->job == WORKER_INSPECT && w->job != WORKER_NONE && w->looked) {
		worker_push_ended(w, WORKER_INSPECT, 0, false);
		return;
	}
	r = accept_job(w, c->job);
	if (r < 0) {
		worker_push_ended(w, c->job, r, false);
		return;
	}
	if (c->job != WORKER_INSPECT)
		check_job(w, c);
	keep_request(w, c);
}

static void read_record(struct worker *w, struct call *c)
{
	free(w->record);
	w->record = TAKE_PTR(c->text);
	w->record_calls++;
}

static void read_simple(struct worker *w, struct call *c)
{
	struct call lock = {.kind = CALL_JOB, .job = WORKER_LOCK};
	int r = 0;

	switch (c->call) {
	case WORKER_CALL_SET_RECORD:
		read_record(w, c);
		return; /* answered when the record is durable */
	case WORKER_CALL_LOCK:
		r = accept_job(w, WORKER_LOCK);
		if (r == 0)
			keep_request(w, &lock);
		break;
	case WORKER_CALL_STOP:
		w->stop = true;
		break;
	case WORKER_CALL_QUIT:
		w->quit = w->stop = true;
		break;
	case WORKER_CALL_SET_LIMITS:
	case WORKER_CALL_SET_GOVERNOR:
	case WORKER_CALL_SET_IDENTITY:
	case WORKER_CALL_COUNT:
		break;
	}
	worker_push_reply(w, c->call, r);
}

bool worker_can_read(const struct worker *w)
{
	return w->alive && w->n_inbox > 0;
}

void worker_read(struct worker *w)
{
	struct call c = w->inbox[0];

	memmove(w->inbox, w->inbox + 1, --w->n_inbox * sizeof(c));
	switch (c.kind) {
	case CALL_JOB:
		read_job(w, &c);
		break;
	case CALL_SIMPLE:
		read_simple(w, &c);
		break;
	case CALL_STATUS:
		answer_status(w);
		break;
	}
	free(c.text);
}

void worker_die(struct worker *w)
{
	if (w->disk->locked_by == w)
		w->disk->locked_by = NULL;
	w->opened = 0;
	w->alive = w->keys = false;
	store_worker_died(w);
}

void worker_clear(struct worker *w)
{
	for (unsigned i = 0; i < w->n_inbox; i++)
		free(w->inbox[i].text);
	for (unsigned i = 0; i < w->n_outbox; i++)
		message_clear(MESSAGE_LOOK, &w->outbox[i].end.look);
	free(w->record);
	w->record = NULL;
	w->n_inbox = w->n_outbox = 0;
}
