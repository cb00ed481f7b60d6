/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/steps.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "luks/derive.h"
#include "luks/freed.h"
#include "luks/status.h"
#include "luks/unlock.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/kernel-cipher.h"
#include "worker/rehearsal.h"
#include "worker/sector-check.h"

int steps_open(const struct work_options *o, struct steps *s)
{
	int r;

	*s = (struct steps){
		.options = o,
		.volume = VOLUME_NONE,
		.token_choice = {o->foreground.token_id, o->foreground.token_type,
				 o->foreground.token_only},
	};
	r = volume_open(o, &s->volume);
	return r < 0 ? r : volume_check_idle(&s->volume);
}

void steps_close(struct steps *s)
{
	volume_close(&s->volume);
	s->old_key = secret_free(s->old_key);
	s->new_key = secret_free(s->new_key);
}

int steps_wipe_freed(struct steps *s)
{
	static const struct luks_areas none = {};
	struct work_volume *v = &s->volume;

	if (!luks_freed_is_due(v->header))
		return 0;
	if (volume_wipe_freed(v, &none) == 0)
		log_notice(
			"%s: the areas of the old keyslots, which an earlier re-encryption did not "
			"come to, are wiped",
			v->header_path);
	return volume_reload(v);
}

/* Its position is one of before: converting from there would spoil what is converted already. */
int steps_check_newer(const struct work_volume *v)
{
	if (v->header->seqid >= v->options->run.least_sequence)
		return 0;
	return log_refusal(
		-ERROR_HEADER_CHANGED,
		"%s: a header of before has taken the place of the one that was left here; "
		"restore that one",
		v->header_path);
}

int steps_check_side(const struct work_volume *v)
{
	const struct luks_side *side = &v->reenc.old_side;
	const char *wanted = v->options->run.side;
	char now[LUKS_FINGERPRINT_SIZE];

	if (!*wanted)
		return 0;
	luks_side_fingerprint(v->header, side->digest, side->cipher, side->sector_size, now);
	if (strcmp(now, wanted) == 0)
		return 0;
	return log_refusal(-ERROR_HEADER_CHANGED,
			   "%s: the header has another key or cipher than when the rotation was "
			   "ordered; look what has become of it",
			   v->header_path);
}

int steps_check_supported(const struct work_volume *v)
{
	const struct luks_reenc *r = &v->reenc;

	if (r->state == LUKS_REENC_NONE)
		return 0;
	if (r->mode != LUKS_REENCRYPT)
		return log_refusal(-ENOTSUP,
				   "%s: this is %s begun by cryptsetup, which only cryptsetup can "
				   "resume",
				   v->data_path,
				   r->mode == LUKS_ENCRYPT ? "an encryption" : "a decryption");
	/* cryptsetup writes no hotzone to the header then. */
	if (r->resilience == LUKS_RESILIENCE_NONE && r->state == LUKS_REENC_HOT)
		return log_refusal(
			-ENOTSUP,
			"%s: this re-encryption was begun with --resilience none, which protects "
			"no hotzone, and stands in the middle of one: it cannot be recovered; "
			"restore a backup of the header and the data",
			v->data_path);
	if (r->shift_size > 0 || r->moved_segment)
		return log_refusal(-ENOTSUP,
				   "%s: this re-encryption moves the data (%s); only cryptsetup "
				   "can continue it",
				   v->data_path, luks_resilience_name(r->resilience));
	if (r->resilience == LUKS_RESILIENCE_CHECKSUM && !is_aligned(r->hot_size, r->block_size))
		return log_refusal(
			-ENOTSUP,
			"%s: no checksum covers the last %" PRIu32
			" bytes of the hotzone, so nobody can tell whether they are under the old "
			"or the new key. \"cryptsetup repair\" takes them for converted; make a "
			"copy of the image first",
			v->data_path, (uint32_t)(r->hot_size % r->block_size));
	return 0;
}

int steps_check_size(const struct work_volume *v)
{
	return v->grown && v->reenc.direction == LUKS_FORWARD ? volume_refuse_grown(v) : 0;
}

