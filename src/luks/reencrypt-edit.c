/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The edits that move a re-encryption on and end it. Each works on a copy of the JSON, so that a
 * failure leaves the header as it was.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/begin-leftover.h"
#include "luks/bindings.h"
#include "luks/fields.h"
#include "luks/freed.h"
#include "luks/numbers.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "luks/requirement.h"
#include "util/checked.h"
#include "util/cleanup.h"

static bool is_editable(const struct luks_reenc *r)
{
	return r->resilience == LUKS_RESILIENCE_CHECKSUM ||
	       r->resilience == LUKS_RESILIENCE_JOURNAL;
}

/* Where the edge stands when the hotzone is done. */
static uint64_t boundary_after(const struct luks_reenc *r)
{
	assert(r->direction == LUKS_FORWARD || r->hot_size <= r->boundary);
	return r->direction == LUKS_FORWARD ? r->boundary + r->hot_size : r->boundary - r->hot_size;
}

static uint64_t boundary_at_end(const struct luks_reenc *r)
{
	return r->direction == LUKS_FORWARD ? r->data_size : 0;
}

int luks_reenc_set_position(struct luks_header *h, struct luks_reenc *r, uint64_t boundary,
			    uint64_t hot_size)
{
	_cleanup_(json_putp) json_object *json = NULL;
	struct reencrypt_layout layout;
	int error;

	if (r->state != LUKS_REENC_CLEAN && r->state != LUKS_REENC_HOT)
		return -EINVAL;
	if (!is_editable(r))
		return -EOPNOTSUPP;
	if (!position_is_valid(r, boundary, hot_size) || boundary == boundary_at_end(r))
		return -EINVAL;
	/* What no checksum covers cannot be recovered. */
	if (r->resilience == LUKS_RESILIENCE_CHECKSUM && !is_aligned(hot_size, r->block_size))
		return -EINVAL;

	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	layout_build(r, boundary, hot_size, &layout);
	error = layout_store(json, r, &layout);
	if (error < 0)
		return error;
	header_replace_json(h, TAKE_PTR(json));
	r->boundary = boundary;
	r->hot_size = hot_size;
	r->state = hot_size ? LUKS_REENC_HOT : LUKS_REENC_CLEAN;
	return 0;
}

/*
 * What is left of a token of systemd-cryptenroll or clevis then is a secret that opens nothing.
 * Their programs pass over it, do not remove it when the device is enrolled anew, and list it.
 */
static void take_from_token(json_object *tokens, unsigned token, unsigned keyslot)
{
	json_object *object = field_by_id(tokens, token);
	json_object *ids = field_get(object, "keyslots", json_type_array);
	const char *type = object ? field_string(object, "type") : NULL;

	if (!ids || !ids_contain(ids, keyslot))
		return;
	ids_remove(ids, keyslot);
	if (type && json_object_array_length(ids) == 0 && luks_binding_dies_with_keyslot(type))
		field_delete_id(tokens, token);
}

static int delete_keyslot(json_object *json, unsigned id, struct luks_areas *freed)
{
	json_object *keyslots = field_get(json, "keyslots", json_type_object);
	json_object *tokens = field_get(json, "tokens", json_type_object);
	json_object *digests = field_get(json, "digests", json_type_object);
	json_object *area = field_get(field_by_id(keyslots, id), "area", json_type_object);
	uint64_t offset, size;

	if (field_u64(area, "offset", &offset) < 0 || field_u64(area, "size", &size) < 0 ||
	    freed->count == ARRAY_SIZE(freed->area))
		return -EBADMSG;
	freed->area[freed->count].offset = offset;
	freed->area[freed->count++].size = size;

	for (unsigned token = 0; token < LUKS_MAX_TOKENS; token++)
		take_from_token(tokens, token, id);
	json_object_object_foreach (digests, digest_key, digest) {
		(void)digest_key;
		ids_remove(field_get(digest, "keyslots", json_type_array), id);
	}
	field_delete_id(keyslots, id);
	return 0;
}

uint32_t luks_reenc_keyslots(const struct luks_header *h, int digest)
{
	json_object *digests = field_get(h->json, "digests", json_type_object);
	json_object *ids = digest < 0 ? NULL
				      : field_get(field_by_id(digests, (unsigned)digest),
						  "keyslots", json_type_array);
	uint32_t found = 0;

	for (unsigned slot = 0; ids && slot < LUKS_MAX_KEYSLOTS; slot++)
		if (ids_contain(ids, slot))
			found |= UINT32_C(1) << slot;
	return found;
}

