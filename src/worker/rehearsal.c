/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/rehearsal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "luks/derive.h"
#include "luks/reencrypt-layout.h"
#include "util/log.h"
#include "worker/conversion.h"
#include "worker/kernel-cipher.h"
#include "worker/resume-options.h"
#include "worker/volume-use.h"

static int understand(struct work_volume *v)
{
	int r = volume_understand(v);

	return r < 0 ? r : steps_check_supported(v);
}

/* The advice for a header on the disk, such as to restore a backup of it, is not for this one. */
static int check_understood(struct work_volume *v)
{
	int r = understand(v);

	return r < 0 ? log_refusal(r,
				   "%s: that is wrong with what libcryptsetup makes of the LUKS2 "
				   "header in memory; on the disk nothing was changed",
				   v->header_path)
		     : 0;
}

/* With a key that is not that of the digest, the volume could not be opened again. */
static int check_key(const struct work_volume *v, int digest, const struct secret *key,
		     const char *wrong)
{
	int r = luks_volume_key_verify(v->header, digest, key);

	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", v->header_path, luks_derive_why());
	return r < 0 ? log_error_errno(r, "%s: %s; nothing was changed", v->header_path, wrong) : 0;
}

/*
 * libcryptsetup finds that any key belongs to a digest of md5, and puts the new one to the old
 * one's digest. Each keyslot then opens the volume, and only the new one with the right key.
 */
static int check_sides(const struct work_volume *v, const struct luks_begin *b)
{
	const int old_digest = v->reenc.old_side.digest, new_digest = v->reenc.new_side.digest;

	if (luks_begin_get_plan(b)->keeps_key)
		return check_key(v, old_digest, luks_begin_get_old_key(b),
				 "what was opened is not the volume key");
	if (old_digest != new_digest)
		return check_key(v, new_digest, luks_begin_get_new_key(b),
				 "the digest that libcryptsetup makes of the new volume key is not "
				 "that of this key");
	return log_refusal(-ENOTSUP,
			   "%s: libcryptsetup cannot tell the new volume key from the current one, "
			   "whose digest has a hash that is too short, such as md5; nothing was "
			   "changed",
			   v->header_path);
}

static int check_digest(const struct work_volume *v, const struct luks_reenc_keys *keys)
{
	int r = luks_reenc_digest_verify(v->header, &v->reenc, keys);

	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", v->header_path, luks_derive_why());
	return r < 0 ? log_error_errno(
			       r,
			       "%s: the verification digest that libcryptsetup makes cannot "
			       "be verified; nothing was changed",
			       v->header_path)
		     : 0;
}

static int check_room(const struct work_volume *v, const char *or_else)
{
	uint64_t used, size;
	int r = luks_reenc_check_room(v->header, &v->reenc, &used, &size);

	if (r == -ENOSPC)
		return log_refusal(r,
				   "%s: the LUKS2 header has no room for the positions of a "
				   "re-encryption: %" PRIu64 " of %" PRIu64
				   " bytes of its JSON area would be used; nothing was changed. "
				   "Remove tokens that nobody needs (cryptsetup token remove)%s",
				   v->header_path, used, size, or_else);
	return r < 0 ? log_error_errno(r, "%s: cannot plan the positions of the re-encryption",
				       v->header_path)
		     : 0;
}

/* cryptsetup's blocks for the checksums of an image file may be too large for its last bytes. */
static int cover(struct work_volume *v, const struct luks_reenc_keys *keys)
{
	int r = luks_reenc_uncovered(&v->reenc) ? luks_reenc_cover(v->header, &v->reenc, keys) : 0;

	return r < 0 ? log_error_errno(r,
				       "%s: cannot have checksums cover the last bytes of the data",
				       v->header_path)
		     : 0;
}

/* libcryptsetup makes the segment as it was before the re-encryption, mostly without a size. */
static int fix_size(struct work_volume *v)
{
	int r;

	if (v->options->target.device_size == 0)
		return 0;
	r = luks_reenc_set_position(v->header, &v->reenc, v->reenc.boundary, 0);
	return r < 0 ? log_error_errno(r, "%s: --device-size cannot be put into the LUKS2 header",
				       v->header_path)
		     : 0;
}

static int rehearse_begun(struct work_volume *will_be, const struct luks_begin *b)
{
	const struct secret *old_key = luks_begin_get_old_key(b),
			    *new_key = luks_begin_get_new_key(b);
	const struct luks_reenc_keys keys = {old_key, new_key};
	const struct conversion_keys conversion_keys = {old_key, new_key};
	int r = check_understood(will_be);

	if (r < 0)
		return r;
	r = check_sides(will_be, b);
	if (r < 0)
		return r;
	r = check_digest(will_be, &keys);
	if (r < 0)
		return r;
	r = cover(will_be, &keys);
	if (r < 0)
		return r;
	r = fix_size(will_be);
	if (r < 0)
		return r;
	r = conversion_rehearse(will_be, &conversion_keys);
	if (r < 0)
		return r;
	r = will_be->name ? conversion_try_stack(will_be, &conversion_keys) : 0;
	return r < 0 ? r : check_room(will_be, ", or carry fewer keyslots over (--key-slot)");
}