int steps_unlock(struct steps *s)
{
	const struct work_volume *v = &s->volume;
	const struct luks_unlock_params params = {
		.device = v->data_path,
		.place = &v->place,
		.old_digest = v->reenc.state == LUKS_REENC_NONE ? LUKS_DIGEST_NONE
								: v->reenc.old_side.digest,
		/* Nothing is left to convert, and cryptsetup may have wiped the old keyslot. */
		.old_optional = v->reenc.state == LUKS_REENC_FINISH,
		.new_digest = v->reenc.new_side.digest,
		.keyslot = s->options->rotation.keyslot,
		.old_key = s->volume_key,
		.new_key = s->new_volume_key,
		.tokens = s->tokens,
		.token_choice = foreground_chooses_tokens(&s->options->foreground)
					? &s->token_choice
					: NULL,
		.passphrases = s->passphrases,
	};

	assert(!s->old_key && !s->new_key);
	assert(s->passphrases.ask && s->passphrases.tries > 0);
	return luks_unlock(&params, &s->old_key, &s->new_key);
}

/*
 * All is converted and the old key cannot be had, so the verification digest says nothing. What can
 * be verified is that the new key is the one that the header names; and what cannot must not cost
 * anybody the old key.
 */
static int verify_finish(struct work_volume *v, const struct luks_reenc_keys *keys)
{
	const int digest = v->reenc.new_side.digest;
	uint32_t left = luks_reenc_keyslots(v->header, v->reenc.old_side.digest);
	int r = keys->new_key ? luks_volume_key_verify(v->header, digest, keys->new_key) : -ENOKEY;

	if (r < 0)
		return r;
	v->reenc.unverified = true;
	for (; left; left &= left - 1)
		log_warning("%s: keyslot %d of the old volume key was not opened, so nobody can "
			    "verify the re-encryption; the keyslot stays. When the data are right, "
			    "remove it with: cryptsetup luksKillSlot %s %d",
			    v->header_path, __builtin_ctz(left), v->header_path,
			    __builtin_ctz(left));
	return 0;
}

int steps_take_over(struct steps *s)
{
	struct work_volume *v = &s->volume;
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	int r = v->lock ? 0 : volume_take_lock(v); /* steps_begin() took the lock */

	if (r < 0)
		return r;
	r = steps_check_supported(v);
	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return log_refusal(-ERROR_HEADER_CHANGED,
				   "%s: somebody else finished the re-encryption meanwhile",
				   v->data_path);
	r = luks_reenc_digest_verify(v->header, &v->reenc, &keys);
	if (r == -ENOKEY && v->reenc.state == LUKS_REENC_FINISH)
		r = verify_finish(v, &keys);
	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", v->header_path, luks_derive_why());
	if (r == -ERROR_OTHER_KEY || r == -EBADMSG)
		return log_error_errno(
			r,
			"%s: the re-encryption metadata was tampered with (verification "
			"digest mismatch); nothing was changed, restore a header backup",
			v->header_path);
	return r < 0 ? log_error_errno(r, "%s: cannot verify the re-encryption", v->header_path)
		     : 0;
}

/*
 * The hotzone that there is, with the blocks that its checksums have: only a clean header can get
 * smaller ones. The hotzone may be the last one.
 */
static int recover_uncovered(struct steps *s)
{
	const struct conversion_keys keys = {s->old_key, s->new_key};
	struct conversion_watch quiet;
	enum engine_outcome outcome;

	if (s->volume.reenc.state != LUKS_REENC_HOT || luks_reenc_uncovered(&s->volume.reenc) == 0)
		return 0;
	quiet = (struct conversion_watch){.stop = s->watch->stop, .arg = s->watch->arg};
	return conversion_run(&s->volume, &keys, true, &quiet, &outcome);
}

static int commit_cover(struct steps *s, struct luks_reason *why)
{
	struct work_volume *v = &s->volume;
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = volume_lock_header(v, &lock);

	if (r < 0)
		return r;
	r = luks_reenc_cover(v->header, &v->reenc, &keys);
	return r < 0 ? r : volume_commit_header(v, why);
}

/*
 * cryptsetup's blocks for the checksums of an image file may be too large for its last bytes. The
 * header is clean.
 */
static int cover_all(struct steps *s)
{
	const struct work_volume *v = &s->volume;
	struct luks_reason why = {};
	int r;

	if (luks_reenc_uncovered(&v->reenc) == 0)
		return 0;
	r = commit_cover(s, &why);
	return r < 0 ? log_error_errno(r,
				       "%s: cannot have checksums cover the last bytes of the "
				       "data%s%s",
				       v->header_path, *why.text ? ": " : "", why.text)
		     : 0;
}

