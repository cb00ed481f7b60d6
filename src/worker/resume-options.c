/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/resume-options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crypto/checksum.h"
#include "luks/lock.h"
#include "luks/new-key.h"
#include "luks/status.h"
#include "util/log.h"
#include "util/text.h"
#include "model/begun.h"

#define DEFAULT_HASH "sha256"

int resume_check_options(const struct work_volume *v, const struct work_options *o)
{
	const struct luks_reenc *r = &v->reenc;
	struct luks_new_key key;
	struct begun b = {
		.device = v->data_path,
		.cipher = r->new_side.cipher,
		.sector_size = r->new_side.sector_size,
		.keep_key = r->keep_key,
		.resilience = luks_resilience_name(r->resilience),
	};

	if (o->foreground.init_only)
		return log_refusal(-EINVAL,
				   "%s: a re-encryption is begun already, so --init-only has "
				   "nothing to do; resume with: recryptctl reencrypt --resume-only "
				   "%s",
				   v->data_path, v->arguments);
	luks_new_key_get(v->header, r, &key);
	b.key_size = key.size;
	b.pbkdf = key.pbkdf;
	b.pbkdf_hash = key.pbkdf_hash;
	if (o->foreground.no_keyslots && luks_reenc_keyslots(v->header, r->new_side.digest))
		return log_refusal(-EINVAL,
				   "%s: --force-no-keyslots is not what the re-encryption in "
				   "progress was begun with; leave it out to resume",
				   v->data_path);
	return begun_check(&b, &o->rotation,
			   o->foreground.both_key_sizes ? "--new-key-size" : "--key-size");
}

static int check_size(const struct work_volume *v, const struct secret *key, uint32_t wanted,
		      const char *which)
{
	if (wanted == 0 || !key || key->size == wanted)
		return 0;
	return log_refusal(-EINVAL,
			   "%s: the %s volume key of the re-encryption in progress has %zu bits, "
			   "and %" PRIu32 " are asked for; leave the size out to resume",
			   v->data_path, which, key->size * 8, wanted * 8);
}

int resume_check_keys(const struct steps *s)
{
	const struct work_options *o = s->options;
	int r = check_size(&s->volume, s->new_key, o->rotation.key_size, "new");

	return r < 0 ? r : check_size(&s->volume, s->old_key, o->foreground.old_key_size, "old");
}

static enum luks_resilience wanted_resilience(const char *name, enum luks_resilience begun)
{
	if (!*name)
		return begun;
	return strcmp(name, "journal") == 0 ? LUKS_RESILIENCE_JOURNAL : LUKS_RESILIENCE_CHECKSUM;
}

/* What is asked for, or else what the header has. In place of none a resilience is asked for. */
static struct luks_protection wanted_protection(const struct work_volume *v)
{
	const struct work_options *o = v->options;
	const struct luks_reenc *r = &v->reenc;
	struct luks_protection p = {
		.resilience = wanted_resilience(o->rotation.resilience, r->resilience),
		.wanted_block = volume_position_unit(v),
		.hotzone_size = conversion_hotzone_size(v),
	};

	if (p.resilience == LUKS_RESILIENCE_CHECKSUM)
		p.hash = text_or_null(o->rotation.hash) ?: text_or_null(r->hash) ?: DEFAULT_HASH;
	return p;
}

static bool is_another(const struct luks_reenc *r, const struct luks_protection *p)
{
	return p->resilience != r->resilience || (p->hash && strcmp(p->hash, r->hash) != 0);
}

static int check_hash(const struct work_volume *v, const struct luks_protection *p)
{
	_cleanup_(checksum_freep) struct checksum *checksum = NULL;

	if (!p->hash || checksum_new(p->hash, 1, &checksum) == 0)
		return 0;
	return log_refusal(-EINVAL, "%s: --resilience-hash \"%s\" does not exist", v->data_path,
			   p->hash);
}

int resume_changes_resilience(const struct steps *s, bool *ret)
{
	const struct work_volume *v = &s->volume;
	const struct luks_protection p = wanted_protection(v);
	const bool another = is_another(&v->reenc, &p);
	int r = another ? check_hash(v, &p) : 0;

	if (r < 0)
		return r;
	*ret = another;
	return 0;
}

static int explain_resilience(const struct work_volume *v, int error, const struct luks_reason *why)
{
	if (error == -ENOSPC)
		return log_refusal(error,
				   "%s: the keyslots area has no room for the resilience data of "
				   "even one block with this --resilience; leave it out to resume",
				   v->header_path);
	if (error == -EINVAL && !*why->text)
		return log_refusal(error,
				   "%s: the re-encryption is at a position that is no multiple of "
				   "the blocks of this --resilience; leave it out to resume",
				   v->header_path);
	return log_error_errno(error, "%s: cannot change the resilience of the re-encryption%s%s",
			       v->header_path, *why->text ? ": " : "", why->text);
}

int resume_try_resilience(const struct steps *s, struct work_volume *will_be)
{
	const struct luks_protection p = wanted_protection(will_be);
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	const struct luks_reason none = {};
	int r;

	assert(will_be != &s->volume && will_be->header != s->volume.header);
	if (will_be->reenc.state != LUKS_REENC_CLEAN || !is_another(&will_be->reenc, &p))
		return 0;
	r = luks_reenc_set_protection(will_be->header, &will_be->reenc, &keys, &p);
	return r < 0 ? explain_resilience(will_be, r, &none) : 0;
}

static int commit_resilience(struct steps *s, const struct luks_protection *p,
			     struct luks_reason *why)
{
	struct work_volume *v = &s->volume;
	const struct luks_reenc_keys keys = {s->old_key, s->new_key};
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = volume_lock_header(v, &lock);

	if (r < 0)
		return r;
	r = luks_reenc_set_protection(v->header, &v->reenc, &keys, p);
	return r < 0 ? r : volume_commit_header(v, why);
}

int resume_change_resilience(struct steps *s)
{
	const struct work_volume *v = &s->volume;
	const struct luks_protection p = wanted_protection(v);
	struct luks_reason why = {};
	int r;

	assert(v->lock);
	if (v->reenc.state != LUKS_REENC_CLEAN || !is_another(&v->reenc, &p))
		return 0;
	r = commit_resilience(s, &p, &why);
	if (r < 0)
		return explain_resilience(v, r, &why);
	log_notice("%s: the resilience is %s%s%s from here on", v->data_path,
		   luks_resilience_name(p.resilience), p.hash ? " with " : "", p.hash ?: "");
	return 0;
}
