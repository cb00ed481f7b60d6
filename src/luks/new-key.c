/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/new-key.h"

#include <stdbool.h>
#include <string.h>

#include "luks/fields.h"
#include "util/text.h"

/* The value that all keyslots have: "" as soon as one has another. */
static void note_text(char *text, size_t size, const char *value, bool first)
{
	if (first)
		(void)text_copy(text, size, value ?: "");
	else if (strcmp(text, value ?: "") != 0)
		*text = '\0';
}

static void note_keyslot(json_object *keyslot, bool keep_key, bool first, struct luks_new_key *k)
{
	json_object *kdf = field_get(keyslot, "kdf", json_type_object);
	uint32_t size;

	if (field_u32(keyslot, "key_size", &size) < 0 || (!first && size != k->size))
		size = 0;
	k->size = size;
	if (keep_key)
		return;
	note_text(k->pbkdf, sizeof(k->pbkdf), field_string(kdf, "type"), first);
	note_text(k->pbkdf_hash, sizeof(k->pbkdf_hash), field_string(kdf, "hash"), first);
}

void luks_new_key_get(const struct luks_header *h, const struct luks_reenc *r,
		      struct luks_new_key *ret)
{
	json_object *keyslots = field_get(h->json, "keyslots", json_type_object);
	uint32_t left;
	bool first = true;

	*ret = (struct luks_new_key){};
	if (r->state == LUKS_REENC_NONE)
		return;
	for (left = luks_reenc_keyslots(h, r->new_side.digest); left; left &= left - 1) {
		json_object *keyslot = field_by_id(keyslots, (unsigned)__builtin_ctz(left));

		note_keyslot(keyslot, r->keep_key, first, ret);
		first = false;
	}
}