int steps_convert(struct steps *s, bool recover_only, enum engine_outcome *ret)
{
	const struct conversion_keys keys = {s->old_key, s->new_key};
	int r;

	assert(s->volume.lock && s->watch);
	assert(s->volume.reenc.state != LUKS_REENC_NONE);
	if (!recover_only) {
		r = steps_check_size(&s->volume);
		if (r < 0)
			return r;
		r = recover_uncovered(s);
		if (r < 0)
			return r;
		if (s->volume.reenc.state == LUKS_REENC_NONE) {
			*ret = ENGINE_FINISHED;
			return 0;
		}
		r = cover_all(s);
		if (r < 0)
			return r;
	}
	if (s->volume.reenc.state == LUKS_REENC_FINISH) {
		log_notice(s->turned_around
				   ? "%s: nothing was converted yet; the volume keeps its old key"
				   : "%s: everything is converted already, finishing",
			   s->volume.data_path);
		r = conversion_finish(&s->volume);
		if (r < 0)
			return r;
		*ret = ENGINE_FINISHED;
		return 0;
	}
	return conversion_run(&s->volume, &keys, recover_only, s->watch, ret);
}

/* Before anybody is asked for a passphrase. */
static int check_sectors(const struct steps *s)
{
	const struct work_volume *v = &s->volume;
	const uint32_t wanted = s->options->rotation.sector_size;

	if (!v->name || v->reenc.state != LUKS_REENC_NONE ||
	    wanted <= v->reenc.new_side.sector_size)
		return 0;
	return sectors_check_above(v, wanted);
}

/*
 * cryptsetup before 2.7 opens the whole device whatever size the header says, so data may lie
 * behind that size, and would be lost. An open mapping of that size has none.
 */
static int check_fixed_size(const struct work_volume *v)
{
	const uint64_t device = v->data.geometry.size - v->reenc.data_offset;

	if (v->name || v->options->target.device_size || !v->reenc.fixed_size ||
	    v->reenc.data_size >= device)
		return 0;
	return log_refusal(-EINVAL,
			   "%s: the header says that only the first %" PRIu64 " of %" PRIu64
			   " bytes are data, but cryptsetup before 2.7 opens and uses all of them; "
			   "what lies behind is lost with the old volume key. Copy it first if it "
			   "is data; then use: recryptctl reencrypt --foreground --device-size "
			   "%" PRIu64 " %s",
			   v->data_path, v->reenc.data_size, device, v->reenc.data_size,
			   v->arguments);
}

static struct luks_begin_params begin_params(const struct steps *s)
{
	const struct work_options *o = s->options;
	const struct rotate_options *z = &o->rotation;

	return (struct luks_begin_params){
		.device = s->volume.data_path,
		.place = &s->volume.place,
		.active_name = s->volume.name,
		.cipher = text_or_null(z->cipher),
		.key_size = z->key_size,
		.old_key_size = o->foreground.old_key_size,
		.sector_size = z->sector_size,
		.keep_key = z->keep_key,
		.force_offline = z->force_offline,
		.keyslot = z->keyslot,
		.resilience = text_or_null(z->resilience) ?: "checksum",
		.resilience_hash = text_or_null(z->hash) ?: "sha256",
		.device_size = o->target.device_size,
		.given.old_key = s->volume_key,
		.given.new_key = s->new_volume_key,
		.given.no_keyslots = o->foreground.no_keyslots,
		.token_choice = foreground_chooses_tokens(&o->foreground) ? &s->token_choice : NULL,
		.pbkdf =
			{
				.type = text_or_null(z->pbkdf),
				.hash = text_or_null(z->pbkdf_hash),
				.time_ms = z->pbkdf_time_ms,
				.iterations = z->pbkdf_iterations,
				.memory_kib = z->pbkdf_memory_kib,
				.parallel = z->pbkdf_parallel,
			},
		.may_weaken = z->may_weaken,
		.skip_tokens = s->skip_tokens,
		.passphrases = s->passphrases,
	};
}

