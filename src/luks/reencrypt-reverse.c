/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Turning a re-encryption around. Old and new change their names, and the direction flips; what is
 * where on the disk does not change:
 *
 *   forward    | new            |boundary                     old |
 *   backward   | old            |boundary                     new |
 *
 * so it is one commit, and afterwards an ordinary re-encryption that leads back.
 */
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/reencrypt-area.h"
#include "luks/reencrypt-digest.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "luks/status.h"
#include "util/cleanup.h"

/* Only the two backup segments have these flags; each gets the other's. */
static int swap_backup_flags(json_object *json)
{
	json_object *segments = field_get(json, "segments", json_type_object);

	json_object_object_foreach (segments, key, segment) {
		json_object *flags = field_get(segment, "flags", json_type_array);
		const size_t n = flags ? json_object_array_length(flags) : 0;

		(void)key;
		for (size_t i = 0; i < n; i++) {
			json_object *flag = json_object_array_get_idx(flags, i);
			const char *text = json_object_get_string(flag);

			if (strcmp(text, "backup-previous") == 0)
				text = "backup-final";
			else if (strcmp(text, "backup-final") == 0)
				text = "backup-previous";
			else
				continue;
			if (json_object_set_string(flag, text) != 1)
				return -ENOMEM;
		}
	}
	return 0;
}

static int edit_keyslot(json_object *json, const struct luks_reenc *r)
{
	json_object *keyslot =
		field_by_id(field_get(json, "keyslots", json_type_object), r->keyslot);
	int error;

	error = field_set(keyslot, "direction",
			  json_object_new_string(luks_direction_name(r->direction)));
	if (error < 0)
		return error;
	return field_set(field_get(keyslot, "area", json_type_object), "size",
			 json_u64(r->area_size));
}

static int reverse_json(json_object *json, const struct luks_reenc *r,
			const struct luks_reenc_keys *keys)
{
	struct reencrypt_layout layout;
	int error;

	error = swap_backup_flags(json);
	if (error < 0)
		return error;
	error = edit_keyslot(json, r);
	if (error < 0)
		return error;
	layout_build(r, r->boundary, 0, &layout);
	error = layout_store(json, r, &layout);
	return error < 0 ? error : digest_replace(json, r, keys);
}

int luks_reenc_reverse(struct luks_header *h, struct luks_reenc *r,
		       const struct luks_reenc_keys *keys, uint64_t hotzone_size)
{
	const struct luks_reenc_keys turned_keys = {keys->new_key, keys->old_key};
	_cleanup_(json_putp) json_object *json = NULL;
	struct luks_reenc turned = *r;
	int error;

	if (r->state == LUKS_REENC_HOT)
		return -EBUSY;
	if (r->state == LUKS_REENC_NONE)
		return -EINVAL;
	if (r->mode != LUKS_REENCRYPT ||
	    (r->resilience != LUKS_RESILIENCE_CHECKSUM && r->resilience != LUKS_RESILIENCE_JOURNAL))
		return -EOPNOTSUPP;

	turned.old_side = r->new_side;
	turned.new_side = r->old_side;
	turned.direction = r->direction == LUKS_FORWARD ? LUKS_BACKWARD : LUKS_FORWARD;
	turned.state = LUKS_REENC_CLEAN;
	if (turned.boundary == (turned.direction == LUKS_FORWARD ? turned.data_size : 0))
		turned.state = LUKS_REENC_FINISH;
	reenc_cut_area(&turned, hotzone_size);

	json = header_copy_json(h);
	if (!json)
		return -ENOMEM;
	error = reverse_json(json, &turned, &turned_keys);
	if (error < 0)
		return error;
	reenc_note_cut(json, h->size, r, &turned);
	header_replace_json(h, TAKE_PTR(json));
	*r = turned;
	return 0;
}
