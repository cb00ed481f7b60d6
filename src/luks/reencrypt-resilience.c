/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Another resilience for the hotzones to come. Between two hotzones nothing in the area is needed,
 * so it may be used otherwise from the next one on:
 *
 *   "area": {type, offset, size}  ->  {another type, the same offset, size; hash, sector_size}
 *
 * The area is covered by the verification digest, which is made anew in the same commit: before it
 * the header is clean in the old way, after it in the new one.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "crypto/hash.h"
#include "luks/fields.h"
#include "luks/reencrypt-area.h"
#include "luks/reencrypt-digest.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "luks/status.h"
#include "util/checked.h"
#include "util/cleanup.h"

static bool is_plain(enum luks_resilience resilience)
{
	return resilience == LUKS_RESILIENCE_CHECKSUM || resilience == LUKS_RESILIENCE_JOURNAL;
}

/*
 * Checksums keep the blocks that the header has; a journal has none of its own. New ones are as
 * large as cryptsetup makes them where the data and the position allow that.
 */
static uint32_t block_size_for(const struct luks_reenc *r, const struct luks_protection *p)
{
	const uint32_t sector = reenc_sector_size(r);

	if (r->resilience == LUKS_RESILIENCE_CHECKSUM && p->resilience == LUKS_RESILIENCE_CHECKSUM)
		return reenc_fitting_block(r, r->block_size);
	return reenc_fitting_block(r, MAX(p->wanted_block, sector));
}

static int set_capacity(struct luks_reenc *r)
{
	uint64_t capacity = r->area_size;

	assert(is_power_of_2(r->block_size));
	if (r->resilience == LUKS_RESILIENCE_CHECKSUM) {
		const int size = hash_size(r->hash);

		if (size <= 0)
			return -ENOENT;
		if (mul_u64(r->area_size / (uint64_t)size, r->block_size, &capacity) < 0)
			return -EOVERFLOW;
	}
	r->capacity = round_down_u64(capacity, r->block_size);
	return r->capacity > 0 ? 0 : -ENOSPC;
}

static int change_protection(const struct luks_reenc *r, const struct luks_protection *p,
			     struct luks_reenc *ret)
{
	struct luks_reenc changed = *r;
	int error;

	assert(p->hash || p->resilience != LUKS_RESILIENCE_CHECKSUM);
	changed.resilience = p->resilience;
	changed.block_size = block_size_for(r, p);
	changed.hash[0] = '\0';
	if (p->resilience == LUKS_RESILIENCE_CHECKSUM) {
		if (strlen(p->hash) >= sizeof(changed.hash))
			return -ENOENT;
		memcpy(changed.hash, p->hash, strlen(p->hash) + 1);
	}
	error = set_capacity(&changed);
	if (error < 0)
		return error;
	if (!position_is_valid(&changed, changed.boundary, 0))
		return -EINVAL;
	/* Forward cryptsetup comes out right with any area. */
	if (changed.direction == LUKS_BACKWARD)
		reenc_cut_area(&changed, p->hotzone_size);
	*ret = changed;
	return 0;
}

static json_object *area_to_json(const struct luks_reenc *r)
{
	_cleanup_(json_putp) json_object *area = json_object_new_object();
	const char *type = luks_resilience_name(r->resilience);

	assert(is_plain(r->resilience));
	if (!area || field_set(area, "type", json_object_new_string(type)) < 0 ||
	    field_set(area, "offset", json_u64(r->area_offset)) < 0 ||
	    field_set(area, "size", json_u64(r->area_size)) < 0)
		return NULL;
	if (r->resilience == LUKS_RESILIENCE_CHECKSUM &&
	    (field_set(area, "hash", json_object_new_string(r->hash)) < 0 ||
	     field_set(area, "sector_size", json_object_new_int64(r->block_size)) < 0))
		return NULL;
	return TAKE_PTR(area);
}

static int store_area(json_object *json, const struct luks_reenc *r)
{
	json_object *keyslots = field_get(json, "keyslots", json_type_object);

	return field_set(field_by_id(keyslots, r->keyslot), "area", area_to_json(r));
}

int luks_reenc_set_protection(struct luks_header *h, struct luks_reenc *r,
			      const struct luks_reenc_keys *keys, const struct luks_protection *p)
{
	_cleanup_(json_putp) json_object *json = NULL;
	struct luks_reenc changed;
	int error;

	if (r->state == LUKS_REENC_HOT)
		return -EBUSY;
	if (r->state != LUKS_REENC_CLEAN || r->mode != LUKS_REENCRYPT || r->shift_size > 0 ||
	    r->moved_segment || !is_plain(p->resilience))
		return -EOPNOTSUPP;
	error = change_protection(r, p, &changed);
	if (error < 0)
		return error;

	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	error = store_area(json, &changed);
	if (error < 0)
		return error;
	error = digest_replace(json, &changed, keys);
	if (error < 0)
		return error;
	reenc_note_cut(json, h->size, r, &changed);
	header_replace_json(h, TAKE_PTR(json));
	*r = changed;
	return 0;
}
