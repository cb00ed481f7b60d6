/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which record is obeyed. Everybody who can write to the disk can write a state token, and can put
 * back a header of before.
 *
 *   the token is                                    what is obeyed
 *   word for word what this host wrote last         the token
 *   signed, and newer than what this host knows     the token, but orders wait for a person
 *   signed, but older                               what this host wrote last
 *   not signed, wrongly signed, gone, or not yet    what this host wrote last, or nothing
 *   to be verified
 *
 * "Nothing" is an empty record, with what in the token stops or slows; the token stays on show
 * until an order or the work replaces it, or a person accepts it.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"

/* A token that nobody vouches for may raise the serial, but not up to the last one. */
#define SERIAL_STEP_MAX (UINT64_C(1) << 32)

#define TRUST_REASON_SIZE sizeof(((struct volume_token *)NULL)->trust_reason)

enum origin {
	ORIGIN_NONE,
	ORIGIN_HERE,   /* this host wrote it */
	ORIGIN_SIGNED, /* somebody with a key did */
	ORIGIN_BAD,
};

static const char *state_dir(const struct volume *v)
{
	return v->manager->options->state_dir;
}

static void save_memory(struct volume *v)
{
	(void)remembered_save(state_dir(v), v->uuid, &v->token.memory);
}

static bool is_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool has_memory(const struct volume_token *t)
{
	return t->memory.written && *t->memory.written;
}

/* @why: of TRUST_REASON_SIZE bytes; "" unless it is bad. */
static enum origin judge_token(const struct volume_token *t, const char *text, uint64_t serial,
			       enum record_trust trust, char *why)
{
	const struct remembered *m = &t->memory;
	const size_t size = TRUST_REASON_SIZE;

	*why = '\0';
	if (is_text(m->written, text) || is_text(m->pending, text))
		return *text ? ORIGIN_HERE : ORIGIN_NONE;
	if (!*text && !has_memory(t))
		return ORIGIN_NONE;
	if (!*text)
		(void)text_format(why, size, "the state token is gone from the header");
	else if (trust == RECORD_VERIFIED && serial > m->serial)
		return ORIGIN_SIGNED;
	else if (trust == RECORD_VERIFIED)
		(void)text_format(why, size,
				  "the state token is an old one that was put back: its serial is "
				  "%" PRIu64 ", the last one is %" PRIu64,
				  serial, m->serial);
	else if (trust == RECORD_UNTRUSTED)
		(void)text_format(
			why, size,
			"the state token has no valid MAC: a program without a key of the "
			"volume may have written it");
	else
		(void)text_format(why, size,
				  "no key is known yet that could verify the state token");
	return ORIGIN_BAD;
}

/* A token that is no record counts as an empty one. -ENOMEM. */
static int parse_token(const char *json, struct record *ret)
{
	int r = record_parse(json, ret);

	return r == -EBADMSG ? record_parse("", ret) : r;
}

static void forget_found(struct volume_token *t)
{
	free(t->found_json);
	t->found_json = NULL;
	free(t->found);
	t->found = NULL;
}

static void set_base(struct volume_token *t, char **json)
{
	free(t->json);
	t->json = TAKE_PTR(*json);
}

void token_free(struct volume_token *t)
{
	forget_found(t);
	free(t->json);
	free(t->sent_json);
	free(t->shown.keys);
	remembered_clear(&t->memory);
	*t = (struct volume_token){};
}

/* Would it start something that nobody asked this host for? */
static bool has_orders(const struct volume *v, const struct record *r)
{
	return r->has_queued || *r->held || (r->cancel && !header_is_backward(&v->header));
}

/* The keys of a record are copied for the bus; without memory there are none to see. */
static void show_keys(struct shown_record *s, const struct record *r)
{
	const struct volume_key *active = record_active_key(r);
	struct volume_key *keys = NULL;

	if (r->n_keys > 0) {
		keys = malloc(r->n_keys * sizeof(*keys));
		if (keys)
			memcpy(keys, r->keys, r->n_keys * sizeof(*keys));
	}
	free(s->keys);
	s->keys = keys;
	s->n_keys = keys ? r->n_keys : 0;
	(void)text_copy(s->key_id, sizeof(s->key_id), active ? active->id : "");
	s->key_generation = active ? active->generation : 0;
}