/* With all keyslots that hold its key. */
static int delete_digest(json_object *json, int id, struct luks_areas *freed)
{
	json_object *digests = field_get(json, "digests", json_type_object);
	json_object *keyslots =
		field_get(field_by_id(digests, (unsigned)id), "keyslots", json_type_array);
	int error;

	for (unsigned slot = 0; slot < LUKS_MAX_KEYSLOTS; slot++) {
		if (!ids_contain(keyslots, slot))
			continue;
		error = delete_keyslot(json, slot, freed);
		if (error < 0)
			return error;
	}
	field_delete_id(digests, (unsigned)id);
	return 0;
}

/*
 * Data of a fixed size keep it, so that nothing behind them is ever taken for theirs. On the way
 * back they get the size that they had before the re-encryption began.
 */
static uint64_t final_size(const struct luks_reenc *r)
{
	if (r->direction == LUKS_BACKWARD && (r->new_side.size || !r->old_side.size))
		return r->new_side.size;
	return r->fixed_size ? r->data_size : 0;
}

/* The one segment that is left is backup-final without its flags. */
static int set_final_segment(json_object *json, const struct luks_reenc *r)
{
	_cleanup_(json_putp) json_object *segments = json_object_new_object();
	json_object *digests = field_get(json, "digests", json_type_object);
	struct reencrypt_layout final;
	int error;

	if (!segments)
		return -ENOMEM;
	layout_build(r, boundary_at_end(r), 0, &final);
	final.segment[0].size = final_size(r);
	error = field_set_id(segments, 0, segment_to_json(&final.segment[0]));
	if (error < 0)
		return error;
	error = field_set(json, "segments", TAKE_PTR(segments));
	if (error < 0)
		return error;

	json_object_object_foreach (digests, key, digest) {
		(void)key;
		error = field_set(digest, "segments", json_object_new_array());
		if (error < 0)
			return error;
	}
	if (!r->new_side.crypt)
		return 0;
	return ids_add(field_get(field_by_id(digests, (unsigned)r->new_side.digest), "segments",
				 json_type_array),
		       0);
}

static int delete_digests(json_object *json, const struct luks_reenc *r, bool keep_old,
			  struct luks_areas *freed)
{
	int error;

	if (!keep_old && r->old_side.crypt) {
		error = delete_digest(json, r->old_side.digest, freed);
		if (error < 0)
			return error;
	}
	return delete_digest(json, r->digest, freed);
}

static int finish_json(json_object *json, uint64_t header_size, const struct luks_reenc *r,
		       bool keep_old, struct luks_areas *freed)
{
	int error;

	error = set_final_segment(json, r);
	if (error < 0)
		return error;
	error = delete_digests(json, r, keep_old, freed);
	if (error < 0)
		return error;
	error = luks_numbers_restore(json, (unsigned)r->new_side.digest);
	if (error < 0)
		return error;
	requirement_drop_reencrypt(json);
	luks_begin_drop_mark(json);
	luks_freed_note(json, header_size, freed);
	return 0;
}

int luks_reenc_finish(struct luks_header *h, struct luks_reenc *r, struct luks_areas *ret)
{
	_cleanup_(json_putp) json_object *json = NULL;
	struct luks_areas freed = {0};
	bool keep_old;
	int error;

	/* With nothing left to convert, nothing has to be protected. */
	if (!is_editable(r) &&
	    !(r->state == LUKS_REENC_FINISH && r->resilience == LUKS_RESILIENCE_NONE))
		return -EOPNOTSUPP;
	if (r->state != LUKS_REENC_FINISH &&
	    (r->state != LUKS_REENC_HOT || boundary_after(r) != boundary_at_end(r)))
		return -EINVAL;

	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	keep_old = r->keep_key || (r->unverified && luks_reenc_keyslots(h, r->old_side.digest));
	error = finish_json(json, h->size, r, keep_old, &freed);
	if (error < 0)
		return error;
	header_replace_json(h, TAKE_PTR(json));

	r->state = LUKS_REENC_NONE;
	r->old_side = r->new_side;
	r->boundary = r->hot_size = 0;
	*ret = freed;
	return 0;
}
