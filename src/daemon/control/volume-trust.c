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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

/* A token that nobody vouches for may raise the serial, but not up to the last one. */
#define SERIAL_STEP_MAX (UINT64_C(1) << 32)

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

static bool has_memory(const struct volume *v)
{
	return v->token.memory.written && *v->token.memory.written;
}

static enum origin judge_token(struct volume *v, const char *text, uint64_t serial,
			       enum record_trust trust)
{
	const struct remembered *m = &v->token.memory;
	char *why = v->token.reason;
	const size_t size = sizeof(v->token.reason);

	*why = '\0';
	if (is_text(m->written, text) || is_text(m->pending, text))
		return *text ? ORIGIN_HERE : ORIGIN_NONE;
	if (!*text && !has_memory(v))
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

static void forget_found(struct volume *v)
{
	free(v->token.found_json);
	v->token.found_json = NULL;
	free(v->token.found);
	v->token.found = NULL;
}

static void set_base(struct volume *v, char **json)
{
	free(v->token.json);
	v->token.json = *json;
	*json = NULL;
}

/* Would it start something that nobody asked this host for? */
static bool has_orders(const struct volume *v, const struct record *r)
{
	return r->has_queued || *r->held ||
	       (r->cancel && strcmp(v->header.direction, "backward") != 0);
}

/* What a person agreed to elsewhere, or what only a token says of it: here nobody has. */
static void forget_consent(struct rotate_options *o)
{
	o->may_weaken = o->lose_keyslots = o->force_offline = false;
}

static int take_signed(struct volume *v, const struct record *found, char **text)
{
	v->token.record = *found;
	forget_consent(&v->token.record.queued);
	volume_apply_rate(v);
	if (has_orders(v, found)) {
		v->token.record.foreign = true;
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
	const bool known = has_memory(v);
	_cleanup_free_ char *base = strdup(known ? v->token.memory.written : "");
	int r;

	assert(!v->token.found && !v->token.found_json);
	if (!base)
		return -ENOMEM;
	r = record_parse(base, &v->token.record);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	set_base(v, &base);
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

static void show_trust(struct volume *v, enum origin origin, enum record_trust trust)
{
	const char *name = "verified";

	if (origin == ORIGIN_NONE)
		name = "none";
	else if (origin == ORIGIN_BAD)
		name = trust == RECORD_UNVERIFIED ? "unverified" : "untrusted";
	tell_trust(v, name, v->token.reason);
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
	set_base(v, &json);
	(void)volume_record_changed(v);
	return 0;
}

/* @adopted: by a worker that an earlier manager has told something. */
static int take_token(struct volume *v, char **json, enum record_trust trust, bool adopted)
{
	_cleanup_free_ char *text = NULL;
	struct record found;
	enum origin origin;
	int r = parse_token(*json, &found);

	if (r < 0)
		return r;
	r = record_canonical(*json, &text);
	if (r < 0)
		return r;
	forget_found(v);
	origin = judge_token(v, text, found.serial, trust);
	show_trust(v, origin, trust);
	if (origin == ORIGIN_BAD)
		return take_bad(v, &found, json);
	set_base(v, json);
	if (origin == ORIGIN_SIGNED)
		return take_signed(v, &found, &text);
	v->token.record = found;
	if (origin == ORIGIN_HERE)
		sign_again(v, trust);
	return adopted && v->token.memory.pending ? take_pending(v) : 0;
}

/* A worker may have died after it wrote what it was sent. */
static int note_pending(struct volume *v, const char *json)
{
	_cleanup_free_ char *text = NULL;
	int r = record_canonical(json, &text);

	if (r < 0)
		return r;
	if (is_text(v->token.memory.pending, text)) {
		free(v->token.memory.written);
		v->token.memory.written = TAKE_PTR(v->token.memory.pending);
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
	r = note_pending(v, look->record);
	/* Unless we have something newer that is not written yet. */
	if (r < 0 || v->writing.wanted != v->writing.durable || v->writing.only_here)
		return r;
	return take_token(v, &look->record, look->trust, first && v->worker.stored);
}

/* A host that remembers the token on the disk must take our next one for newer. */
static void pass_serial(struct volume *v)
{
	const uint64_t limit = v->token.memory.serial + SERIAL_STEP_MAX;

	if (v->token.found_serial > v->token.memory.serial)
		v->token.memory.serial = MIN(v->token.found_serial, limit);
}

int volume_remember_pending(struct volume *v, const char **ret_json)
{
	struct remembered *m = &v->token.memory;
	_cleanup_free_ char *json = NULL;
	char *text;
	int r;

	assert(v->token.memory_loaded); /* its serial counts */
	assert(v->writing.wanted > v->writing.durable);
	if (v->token.found_json)
		pass_serial(v);
	v->token.record.serial = m->serial + 1;
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
	forget_found(v);
	v->token.reason[0] = '\0';
	set_base(v, &v->token.sent_json);
	tell_trust(v, "verified", "");
	volume_show_record(v);
}

/* --- the header --- */

static struct record_header header_of(const struct volume *v)
{
	return (struct record_header){
		.in_reencryption = v->header.reencryption != REENCRYPTION_NONE,
		.backward = strcmp(v->header.direction, "backward") == 0,
		.old_side = v->header.old_side,
		.new_side = v->header.new_side,
	};
}

void volume_note_sides(struct volume *v)
{
	const struct record_header h = header_of(v);

	record_note_sides(&v->token.record, &h);
}

static void set_conflict(struct volume *v, const char *what)
{
	struct failure f;

	if (v->trouble.conflict)
		return;
	(void)failure_set(&f, -ESTALE,
			  "%s: %s; restore the header that belongs to the data, or accept this "
			  "one with recryptctl accept",
			  v->place.device, what);
	v->trouble.conflict = v->trouble.failed = true;
	v->trouble.failure = f;
	if (v->job && v->header.reencryption == REENCRYPTION_NONE && v->token.record.has_queued) {
		/* Whoever waits for it hears that it failed, so it must not begin later. */
		v->token.record.has_queued = false;
		v->token.record.group[0] = v->token.record.held[0] = '\0';
		(void)volume_record_changed(v);
	}
	event_volume(v, EVENT_ROTATION_FAILED, LOG_ERR, "rotation failed: %s", f.text);
	if (v->group)
		group_failed(v, -ESTALE, &f);
	else if (v->job)
		job_member_ended(v->job, v, -ESTALE, &f);
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

static void conflict_is_over(struct volume *v)
{
	if (!v->trouble.conflict)
		return;
	v->trouble.conflict = v->trouble.failed = false;
	mark_set(&v->mark, VOLUME_CHANGED_STATE);
}

/* A header that was left in the middle of a rotation can only have moved on. */
static bool is_older(const struct volume *v)
{
	return v->header.reencryption != REENCRYPTION_NONE &&
	       v->header.sequence < v->token.memory.sequence &&
	       strcmp(v->token.record.last.outcome, "running") == 0;
}

enum record_match volume_check_header(struct volume *v)
{
	const struct record_header h = header_of(v);
	enum record_match match = record_compare(&v->token.record, &h);

	if (is_older(v))
		match = RECORD_ROLLED_BACK;
	switch (match) {
	case RECORD_ROLLED_BACK:
		set_conflict(v, "a header of before has taken the place of the one that this host "
				"left, or another program has taken the rotation back: in the "
				"first case its keys and progress are not those of the data");
		return match;
	case RECORD_OTHER_ROTATION:
		set_conflict(v, "the header is in a re-encryption that does not follow on what "
				"this host left");
		return match;
	case RECORD_OTHER_KEY:
		log_notice("%s: another program has changed its key or cipher", v->place.device);
		record_other_key(&v->token.record, &h, wall_clock_usec());
		(void)volume_record_changed(v);
		break;
	case RECORD_MATCHES:
	case RECORD_ENDED_NEW:
	case RECORD_ENDED_OLD:
		break;
	}
	conflict_is_over(v);
	if (!h.in_reencryption && !*v->token.record.side && match == RECORD_MATCHES)
		memcpy(v->token.record.side, v->header.old_side, sizeof(v->token.record.side));
	return match;
}

void volume_note_sequence(struct volume *v)
{
	if (v->trouble.conflict || v->header.sequence == v->token.memory.sequence ||
	    v->worker.job != WORKER_NONE)
		return;
	if (v->header.reencryption == REENCRYPTION_NONE) {
		v->token.memory.sequence = 0;
	} else if (v->header.sequence > v->token.memory.sequence) {
		v->token.memory.sequence = v->header.sequence;
		save_memory(v);
	}
}

/* --- a person's word --- */

void volume_accept_header(struct volume *v)
{
	const struct record_header h = header_of(v);

	record_accept_header(&v->token.record, &h, wall_clock_usec());
	v->trouble.conflict = v->trouble.failed = false;
	v->token.memory.sequence = 0;
}

static int accept_record(struct volume *v)
{
	int r;

	assert(v->token.found_json);
	r = parse_token(v->token.found_json, &v->token.record);
	if (r < 0)
		return r;
	v->token.record.foreign = false;
	forget_consent(&v->token.record.queued);
	set_base(v, &v->token.found_json);
	pass_serial(v);
	forget_found(v);
	return 0;
}

int volume_accept(struct volume *v, struct failure *f, volume_done_t done, void *userdata)
{
	struct request r = {.kind = REQUEST_RECORD, .fd = -1, .done = done, .userdata = userdata};
	int q = 0;

	if (v->manager->stopping)
		return failure_set(f, -ESHUTDOWN, "%s: the daemon is being stopped",
				   v->place.device);
	if (!v->trouble.conflict && !v->token.found_json && !v->token.record.foreign)
		return failure_set(f, -EINVAL,
				   "%s: its state token and its header are as this host left them; "
				   "there is nothing to accept",
				   v->place.device);
	if (v->trouble.conflict)
		volume_accept_header(v);
	else if (v->token.found_json)
		q = accept_record(v);
	if (q < 0)
		return failure_set(f, q, "%s: out of memory", v->place.device);
	v->token.record.foreign = false;
	log_notice("%s: its state is accepted as it is", v->place.device);
	r.sequence = volume_record_changed(v);
	volume_apply_rate(v);
	volume_settle_record(v);
	volume_add_found_job(v);
	r.sequence = v->writing.wanted;
	mark_set(&v->mark, VOLUME_CHANGED_ALL);
	return request_add(v, &r) < 0
		       ? failure_set(f, -ENOMEM, "%s: out of memory", v->place.device)
		       : 0;
}
