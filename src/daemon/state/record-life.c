/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a record follows its volume: the states of keys, and how the last rotation went. Pure. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "daemon/state/record.h"
#include "util/text.h"

static bool key_is(const struct volume_key *k, const char *state)
{
	return strcmp(k->state, state) == 0;
}

static void key_set(struct volume_key *k, const char *state)
{
	(void)snprintf(k->state, sizeof(k->state), "%s", state);
}

/* The oldest goes when there is no room. */
static int add_key(struct record *r, const char *state, struct volume_key **ret)
{
	struct volume_key *k;
	sd_id128_t id;
	int q = sd_id128_randomize(&id);

	assert(r->n_keys <= RECORD_KEYS_MAX);
	if (q < 0)
		return q;
	if (r->n_keys == RECORD_KEYS_MAX) {
		memmove(r->keys, r->keys + 1, (RECORD_KEYS_MAX - 1) * sizeof(*r->keys));
		r->n_keys--;
	}
	k = &r->keys[r->n_keys];
	*k = (struct volume_key){.generation =
					 r->n_keys > 0 ? r->keys[r->n_keys - 1].generation + 1 : 0};
	(void)sd_id128_to_uuid_string(id, k->id);
	key_set(k, state);
	r->n_keys++;
	*ret = k;
	return 0;
}

static void drop_unused(struct record *r)
{
	while (r->n_keys > 0 && !key_is(&r->keys[r->n_keys - 1], "active") &&
	       !key_is(&r->keys[r->n_keys - 1], "retired"))
		r->n_keys--;
}

int record_begin(struct record *r, bool keep_key, uint64_t now)
{
	struct volume_key *k;
	int q;

	r->last = (struct last_rotation){.outcome = "preparing", .started_usec = now};
	drop_unused(r);
	if (r->n_keys == 0) {
		q = add_key(r, "active", &k);
		if (q < 0)
			return q;
		k->registered_usec = now;
	}
	if (!keep_key) {
		q = add_key(r, "registered", &k);
		if (q < 0)
			return q;
		k->registered_usec = now;
	}
	return 0;
}

void record_prepared(struct record *r, uint64_t now)
{
	struct volume_key *k = r->n_keys > 0 ? &r->keys[r->n_keys - 1] : NULL;

	if (k && key_is(k, "registered")) {
		key_set(k, "populated");
		k->populated_usec = now;
	}
	if (strcmp(r->last.outcome, "preparing") == 0) {
		r->deadline_usec = r->queued.deadline_usec;
		r->run = r->queued.run;
		(void)snprintf(r->last.outcome, sizeof(r->last.outcome), "running");
	}
}

bool record_started(struct record *r, uint64_t now)
{
	if (strcmp(r->last.outcome, "running") != 0)
		r->last = (struct last_rotation){.outcome = "running", .started_usec = now};
	else if (r->last.converting_usec > 0)
		return false;
	r->last.converting_usec = now;
	return true;
}

void record_converting(struct record *r, uint64_t now)
{
	struct volume_key *k = r->n_keys > 0 ? &r->keys[r->n_keys - 1] : NULL;

	record_prepared(r, now);
	if (!k || !key_is(k, "populated"))
		return;
	key_set(k, "active");
	k->activated_usec = now;
	if (r->n_keys > 1)
		key_set(&r->keys[r->n_keys - 2], "retired"); /* the time: when it is destroyed */
}

void record_ended(struct record *r, bool cancelled, uint64_t now)
{
	struct volume_key *old = r->n_keys > 1 ? &r->keys[r->n_keys - 2] : NULL;

	r->cancel = r->turned = r->suspended = r->late = r->foreign = false;
	r->deadline_usec = r->now_until = 0;
	memcpy(r->sides.now, cancelled ? r->sides.old : r->sides.new, sizeof(r->sides.now));
	if (cancelled) { /* the new side was given up, and is no way to go on from here */
		memcpy(r->sides.old, r->sides.new, sizeof(r->sides.old));
		r->sides.new[0] = '\0';
	}
	r->run = (struct run_choices){};
	r->held[0] = '\0';
	if (!cancelled)
		record_converting(r, now);
	if (old && key_is(old, "retired") && old->retired_usec == 0) {
		if (cancelled) {
			key_set(old, "active");
			r->n_keys--;
		} else {
			old->retired_usec = now;
		}
	}
	if (cancelled)
		drop_unused(r);
	(void)snprintf(r->last.outcome, sizeof(r->last.outcome), "%s",
		       cancelled ? "cancelled" : "finished");
	r->last.ended_usec = now;
}

void record_failed(struct record *r, const char *message, uint64_t now)
{
	drop_unused(r);
	r->has_queued = r->cancel = r->turned = r->late = r->foreign = false;
	r->now_until = 0;
	r->group[0] = r->held[0] = '\0';
	(void)snprintf(r->last.outcome, sizeof(r->last.outcome), "failed");
	(void)text_copy(r->last.message, sizeof(r->last.message), message);
	r->last.ended_usec = now;
}

void record_set_serial(struct record *r, uint64_t serial)
{
	r->serial = serial;
}

bool record_turned(struct record *r)
{
	if (!r->cancel || r->turned)
		return false;
	r->turned = true;
	return true;
}

const struct volume_key *record_active_key(const struct record *r)
{
	for (size_t i = r->n_keys; i > 0; i--)
		if (key_is(&r->keys[i - 1], "active"))
			return &r->keys[i - 1];
	return NULL;
}

const char *volume_key_state(const struct volume_key *k)
{
	return key_is(k, "retired") && k->retired_usec == 0 ? "retiring" : k->state;
}

uint32_t volume_keys_protected(const struct volume_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key_is(&keys[i], "active") ||
		    strcmp(volume_key_state(&keys[i]), "retiring") == 0)
			return keys[i].generation;
	return 0;
}
