/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The blocks of the checksums. cryptsetup makes them 4096 bytes long for an image file, and where
 * the data is no multiple of that, no checksum covers its tail:
 *
 *     | block | block | block | tail |
 *        |       |       |       `-- after a crash nobody can tell old from new
 *       sum     sum     sum
 *
 * So while nothing is hot, the blocks become small enough to cover all. cryptsetup resumes with
 * blocks of any size.
 */
#include <errno.h>

#include "luks/fields.h"
#include "luks/reencrypt-digest.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "util/checked.h"
#include "util/cleanup.h"

uint32_t luks_reenc_uncovered(const struct luks_reenc *r)
{
	if (r->resilience != LUKS_RESILIENCE_CHECKSUM ||
	    (r->state != LUKS_REENC_HOT && r->state != LUKS_REENC_CLEAN))
		return 0;
	return (uint32_t)(r->data_size % r->block_size);
}

static int edit(json_object *json, const struct luks_reenc *r, const struct luks_reenc_keys *keys)
{
	json_object *keyslot =
		field_by_id(field_get(json, "keyslots", json_type_object), r->keyslot);
	int error = field_set(field_get(keyslot, "area", json_type_object), "sector_size",
			      json_object_new_int64(r->block_size));

	return error < 0 ? error : digest_replace(json, r, keys);
}

int luks_reenc_cover(struct luks_header *h, struct luks_reenc *r,
		     const struct luks_reenc_keys *keys)
{
	_cleanup_(json_putp) json_object *json = NULL;
	struct luks_reenc covered = *r;
	int error;

	if (r->state != LUKS_REENC_CLEAN || r->resilience != LUKS_RESILIENCE_CHECKSUM)
		return -EINVAL;
	/* It ends: the data has been found to be a multiple of the sector size. */
	while (!is_aligned(covered.data_size, covered.block_size)) {
		covered.block_size /= 2;
		covered.capacity /= 2;
	}
	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	error = edit(json, &covered, keys);
	if (error < 0)
		return error;
	header_replace_json(h, TAKE_PTR(json));
	*r = covered;
	return 0;
}
