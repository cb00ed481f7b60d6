/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The blocks of the checksums. They are counted from the start of the hotzone. cryptsetup makes
 * them 4096 bytes long for an image file, and where what is left of the data is no multiple of
 * that, no checksum covers its tail:
 *
 *     boundary | block | block | block | tail | end of the data
 *                 |       |       |       `-- after a crash nobody can tell old from new
 *                sum     sum     sum
 *
 * So while nothing is hot, the blocks become small enough for the data and the boundary. cryptsetup
 * continues with blocks of any size, makes them 4096 bytes long again, and stops where it likes.
 */
#include <assert.h>
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
	return (uint32_t)((r->data_size | r->boundary) % r->block_size);
}

uint32_t reenc_fitting_block(const struct luks_reenc *r, uint32_t wanted)
{
	assert(is_power_of_2(wanted));
	/* It ends: both are multiples of the sector size. */
	while (!is_aligned(r->data_size | r->boundary, wanted))
		wanted /= 2;
	return wanted;
}

static int edit_block_size(json_object *json, const struct luks_reenc *r,
			   const struct luks_reenc_keys *keys)
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
	uint32_t block;
	int error;

	if (r->state != LUKS_REENC_CLEAN || r->resilience != LUKS_RESILIENCE_CHECKSUM)
		return -EINVAL;
	block = reenc_fitting_block(r, r->block_size);
	covered.capacity /= r->block_size / block;
	covered.block_size = block;
	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	error = edit_block_size(json, &covered, keys);
	if (error < 0)
		return error;
	header_replace_json(h, TAKE_PTR(json));
	*r = covered;
	return 0;
}