int rehearse(struct work_volume *v, const struct luks_begin *b, struct luks_header *header,
	     struct meta_io *io)
{
	struct work_volume will_be = *v; /* everything but header and access to it belongs to @v */
	int r;

	assert(v->reenc.state == LUKS_REENC_NONE && header != v->header && io != v->meta);
	will_be.header = header;
	will_be.meta = io;
	will_be.meta_fd = -1;
	r = rehearse_begun(&will_be, b);
	/* A private mapping for a cipher took the claim over, if there was one, and is gone again.
	 */
	v->exclusive_fd = will_be.exclusive_fd;
	/* Once more, as it is now: passphrases take their time. */
	return r < 0 ? r : conversion_check(v);
}

/* As a recovery leaves it: the hotzone is converted. Behind the last one nothing is left. */
static int recovered(struct work_volume *v)
{
	struct luks_reenc *reenc = &v->reenc;
	const bool forward = reenc->direction == LUKS_FORWARD;
	const uint64_t after =
		forward ? reenc->boundary + reenc->hot_size : reenc->boundary - reenc->hot_size;
	int r;

	if (reenc->state != LUKS_REENC_HOT)
		return 0;
	if (after == (forward ? reenc->data_size : 0)) {
		reenc->state = LUKS_REENC_FINISH;
		return 0;
	}
	r = luks_reenc_set_position(v->header, reenc, after, 0);
	return r < 0 ? log_error_errno(r, "%s: cannot plan the recovery of the hotzone",
				       v->header_path)
		     : 0;
}

static int reversed(struct work_volume *v, const struct luks_reenc_keys *keys)
{
	int r = luks_reenc_reverse(v->header, &v->reenc, keys, conversion_hotzone_size(v));

	return r < 0 ? log_error_errno(r, "%s: cannot turn the re-encryption around",
				       v->header_path)
		     : 0;
}

static int rehearse_edits(const struct steps *s, bool back, struct work_volume *will_be)
{
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	struct conversion_keys sides = {s->old_key, s->new_key};
	int r = recovered(will_be);

	if (r < 0)
		return r;
	if (back && will_be->reenc.state == LUKS_REENC_FINISH)
		return log_refusal(-EINVAL,
				   "%s: all but the last hotzone is converted, and this one is in "
				   "work, so nothing can be taken back; finish with: recryptctl "
				   "reencrypt --resume-only %s",
				   s->volume.data_path, s->volume.arguments);
	r = resume_try_resilience(s, will_be);
	if (r < 0)
		return r;
	r = cover(will_be, &keys);
	if (r < 0)
		return r;
	if (back) {
		r = reversed(will_be, &keys);
		if (r < 0)
			return r;
		sides = (struct conversion_keys){s->new_key, s->old_key};
	}
	if (will_be->reenc.state != LUKS_REENC_CLEAN)
		return 0; /* nothing is left to convert */
	r = conversion_rehearse(will_be, &sides);
	return r < 0 ? r : check_room(will_be, "");
}

/* A private mapping for a cipher takes over the claim of the device, and is gone again. */
static int claim_again(struct work_volume *v, const struct work_volume *will_be)
{
	v->exclusive_fd = will_be->exclusive_fd;
	return volume_claim_device(v);
}

/* Can the devices be stacked as they are now? Of the new side perhaps nothing is in use yet. */
static int check_stack(struct steps *s)
{
	struct work_volume *v = &s->volume;
	const struct conversion_keys keys = {s->old_key, s->new_key};
	const struct luks_side *side = &v->reenc.new_side;
	int r;

	if (!v->name)
		return 0;
	r = conversion_try_stack(v, &keys);
	if (r < 0)
		return r;
	return cipher_check(v, side->cipher, (uint32_t)s->new_key->size, side->sector_size);
}

int rehearse_rest(struct steps *s, bool back)
{
	struct luks_header header = *s->volume.header; /* all but the JSON belongs to the volume */
	struct work_volume will_be = s->volume;
	bool changes;
	int r, r2;

	assert(s->volume.lock && s->volume.reenc.state != LUKS_REENC_NONE);
	r = resume_changes_resilience(s, &changes);
	if (r < 0)
		return r;
	if (!changes && !back && luks_reenc_uncovered(&s->volume.reenc) == 0)
		return 0;
	r = check_stack(s);
	if (r < 0)
		return r;
	header.json = header_copy_json(s->volume.header);
	if (!header.json)
		return log_error_errno(-ENOMEM, "%s: cannot copy the LUKS2 header to memory",
				       s->volume.header_path);
	will_be.header = &header;
	r = rehearse_edits(s, back, &will_be);
	json_object_put(header.json);
	r2 = claim_again(&s->volume, &will_be);
	return r < 0 ? r : r2;
}
