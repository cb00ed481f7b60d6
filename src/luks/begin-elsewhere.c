/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * luks_begin_make() in the process that derives keys. It gets the plan with its passphrases and
 * keys, and works on the same draft as its parent. When it has to be killed, the draft is thrown
 * away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "luks/begin-internal.h"
#include "luks/context.h"
#include "util/checked.h"
#include "util/log.h"

/* Derivations beside those of the new keyslots: both keys for the start, and a bridge. */
#define MORE_DERIVATIONS 4

/* A benchmark comes before each derivation of a new keyslot, and takes about as long. */
#define DERIVATIONS_OF_A_KEYSLOT 2

/* The texts of a plan that came from the parent. */
struct texts {
	char *resilience, *resilience_hash, *pbkdf, *pbkdf_hash;
};

static void texts_clear(struct texts *t)
{
	free(t->resilience);
	free(t->resilience_hash);
	free(t->pbkdf);
	free(t->pbkdf_hash);
}

static void put_params(struct derive_writer *w, const struct luks_begin_params *p)
{
	derive_put_text(w, p->resilience);
	derive_put_text(w, p->resilience_hash);
	derive_put_text(w, p->pbkdf.type);
	derive_put_text(w, p->pbkdf.hash);
	derive_put(w, &p->pbkdf, sizeof(p->pbkdf));
	derive_put(w, &p->device_size, sizeof(p->device_size));
	derive_put(w, &p->may_weaken, sizeof(p->may_weaken));
}

static void get_params(struct derive_reader *r, struct luks_begin_params *p, struct texts *t)
{
	t->resilience = derive_get_text(r);
	t->resilience_hash = derive_get_text(r);
	t->pbkdf = derive_get_text(r);
	t->pbkdf_hash = derive_get_text(r);
	derive_get(r, &p->pbkdf, sizeof(p->pbkdf));
	derive_get(r, &p->device_size, sizeof(p->device_size));
	derive_get(r, &p->may_weaken, sizeof(p->may_weaken));
	p->resilience = t->resilience;
	p->resilience_hash = t->resilience_hash;
	p->pbkdf.type = t->pbkdf;
	p->pbkdf.hash = t->pbkdf_hash;
}

static void put_plan(struct derive_writer *w, const struct luks_begin *b)
{
	derive_put(w, &b->plan, sizeof(b->plan));
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		derive_put(w, &b->openers[i].token, sizeof(b->openers[i].token));
		derive_put_secret(w, b->openers[i].passphrase);
	}
	derive_put_secret(w, b->old_key);
	derive_put_secret(w, b->new_key);
	derive_put_secret(w, b->new_passphrase);
}

static void get_plan(struct derive_reader *r, struct luks_begin *b)
{
	derive_get(r, &b->plan, sizeof(b->plan));
	for (size_t i = 0; i < MIN(b->plan.n_slots, ARRAY_SIZE(b->openers)); i++) {
		derive_get(r, &b->openers[i].token, sizeof(b->openers[i].token));
		b->openers[i].passphrase = derive_get_secret(r);
	}
	b->old_key = derive_get_secret(r);
	b->new_key = derive_get_secret(r);
	b->new_passphrase = derive_get_secret(r);
}

static int make_job(const struct luks_begin *b, struct secret **ret)
{
	struct derive_writer w;
	int r = derive_job_begin(DERIVE_BEGIN, &w);

	if (r < 0)
		return r;
	derive_put_context(&w, b->cd);
	put_params(&w, &b->params);
	put_plan(&w, b);
	return derive_job_end(&w, ret);
}

/* What it makes is in the draft, but for whose copy each new keyslot is. */
static int take_numbers(void *arg, const struct derive_frame *f, const uint8_t *data)
{
	struct luks_numbers *numbers = arg;

	if (f->kind != DERIVE_NUMBERS || f->size != sizeof(*numbers))
		return -EBADMSG;
	memcpy(numbers, data, sizeof(*numbers));
	for (size_t i = 0; i < LUKS_MAX_KEYSLOTS; i++)
		if (numbers->original[i] < -1 || numbers->original[i] >= (int)LUKS_MAX_KEYSLOTS)
			return -EBADMSG;
	return 0;
}

int luks_begin_elsewhere(struct luks_begin *b)
{
	const unsigned keyslots = (unsigned)luks_begin_count_open(b);
	_cleanup_(secret_freep) struct secret *job = NULL;
	int r = make_job(b, &job);

	b->numbers = (struct luks_numbers)LUKS_NUMBERS_NONE;
	if (r < 0)
		return log_error_errno(r, "%s: cannot begin the re-encryption", b->params.device);
	return derive_elsewhere(job, b->cd, keyslots * DERIVATIONS_OF_A_KEYSLOT + MORE_DERIVATIONS,
				"the new keyslots", take_numbers, &b->numbers);
}

int derive_serve_begin(struct derive_reader *r, const struct derive_channel *c)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	_cleanup_(luks_begin_freep) struct luks_begin *b = calloc(1, sizeof(*b));
	_cleanup_(texts_clear) struct texts texts = {};
	int e;

	if (!b)
		return -ENOMEM;
	e = derive_get_context(r, &place, &b->cd);
	if (e < 0)
		return e;
	get_params(r, &b->params, &texts);
	get_plan(r, b);
	if (r->error < 0)
		return r->error;
	b->params.device = place.data.path;
	b->params.place = &place;
	e = luks_begin_here(b);
	return e < 0 ? e : derive_send(c, DERIVE_NUMBERS, 0, &b->numbers, sizeof(b->numbers));
}
