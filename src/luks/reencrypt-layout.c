/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/reencrypt-layout.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "util/checked.h"
#include "util/cleanup.h"

/* Hot in both digests, and up to 5 segments more. */
#define MAX_ASSIGNMENTS 8

struct assignment {
	int digest;
	unsigned segment;
};

static void append_segment(struct reencrypt_layout *l, const struct luks_reenc *r, bool is_new,
			   uint64_t start, uint64_t size, unsigned flags)
{
	const struct luks_side *side = is_new ? &r->new_side : &r->old_side;
	struct segment s = {
		.kind = side->crypt ? SEGMENT_CRYPT : SEGMENT_LINEAR,
		.offset = r->data_offset + start,
		.size = size,
		.flags = flags,
	};

	if (size == 0)
		return;
	assert(l->count < ARRAY_SIZE(l->segment));
	if (side->crypt) {
		s.iv_tweak = start >> SECTOR_SHIFT;
		s.sector_size = side->sector_size;
		memcpy(s.cipher, side->cipher, sizeof(s.cipher));
	}
	l->is_new[l->count] = is_new;
	l->segment[l->count++] = s;
}

void layout_build(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size,
		  struct reencrypt_layout *ret)
{
	const bool forward = r->direction == LUKS_FORWARD;
	const uint64_t start = forward ? boundary : boundary - hot_size;
	const uint64_t end = start + hot_size;
	struct reencrypt_layout l = {0};
	struct segment *last;

	assert(boundary <= r->data_size && r->data_size > 0);
	assert(hot_size <= (forward ? r->data_size - boundary : boundary));
	append_segment(&l, r, forward, 0, start, 0);
	append_segment(&l, r, true, start, hot_size, SEGMENT_HOT);
	append_segment(&l, r, !forward, end, r->data_size - end, 0);

	last = &l.segment[l.count - 1];
	if (!(last->flags & SEGMENT_HOT) && !r->fixed_size)
		last->size = 0;
	*ret = l;
}

static void assign(struct assignment *list, unsigned *n, const struct luks_side *side, int segment)
{
	if (side->digest < 0 || segment < 0)
		return;
	for (unsigned i = 0; i < *n; i++)
		if (list[i].digest == side->digest && list[i].segment == (unsigned)segment)
			return;
	assert(*n < MAX_ASSIGNMENTS);
	list[(*n)++] = (struct assignment){side->digest, (unsigned)segment};
}

static void assign_backups(const struct luks_reenc *r, const struct backups *b,
			   struct assignment *list, unsigned *n)
{
	assign(list, n, &r->old_side, b->previous);
	assign(list, n, &r->new_side, b->final);
	assign(list, n, &r->old_side, b->moved);
}

/*
 * Which digest lists which segment, in the order in which cryptsetup assigns them. In a mode with
 * one key only there is one digest, and linear segments have none.
 */
static unsigned assign_all(const struct luks_reenc *r, const struct reencrypt_layout *l,
			   const struct backups *b, struct assignment list[MAX_ASSIGNMENTS])
{
	const bool two_keys = r->mode == LUKS_REENCRYPT;
	unsigned n = 0;

	if (!two_keys)
		assign_backups(r, b, list, &n);
	for (unsigned i = 0; two_keys && i < l->count; i++) {
		if (l->segment[i].flags & SEGMENT_HOT) {
			assign(list, &n, &r->new_side, (int)i);
			assign(list, &n, &r->old_side, (int)i);
		}
	}
	for (unsigned i = 0; i < l->count; i++)
		if (!two_keys || !(l->segment[i].flags & SEGMENT_HOT))
			assign(list, &n, l->is_new[i] ? &r->new_side : &r->old_side, (int)i);
	if (two_keys)
		assign_backups(r, b, list, &n);
	return n;
}

static bool segment_matches(const struct segment *have, const struct segment *want, uint64_t size)
{
	return have->kind == want->kind && have->offset == want->offset &&
	       have->flags == want->flags && have->iv_tweak == want->iv_tweak &&
	       have->sector_size == want->sector_size && strcmp(have->cipher, want->cipher) == 0 &&
	       have->integrity == want->integrity &&
	       (have->size == want->size || have->size == size);
}

