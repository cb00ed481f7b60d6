/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does a record belong to the header that it stands in? Pure.
 *
 *   at rest      its side is the record's; after a rotation that the record says is running, the
 *                new side (finished) or, where a cancel is carried out, the old one
 *   in work      the sides are those of the record's rotation, or, where another program began it,
 *                one of them is the volume as it was, and the other is none that was given up
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>

#include "daemon/state/record.h"
#include "util/checked.h"
#include "util/text.h"

int record_canonical(const char *json, char **ret)
{
	static const char *const added[] = {"type", "keyslots", "mac"};
	json_object *o = *json ? json_tokener_parse(json) : NULL;
	char *text;

	if (json_object_is_type(o, json_type_object)) {
		for (size_t i = 0; i < ARRAY_SIZE(added); i++)
			json_object_object_del(o, added[i]);
		text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	} else {
		text = strdup(json);
	}
	(void)json_object_put(o);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

struct record record_hints(const struct record *found, uint64_t configured_rate)
{
	struct record r = {.queued = ROTATE_OPTIONS_NONE, .suspended = found->suspended};

	if (found->suspended)
		memcpy(r.suspend_reason, found->suspend_reason, sizeof(r.suspend_reason));
	if (found->has_rate && found->rate > 0 &&
	    (configured_rate == 0 || found->rate < configured_rate)) {
		r.has_rate = true;
		r.rate = found->rate;
	}
	return r;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool is_running(const struct record *r)
{
	return same(r->last.outcome, "running");
}

/* One that was given up, or that a cancelled rotation would have brought. */
static bool is_former(const struct record *r, const char *side)
{
	return !same(side, r->sides.now) && (same(side, r->sides.old) || same(side, r->sides.new));
}

static enum record_match ended(const struct record *r, const char *now)
{
	if (!*r->sides.new || same(r->sides.old, r->sides.new))
		return r->turned ? RECORD_ENDED_OLD : RECORD_ENDED_NEW;
	if (same(now, r->sides.new))
		return RECORD_ENDED_NEW;
	return same(now, r->sides.old) && r->turned ? RECORD_ENDED_OLD : RECORD_ROLLED_BACK;
}

static enum record_match at_rest(const struct record *r, const char *now)
{
	if (is_running(r))
		return ended(r, now);
	if (!*r->sides.now || same(now, r->sides.now))
		return RECORD_MATCHES;
	return is_former(r, now) ? RECORD_ROLLED_BACK : RECORD_OTHER_KEY;
}

static enum record_match in_work(const struct record *r, const struct record_header *h)
{
	const char *old_side = h->backward ? h->new_side : h->old_side;
	const char *new_side = h->backward ? h->old_side : h->new_side;

	/* Once its side is the new one, its sides are those of the rotation before. */
	const bool is_its = same(old_side, r->sides.old) && same(new_side, r->sides.new) &&
			    (!*r->sides.now || same(r->sides.now, r->sides.old));

	if (is_its)
		return RECORD_MATCHES;
	if (is_running(r) && *r->sides.new)
		return RECORD_OTHER_ROTATION;
	if (!*r->sides.now)
		return RECORD_MATCHES;
	if (is_former(r, old_side) || is_former(r, new_side))
		return RECORD_ROLLED_BACK;
	return same(old_side, r->sides.now) ? RECORD_MATCHES : RECORD_OTHER_ROTATION;
}

enum record_match record_compare(const struct record *r, const struct record_header *h)
{
	return h->in_reencryption ? in_work(r, h) : at_rest(r, h->old_side);
}

void record_note_sides(struct record *r, const struct record_header *h)
{
	if (!h->in_reencryption)
		return;
	(void)snprintf(r->sides.old, sizeof(r->sides.old), "%s",
		       h->backward ? h->new_side : h->old_side);
	(void)snprintf(r->sides.new, sizeof(r->sides.new), "%s",
		       h->backward ? h->old_side : h->new_side);
}

void record_note_side(struct record *r, const char *side)
{
	if (!*r->sides.now)
		(void)text_copy(r->sides.now, sizeof(r->sides.now), side);
}

void record_other_key(struct record *r, const struct record_header *h, uint64_t now)
{
	const struct last_rotation last = r->last;

	assert(!h->in_reencryption);
	if (record_begin(r, false, now) < 0)
		r->n_keys = 0;
	record_ended(r, false, now);
	r->last = last;
	r->sides.old[0] = r->sides.new[0] = '\0';
	(void)snprintf(r->sides.now, sizeof(r->sides.now), "%s", h->old_side);
}

/* The key before the last one is in use again. */
static void restore_old_key(struct record *r)
{
	struct volume_key *old = r->n_keys > 1 ? &r->keys[r->n_keys - 2] : NULL;

	assert(r->n_keys <= RECORD_KEYS_MAX);
	if (!old || !same(old->state, "retired"))
		return;
	(void)snprintf(old->state, sizeof(old->state), "active");
	old->retired_usec = 0;
	r->n_keys--;
}

void record_accept_header(struct record *r, const struct record_header *h, uint64_t now)
{
	static const char message[] = "the header was replaced, and accepted as it is";
	const bool old_key = !h->in_reencryption && *r->sides.new &&same(h->old_side, r->sides.old);
	const bool other_key = !old_key && !h->in_reencryption && !same(h->old_side, r->sides.now);

	if (old_key)
		restore_old_key(r);
	record_failed(r, message, now);
	if (other_key)
		record_other_key(r, h, now);
	(void)snprintf(r->last.outcome, sizeof(r->last.outcome), "failed");
	(void)text_copy(r->last.message, sizeof(r->last.message), message);
	r->has_queued = false;
	r->sides.old[0] = r->sides.new[0] = r->sides.now[0] = '\0';
	if (!h->in_reencryption)
		(void)snprintf(r->sides.now, sizeof(r->sides.now), "%s", h->old_side);
}