int steps_plan(struct steps *s, struct luks_begin **ret)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	const struct luks_begin_params params = begin_params(s);
	const struct luks_begin_plan *plan;
	int r = check_fixed_size(&s->volume);

	if (r < 0)
		return r;
	r = conversion_check(&s->volume);
	if (r < 0)
		return r;
	r = check_sectors(s);
	if (r < 0)
		return r;
	r = luks_begin_plan(&params, &b);
	if (r < 0)
		return r;
	plan = luks_begin_get_plan(b);
	if (!s->volume.name && plan->new_sector_size > plan->old_sector_size) {
		r = sectors_check_closed(&s->volume, luks_begin_get_old_key(b),
					 plan->new_sector_size);
		if (r < 0)
			return r;
	}
	r = conversion_check_skip(&s->volume, plan->old_cipher, plan->new_cipher);
	if (r < 0)
		return r;
	r = cipher_check(&s->volume, plan->new_cipher, plan->new_key_size, plan->new_sector_size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

/* Take the lock only here: key derivation takes seconds and writes nothing. */
int steps_begin(struct steps *s, struct luks_begin *b)
{
	struct work_volume *v = &s->volume;
	struct luks_header *header;
	struct meta_io *io;
	int r;

	assert(!v->lock && v->reenc.state == LUKS_REENC_NONE);
	assert(!s->old_key && !s->new_key);
	r = luks_begin_make(b, &header, &io);
	if (r < 0)
		return r;
	r = rehearse(v, b, header, io);
	if (r < 0)
		return r;
	r = volume_take_lock(v);
	if (r < 0)
		return r;
	if (v->reenc.state != LUKS_REENC_NONE)
		return log_refusal(-EBUSY,
				   "%s: another process has begun a re-encryption meanwhile",
				   v->data_path);
	r = luks_begin_commit(b, &s->old_key, &s->new_key);
	return r < 0 ? r : volume_reload(v);
}

int steps_check_cancellable(const struct work_volume *v)
{
	switch (v->reenc.state) {
	case LUKS_REENC_NONE:
		return log_refusal(-EINVAL, "%s: no re-encryption is in progress", v->data_path);
	case LUKS_REENC_FINISH:
		return log_refusal(-EINVAL,
				   "%s: everything is converted; finish with: recryptctl reencrypt "
				   "--resume-only %s",
				   v->data_path, v->arguments);
	case LUKS_REENC_CLEAN:
	case LUKS_REENC_HOT:
		break;
	}
	if (v->reenc.direction == LUKS_BACKWARD)
		return log_refusal(
			-ERROR_REVERSING,
			"%s: the re-encryption is reversed already; resume with: recryptctl "
			"reencrypt --resume-only %s",
			v->data_path, v->arguments);
	return 0;
}

/* What has nothing converted is over with its last commit, and is never written in this state. */
static int commit_reverse(struct work_volume *v, const struct luks_reenc_keys *keys,
			  struct luks_reason *why)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = volume_lock_header(v, &lock);

	if (r < 0)
		return r;
	r = luks_reenc_reverse(v->header, &v->reenc, keys, conversion_hotzone_size(v));
	if (r < 0 || v->reenc.state == LUKS_REENC_FINISH)
		return r;
	return volume_commit_header(v, why);
}

int steps_turn_around(struct steps *s)
{
	struct work_volume *v = &s->volume;
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	struct secret *key;
	struct luks_reason why = {};
	int r;

	assert(v->lock && v->reenc.state == LUKS_REENC_CLEAN);
	r = cover_all(s);
	if (r < 0)
		return r;
	r = commit_reverse(v, &keys, &why);
	if (r < 0)
		return log_error_errno(r, "%s: cannot turn the re-encryption around%s%s",
				       v->header_path, why.text[0] ? ": " : "", why.text);
	key = s->old_key;
	s->old_key = s->new_key;
	s->new_key = key;
	s->turned_around = true;
	return 0;
}

int steps_settle(struct steps *s)
{
	struct work_volume *v = &s->volume;
	int r;

	assert(v->stacked && v->reenc.state == LUKS_REENC_NONE);
	r = steps_unlock(s);
	if (r < 0)
		return r;
	r = volume_take_lock(v);
	if (r < 0)
		return r;
	if (v->reenc.state != LUKS_REENC_NONE)
		return log_error_errno(-ERROR_HEADER_CHANGED,
				       "%s: somebody else began a re-encryption meanwhile",
				       v->data_path);
	r = conversion_settle(v, s->new_key);
	if (r < 0)
		return r;
	log_notice("%s: the re-encryption was complete but for its devices, which are in order now",
		   v->data_path);
	return 0;
}
