/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker's other thread: it takes one request after the other and changes the header. What the
 * real worker does in src/worker/service-jobs.c and work.c is done here in the same order, in steps
 * between which it can be killed.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/text.h"
#include "world.h"

static void look_again(struct worker *w)
{
	w->seen = w->disk->header;
	w->looked = true;
}

static int take_lock(struct worker *w)
{
	struct disk *d = w->disk;

	if (d->locked_by && d->locked_by != w)
		return -EBUSY;
	d->locked_by = w;
	w->known_sequence = d->header.sequence;
	return 0;
}

static void commit(struct worker *w)
{
	w->known_sequence = ++w->disk->header.sequence;
}

static void end_job(struct worker *w, int error, bool finished)
{
	const enum worker_job job = w->current.job;

	if (w->disk->locked_by == w)
		w->disk->locked_by = NULL;
	w->converting = false;
	w->at = 0;
	if (!w->quit && w->n_requests == 0)
		w->stop = false;
	look_again(w);
	worker_push_ended(w, job, error, finished);
	if (job == WORKER_INSPECT)
		return;
	w->job = w->after;
	w->after = WORKER_NONE;
}

static void write_record(struct worker *w)
{
	struct header *h = &w->disk->header;

	assert(strlen(w->record) < sizeof(h->token));
	(void)text_copy(h->token, sizeof(h->token), w->record);
	h->is_signed = w->keys;
	commit(w);
	free(w->record);
	w->record = NULL;
	for (; w->record_calls > 0; w->record_calls--)
		worker_push_reply(w, WORKER_CALL_SET_RECORD, 0);
	(void)text_copy(w->seen.token, sizeof(w->seen.token), h->token);
	w->seen.is_signed = h->is_signed;
}

static void finish(struct worker *w)
{
	struct header *h = &w->disk->header;

	memcpy(h->old_side, h->new_side, sizeof(h->old_side));
	h->new_side[0] = '\0';
	h->state = REENCRYPTION_NONE;
	h->backward = h->stacked = false;
	h->done = 0;
	commit(w);
}

/* The hotzone that was hot is converted; it may be the last one. */
static void recover(struct worker *w)
{
	struct header *h = &w->disk->header;

	h->stacked = false;
	if (h->state != REENCRYPTION_HOT)
		return;
	if (++h->done == HOTZONES) {
		finish(w);
		return;
	}
	h->state = REENCRYPTION_CLEAN;
	commit(w);
}

static bool is_changed_by_others(const struct worker *w)
{
	return w->disk->header.sequence != w->known_sequence;
}

static int enter(struct worker *w)
{
	const struct header *h = &w->disk->header;
	int r;

	if (h->sequence < w->current.run.least_sequence)
		return -ERROR_HEADER_CHANGED;
	if (h->state == REENCRYPTION_NONE)
		return -ERROR_NO_ROTATION;
	if (!w->keys)
		return -ENOKEY;
	r = take_lock(w);
	if (r < 0)
		return r;
	worker_push_keys(w, h->backward ? h->old_side : h->new_side);
	w->keys_in_use = true;
	return 0;
}

static void push_progress(struct worker *w)
{
	struct message *m = worker_push(w, SAID_PROGRESS);

	w->seen.done = w->disk->header.done;
	if (m)
		m->progress = (struct worker_progress){
			.bytes_done = w->disk->header.done, .bytes_total = HOTZONES, .rate = 1};
}

/* One hotzone in two steps, with whatever there is to do at the boundary before it. */
static void convert_on(struct worker *w)
{
	struct header *h = &w->disk->header;

	if (is_changed_by_others(w)) {
		end_job(w, -ERROR_HEADER_CHANGED, false);
	} else if (h->state == REENCRYPTION_HOT) {
		recover(w);
		h->stacked = h->state != REENCRYPTION_NONE;
		if (h->state == REENCRYPTION_NONE)
			end_job(w, 0, true);
		else
			push_progress(w);
	} else if (w->record) {
		write_record(w);
	} else if (w->stop) {
		h->stacked = false;
		end_job(w, 0, false);
	} else {
		h->state = REENCRYPTION_HOT;
		h->stacked = true;
		commit(w);
	}
}

static void do_convert(struct worker *w)
{
	int r;

	if (w->converting) {
		convert_on(w);
		return;
	}
	r = enter(w);
	if (r < 0)
		end_job(w, r, false);
	else
		w->converting = true;
}

static void do_recover(struct worker *w)
{
	const struct header *h = &w->disk->header;
	int r;

	if (h->state != REENCRYPTION_HOT && !h->stacked) {
		end_job(w, 0, false);
		return;
	}
	r = enter(w);
	if (r == 0)
		recover(w);
	end_job(w, r, false);
}

static int enter_to_turn(struct worker *w)
{
	const struct header *h = &w->disk->header;
	int r;

	if (h->state != REENCRYPTION_NONE && h->backward)
		return -ERROR_REVERSING;
	r = enter(w);
	if (r < 0)
		return r;
	recover(w);
	return h->state == REENCRYPTION_NONE ? -EINVAL : 0;
}