static bool digests_match(json_object *json, const struct assignment *list, unsigned n)
{
	json_object *digests = field_get(json, "digests", json_type_object);

	json_object_object_foreach (digests, key, digest) {
		json_object *segments = field_get(digest, "segments", json_type_array);
		unsigned id, wanted = 0;

		if (parse_id(key, LUKS_MAX_DIGESTS, &id) < 0)
			return false;
		for (unsigned i = 0; i < n; i++) {
			if (list[i].digest != (int)id)
				continue;
			if (!ids_contain(segments, list[i].segment))
				return false;
			wanted++;
		}
		if (json_object_array_length(segments) != wanted)
			return false;
	}
	return true;
}

bool layout_matches(json_object *json, const struct luks_reenc *r,
		    const struct reencrypt_layout *want, const struct segment *segment,
		    unsigned count, const struct backups *backups)
{
	struct assignment list[MAX_ASSIGNMENTS];

	if (count != want->count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		const struct segment *w = &want->segment[i];
		uint64_t size = w->size;

		if (i + 1 == count && !(w->flags & SEGMENT_HOT))
			size = segment[i].size ? r->data_size - (w->offset - r->data_offset) : 0;
		if (!segment_matches(&segment[i], w, size))
			return false;
	}
	return digests_match(json, list, assign_all(r, want, backups, list));
}

/* Appends the segment with @flag of the old segments to the new ones; returns its new id, or -1. */
static int keep_backup(json_object *old_segments, json_object *segments, const char *flag)
{
	const unsigned id = (unsigned)json_object_object_length(segments);

	json_object_object_foreach (old_segments, key, segment) {
		json_object *flags = field_get(segment, "flags", json_type_array);

		(void)key;
		for (size_t i = 0; flags && i < json_object_array_length(flags); i++) {
			json_object *f = json_object_array_get_idx(flags, i);

			if (strcmp(json_object_get_string(f), flag) != 0)
				continue;
			return field_set_id(segments, id, json_object_get(segment)) < 0 ? -1
											: (int)id;
		}
	}
	return -1;
}

static int store_digests(json_object *json, const struct assignment *list, unsigned n)
{
	json_object *digests = field_get(json, "digests", json_type_object);
	int r;

	json_object_object_foreach (digests, key, digest) {
		(void)key;
		r = field_set(digest, "segments", json_object_new_array());
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < n; i++) {
		json_object *owner = field_by_id(digests, (unsigned)list[i].digest);

		r = ids_add(field_get(owner, "segments", json_type_array), list[i].segment);
		if (r < 0)
			return r;
	}
	return 0;
}

int layout_store(json_object *json, const struct luks_reenc *r, const struct reencrypt_layout *l)
{
	_cleanup_(json_putp) json_object *segments = json_object_new_object();
	json_object *old_segments = field_get(json, "segments", json_type_object);
	struct assignment list[MAX_ASSIGNMENTS];
	struct backups b = {-1, -1, -1};
	int error;

	assert(l->count > 0);
	if (!segments)
		return -ENOMEM;
	for (unsigned i = 0; i < l->count; i++) {
		error = field_set_id(segments, i, segment_to_json(&l->segment[i]));
		if (error < 0)
			return error;
	}
	b.previous = keep_backup(old_segments, segments, "backup-previous");
	b.final = keep_backup(old_segments, segments, "backup-final");
	if (b.previous < 0 || b.final < 0)
		return -ENOMEM;
	error = field_set(json, "segments", TAKE_PTR(segments));
	if (error < 0)
		return error;
	return store_digests(json, list, assign_all(r, l, &b, list));
}

bool position_is_valid(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size)
{
	const uint64_t left = r->direction == LUKS_FORWARD ? r->data_size - boundary : boundary;

	if (boundary > r->data_size || hot_size > left || hot_size > r->capacity)
		return false;
	return is_aligned(boundary | hot_size, reenc_sector_size(r));
}

uint32_t reenc_sector_size(const struct luks_reenc *r)
{
	return MAX(r->old_side.sector_size, r->new_side.sector_size);
}

json_object *header_copy_json(const struct luks_header *h)
{
	json_object *copy = NULL;

	if (json_object_deep_copy(h->json, &copy, NULL) < 0)
		return NULL;
	return copy;
}

void header_replace_json(struct luks_header *h, json_object *json)
{
	assert(json && json != h->json);
	json_object_put(h->json);
	h->json = json;
}