void volume_show_record(struct volume *v)
{
	const struct record *r = v->token.found ?: &v->token.record;
	struct shown_record *s = &v->token.shown;

	show_keys(s, r);
	s->has_queued = r->has_queued;
	s->queued = r->queued;
	s->last = r->last;
	volume_apply_run(v);
	mark_set(&v->mark, VOLUME_CHANGED_KEYS | VOLUME_CHANGED_ROTATION);
}

uint64_t volume_record_changed(struct volume *v)
{
	/* Whatever token nobody vouches for is replaced by this. */
	free(v->token.found);
	v->token.found = NULL;
	volume_show_record(v);
	return writing_want(&v->writing);
}

static int take_signed(struct volume *v, const struct record *found, char **text)
{
	v->token.record = *found;
	record_forget_consent(&v->token.record);
	volume_apply_rate(v);
	if (has_orders(v, found)) {
		record_distrust(&v->token.record);
		(void)volume_record_changed(v);
		return 0;
	}
	free(v->token.memory.written);
	free(v->token.memory.pending);
	v->token.memory.written = *text;
	v->token.memory.pending = *text = NULL;
	v->token.memory.serial = found->serial;
	save_memory(v);
	return 0;
}

/* Not obeyed: @found is kept for people to look at. */
static int take_bad(struct volume *v, const struct record *found, char **json)
{
	const uint64_t rate = config_for_volume(v->manager->config, v->uuid)->rate_limit;
	const struct record hints = record_hints(found, rate);
	const bool known = has_memory(&v->token);
	_cleanup_free_ char *base = strdup(known ? v->token.memory.written : "");
	int r;

	assert(!v->token.found && !v->token.found_json);
	if (!base)
		return -ENOMEM;
	r = record_parse(base, &v->token.record);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	set_base(&v->token, &base);
	if (!known) {
		v->token.record = hints;
		v->token.found = malloc(sizeof(*v->token.found));
		if (v->token.found)
			*v->token.found = *found;
	}
	v->token.found_json = *json;
	*json = NULL;
	v->token.found_serial = found->serial;
	return 0;
}

static void tell_trust(struct volume *v, const char *name, const char *reason)
{
	if (strcmp(v->token.trust, name) == 0 && strcmp(v->token.trust_reason, reason) == 0)
		return;
	(void)text_copy(v->token.trust, sizeof(v->token.trust), name);
	(void)text_copy(v->token.trust_reason, sizeof(v->token.trust_reason), reason);
	if (strcmp(name, "untrusted") == 0)
		log_warning("%s: %s is not obeyed: %s; see recryptctl accept", v->place.device,
			    v->uuid, reason);
	mark_set(&v->mark, VOLUME_CHANGED_ROTATION);
}

static void show_trust(struct volume *v, enum origin origin, enum record_trust trust,
		       const char *why)
{
	const char *name = "verified";

	if (origin == ORIGIN_NONE)
		name = "none";
	else if (origin == ORIGIN_BAD)
		name = trust == RECORD_UNVERIFIED ? "unverified" : "untrusted";
	tell_trust(v, name, why);
}

/* Written here before a key was known: now there is one to sign it with. */
static void sign_again(struct volume *v, enum record_trust trust)
{
	if (trust == RECORD_UNTRUSTED)
		(void)volume_record_changed(v);
}

/* A worker of an earlier manager has it, and will write it: that is what counts from here on. */
static int take_pending(struct volume *v)
{
	char *json = strdup(v->token.memory.pending);
	int r = json ? record_parse(json, &v->token.record) : -ENOMEM;

	if (r < 0) {
		free(json);
		return r == -EBADMSG ? -EIO : r;
	}
	set_base(&v->token, &json);
	(void)volume_record_changed(v);
	return 0;
}