static void do_reverse(struct worker *w)
{
	struct header *h = &w->disk->header;
	const int r = enter_to_turn(w);
	char side[33];

	if (r == 0 && h->done > 0) {
		memcpy(side, h->old_side, sizeof(side));
		memcpy(h->old_side, h->new_side, sizeof(side));
		memcpy(h->new_side, side, sizeof(side));
		h->backward = true;
		h->done = HOTZONES - h->done;
		commit(w);
	}
	end_job(w, r, false);
}

static void do_undo(struct worker *w)
{
	struct header *h = &w->disk->header;
	int r = enter_to_turn(w);

	if (r == 0 && h->done > 0)
		r = -EINVAL;
	if (r == 0) {
		memcpy(h->new_side, h->old_side, sizeof(h->new_side));
		finish(w);
	}
	end_job(w, r, false);
}

static int check_prepare(const struct worker *w)
{
	const struct header *h = &w->disk->header;
	const char *side = w->current.run.side;

	if (h->state != REENCRYPTION_NONE)
		return -ERROR_IN_PROGRESS;
	if (*side && strcmp(side, h->old_side) != 0)
		return -ERROR_HEADER_CHANGED;
	if (!w->keys)
		return -ENOKEY;
	return world.keyslots && !w->current.loses && (w->opened & KEYSLOTS) != KEYSLOTS
		       ? -ERROR_KEYSLOTS_LOST
		       : 0;
}

static int commit_prepared(struct worker *w)
{
	struct disk *d = w->disk;
	int r = w->stop ? -ECANCELED : take_lock(w);

	if (r < 0)
		return r;
	if (d->header.state != REENCRYPTION_NONE)
		return -EBUSY;
	d->header.state = REENCRYPTION_CLEAN;
	d->header.done = 0;
	(void)snprintf(d->header.new_side, sizeof(d->header.new_side), "%u.%u", d->number,
		       ++d->keys_made);
	commit(w);
	return 0;
}

static void do_prepare(struct worker *w)
{
	int r = 0;

	switch (w->at) {
	case 1: /* the derivation of keys takes its time */
		r = check_prepare(w);
		break;
	case 2:
		r = commit_prepared(w);
		break;
	default:
		worker_push_keys(w, w->disk->header.new_side);
		end_job(w, 0, false);
		return;
	}
	if (r < 0)
		end_job(w, r, false);
}

static void do_unlock(struct worker *w)
{
	int r = 0;

	if (w->at == 1)
		return; /* a key is derived */
	if (w->stop)
		r = -ECANCELED;
	else if (w->current.job == WORKER_UNLOCK)
		r = w->current.wrong ? -ERROR_KEY_REJECTED : 0;
	else
		r = world.provider;
	w->keys = w->keys || r == 0;
	if (r == 0)
		w->opened |= w->current.opens & KEYSLOTS;
	end_job(w, r, false);
}

static void do_adopt(struct worker *w)
{
	const struct header *h = &w->disk->header;
	const char *side = w->current.side;
	const bool known = h->state != REENCRYPTION_NONE &&
			   (strcmp(side, h->old_side) == 0 || strcmp(side, h->new_side) == 0);

	w->keys = w->keys || known;
	end_job(w, known ? 0 : -ENOKEY, false);
}

static void begin_request(struct worker *w)
{
	w->current = w->requests[0];
	memmove(w->requests, w->requests + 1, --w->n_requests * sizeof(w->current));
	w->at = 1;
	if (w->current.job == WORKER_REVERSE)
		w->stop = false;
	if (w->current.job != WORKER_INSPECT && w->current.job != WORKER_LOCK)
		look_again(w);
}

static void work_on(struct worker *w)
{
	switch (w->current.job) {
	case WORKER_LOCK:
		w->keys = false;
		w->opened = 0;
		w->at = 0;
		return;
	case WORKER_INSPECT:
	case WORKER_CHECK:
		end_job(w, 0, false);
		return;
	case WORKER_UNLOCK:
	case WORKER_USE_PROVIDER:
		do_unlock(w);
		break;
	case WORKER_ADOPT:
		do_adopt(w);
		break;
	case WORKER_PREPARE:
		do_prepare(w);
		break;
	case WORKER_UNDO:
		do_undo(w);
		break;
	case WORKER_CONVERT:
		do_convert(w);
		break;
	case WORKER_RECOVER:
		do_recover(w);
		break;
	case WORKER_REVERSE:
		do_reverse(w);
		break;
	case WORKER_NONE:
	case WORKER_FOREGROUND:
	case WORKER_JOB_COUNT:
		abort();
	}
	if (w->at > 0)
		w->at++;
}

bool worker_can_work(const struct worker *w)
{
	return w->alive && (w->at > 0 || w->quit || w->n_requests > 0 || w->record);
}

void worker_work(struct worker *w)
{
	if (w->at > 0)
		work_on(w);
	else if (w->quit)
		worker_die(w);
	else if (w->record)
		write_record(w);
	else
		begin_request(w);
}
