/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/volume-header.h"

#include <assert.h>
#include <string.h>

#include "util/text.h"

static void take_parameters(struct parameters *p, const struct worker_look *look)
{
	if (look->reencryption != REENCRYPTION_NONE) {
		*p = look->parameters;
		return;
	}
	*p = (struct parameters){.old_sector_size = look->parameters.old_sector_size};
	(void)text_copy(p->old_cipher, sizeof(p->old_cipher), look->parameters.old_cipher);
}

static void take_keyslots(struct volume_header *h, const struct worker_look *look)
{
	char *const *type = look->keyslot_types;

	h->keyslots = look->keyslots;
	h->open_keyslots = look->open_keyslots;
	h->missing_keyslots = look->missing_keyslots;
	h->bindings = (struct luks_bindings){};
	for (unsigned id = 0; type && *type && id < LUKS_MAX_KEYSLOTS; id++)
		if (look->keyslots & UINT32_C(1) << id)
			(void)text_copy(h->bindings.of[id], sizeof(h->bindings.of[id]), *type++);
}

void header_looked(struct volume_header *h, const struct worker_look *look)
{
	assert(look->valid);
	take_parameters(&h->parameters, look);
	take_keyslots(h, look);
	h->reencryption = look->reencryption;
	h->unseen = false;
	h->stacked = look->stacked;
	h->supported = look->supported;
	h->sequence = look->sequence;
	memcpy(h->old_side, look->old_side, sizeof(h->old_side));
	memcpy(h->new_side, look->new_side, sizeof(h->new_side));
}

void header_lost(struct volume_header *h)
{
	h->unseen = true;
}

bool header_in_reencryption(const struct volume_header *h)
{
	return h->reencryption != REENCRYPTION_NONE;
}

bool header_is_backward(const struct volume_header *h)
{
	return strcmp(h->parameters.direction, "backward") == 0;
}

bool header_is_unclean(const struct volume_header *h)
{
	return h->reencryption == REENCRYPTION_HOT || h->stacked;
}

struct record_header header_sides(const struct volume_header *h)
{
	return (struct record_header){
		.in_reencryption = header_in_reencryption(h),
		.backward = header_is_backward(h),
		.old_side = h->old_side,
		.new_side = h->new_side,
	};
}