/* @adopted: by a worker that an earlier manager has told something. */
static int take_token(struct volume *v, char **json, enum record_trust trust, bool adopted)
{
	_cleanup_free_ char *text = NULL;
	char why[TRUST_REASON_SIZE];
	struct record found;
	enum origin origin;
	int r = parse_token(*json, &found);

	if (r < 0)
		return r;
	r = record_canonical(*json, &text);
	if (r < 0)
		return r;
	forget_found(&v->token);
	origin = judge_token(&v->token, text, found.serial, trust, why);
	show_trust(v, origin, trust, why);
	if (origin == ORIGIN_BAD)
		return take_bad(v, &found, json);
	set_base(&v->token, json);
	if (origin == ORIGIN_SIGNED)
		return take_signed(v, &found, &text);
	v->token.record = found;
	if (origin == ORIGIN_HERE)
		sign_again(v, trust);
	return adopted && v->token.memory.pending ? take_pending(v) : 0;
}

/* A worker may have died after it wrote what it was sent. */
static int note_pending(struct volume_token *t, const char *json)
{
	_cleanup_free_ char *text = NULL;
	int r = record_canonical(json, &text);

	if (r < 0)
		return r;
	if (is_text(t->memory.pending, text)) {
		free(t->memory.written);
		t->memory.written = TAKE_PTR(t->memory.pending);
	}
	return 0;
}

int volume_take_record(struct volume *v, struct worker_look *look)
{
	const bool first = !v->token.memory_loaded;
	int r;

	if (first) {
		remembered_load(state_dir(v), v->uuid, &v->token.memory);
		v->token.memory_loaded = true;
	}
	/* First of all: the next text that is sent takes the place of the pending one. */
	r = note_pending(&v->token, look->record);
	/* Unless we have something newer that is not written yet. */
	if (r < 0 || !writing_is_durable(&v->writing) || v->writing.place != RECORD_IN_HEADER)
		return r;
	return take_token(v, &look->record, look->trust, first && v->worker.stored);
}

/* A host that remembers the token on the disk must take our next one for newer. */
static void pass_serial(struct volume_token *t)
{
	const uint64_t limit = t->memory.serial + SERIAL_STEP_MAX;

	if (t->found_serial > t->memory.serial)
		t->memory.serial = MIN(t->found_serial, limit);
}

int volume_remember_pending(struct volume *v, const char **ret_json)
{
	struct remembered *m = &v->token.memory;
	_cleanup_free_ char *json = NULL;
	char *text;
	int r;

	assert(v->token.memory_loaded); /* its serial counts */
	assert(!writing_is_durable(&v->writing));
	if (v->token.found_json)
		pass_serial(&v->token);
	record_set_serial(&v->token.record, m->serial + 1);
	r = record_format(&v->token.record, v->token.json ?: "", &json);
	if (r < 0)
		return r;
	r = record_canonical(json, &text);
	if (r < 0)
		return r;
	m->serial = v->token.record.serial;
	free(m->pending);
	m->pending = text;
	save_memory(v);
	free(v->token.sent_json);
	*ret_json = v->token.sent_json = TAKE_PTR(json);
	return 0;
}

void volume_remember_written(struct volume *v)
{
	struct remembered *m = &v->token.memory;

	if (!m->pending)
		return;
	free(m->written);
	m->written = TAKE_PTR(m->pending);
	save_memory(v);
	if (v->token.found_json)
		log_notice("%s: its state token is replaced, which was not verified",
			   v->place.device);
	forget_found(&v->token);
	set_base(&v->token, &v->token.sent_json);
	tell_trust(v, "verified", "");
	volume_show_record(v);
}

void volume_note_sequence(struct volume *v)
{
	if (trouble_is_conflict(&v->trouble) || v->header.sequence == v->token.memory.sequence ||
	    v->worker.job != WORKER_NONE)
		return;
	if (!header_in_reencryption(&v->header)) {
		v->token.memory.sequence = 0;
	} else if (v->header.sequence > v->token.memory.sequence) {
		v->token.memory.sequence = v->header.sequence;
		save_memory(v);
	}
}

/* --- a person's word --- */

void volume_accept_header(struct volume *v)
{
	const struct record_header h = header_sides(&v->header);

	record_accept_header(&v->token.record, &h, wall_clock_usec());
	v->token.memory.sequence = 0;
}

int volume_accept_token(struct volume *v)
{
	struct volume_token *t = &v->token;
	int r;

	assert(t->found_json);
	r = parse_token(t->found_json, &t->record);
	if (r < 0)
		return r;
	record_confirm(&t->record);
	record_forget_consent(&t->record);
	set_base(t, &t->found_json);
	pass_serial(t);
	forget_found(t);
	return 0;
}
