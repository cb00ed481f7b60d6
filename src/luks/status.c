/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/status.h"

#include <assert.h>
#include <string.h>

#include "luks/names.h"

const char *luks_reenc_state_name(enum luks_reenc_state state)
{
	assert(state <= LUKS_REENC_FINISH);
	return luks_reenc_state_names[state];
}

/* Without resilience a clean one can get it, and a hot one is lost. */
static bool is_ours(const struct luks_reenc *r)
{
	if (r->state == LUKS_REENC_NONE)
		return true;
	return r->mode == LUKS_REENCRYPT && !r->shift_size && !r->moved_segment &&
	       (r->resilience != LUKS_RESILIENCE_NONE || r->state != LUKS_REENC_HOT);
}

/* cryptsetup would convert what lies behind data of a fixed size as well. */
static bool has_fixed_size(const struct luks_reenc *r)
{
	return r->state != LUKS_REENC_NONE && (r->old_side.size > 0 || r->new_side.size > 0);
}

static uint64_t bytes_done(const struct luks_reenc *r)
{
	/* With data shift the position is not known. */
	if (r->state == LUKS_REENC_NONE || r->shift_size)
		return 0;
	return r->direction == LUKS_FORWARD ? r->boundary : r->data_size - r->boundary;
}

static uint64_t fixed_below_device(const struct luks_reenc *r, uint64_t device_size)
{
	return r->state == LUKS_REENC_NONE && r->fixed_size &&
			       r->data_size < device_size - r->data_offset
		       ? r->data_size
		       : 0;
}

int luks_status_get(const struct luks_header *h, uint64_t device_size, uint64_t fixed_size,
		    uint32_t block_size, struct luks_status *ret, struct luks_reason *why)
{
	struct luks_status s = {.seqid = h->seqid, .copy_bad = luks_header_needs_repair(h)};
	int r;

	r = luks_reenc_load(h, device_size, fixed_size, block_size, &s.reenc, why);
	if (r < 0)
		return r;
	memcpy(s.uuid, h->uuid, sizeof(s.uuid));
	memcpy(s.label, h->label, sizeof(s.label));

	s.bytes_done = bytes_done(&s.reenc);
	s.bytes_left = s.reenc.state == LUKS_REENC_NONE ? 0 : s.reenc.data_size - s.bytes_done;
	s.fixed_size = fixed_below_device(&s.reenc, device_size);
	s.only_cryptsetup = !is_ours(&s.reenc);
	s.only_us = !s.only_cryptsetup &&
		    (s.reenc.state == LUKS_REENC_FINISH || has_fixed_size(&s.reenc) ||
		     (s.reenc.state == LUKS_REENC_HOT &&
		      !luks_reenc_stock_safe(&s.reenc, s.reenc.boundary, s.reenc.hot_size)));
	*ret = s;
	return 0;
}
