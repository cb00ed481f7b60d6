/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/volume-header.h"

#include <assert.h>
#include <string.h>

#include "util/text.h"

/* @source: "" out of re-encryption. */
#define TAKE(to, source) ((void)text_copy(to, sizeof(to), source))

static void take_rotation(struct volume_header *h, const struct worker_look *l, bool none)
{
	TAKE(h->mode, none ? "" : l->mode);
	TAKE(h->direction, none ? "" : l->direction);
	TAKE(h->resilience, none ? "" : l->resilience);
	TAKE(h->resilience_hash, none ? "" : l->resilience_hash);
	TAKE(h->new_cipher, none ? "" : l->new_cipher);
	TAKE(h->new_pbkdf, none ? "" : l->new_pbkdf);
	TAKE(h->new_pbkdf_hash, none ? "" : l->new_pbkdf_hash);
	h->new_sector_size = none ? 0 : l->new_sector_size;
	h->new_key_size = none ? 0 : l->new_key_size;
	h->keep_key = !none && l->keep_key;
}

void header_looked(struct volume_header *h, const struct worker_look *look)
{
	assert(look->valid);
	take_rotation(h, look, look->reencryption == REENCRYPTION_NONE);
	TAKE(h->old_cipher, look->old_cipher);
	h->old_sector_size = look->old_sector_size;
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
	return strcmp(h->direction, "backward") == 0;
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
