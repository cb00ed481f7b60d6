/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In the middle of a re-encryption libcryptsetup opens any keyslot that is named explicitly, old or
 * new, and with "any" only the new ones. So every keyslot of a digest that is still wanted is tried
 * by its number.
 */
#include "luks/unlock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks/context.h"
#include "luks/derive.h"
#include "luks/keyslots.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

enum side { OLD, NEW, SIDES };

struct unlock {
	const struct luks_unlock_params *params;
	struct crypt_device *cd;
	struct luks_keyslots keyslots;
	int digests[SIDES];
	struct secret *keys[SIDES];
	struct luks_given_up given_up;
};

static void unlock_clear(struct unlock *u)
{
	for (int s = OLD; s < SIDES; s++)
		u->keys[s] = secret_free(u->keys[s]);
	u->cd = luks_context_close(u->cd);
}

static bool wanted(const struct unlock *u, enum side s)
{
	return u->digests[s] != LUKS_DIGEST_NONE && !u->keys[s];
}

static bool any_wanted(const struct unlock *u)
{
	return (wanted(u, OLD) && !u->params->old_optional) || wanted(u, NEW);
}

/* The same digest on both sides: one key opens both. */
static int take_key(struct unlock *u, enum side s, struct secret *key)
{
	enum side other = s == OLD ? NEW : OLD;

	assert(wanted(u, s)); /* so there is no key to lose */
	u->keys[s] = key;
	if (wanted(u, other) && u->digests[other] == u->digests[s])
		return secret_copy(key->data, key->size, &u->keys[other]);
	return 0;
}

static bool may_use(const struct unlock *u, enum side s, const struct luks_keyslot *slot)
{
	if (slot->digest != u->digests[s])
		return false;
	return s == NEW || u->params->keyslot == LUKS_ANY_KEYSLOT || u->params->keyslot == slot->id;
}

/* Has any keyslot a key that could be had? */
static bool any_keyslot(const struct unlock *u, enum side s)
{
	for (size_t i = 0; i < u->keyslots.n; i++)
		if (may_use(u, s, &u->keyslots.slots[i]))
			return true;
	return false;
}

/* How a keyslot is opened: by a passphrase, or (NULL) by a token. */
struct keyslot_opener {
	const struct secret *passphrase;
	int token;
};

static int open_keyslot(struct unlock *u, const struct luks_keyslot *slot,
			const struct keyslot_opener *by, struct secret **ret)
{
	if (by->passphrase)
		return luks_keyslot_open(u->cd, slot->id, by->passphrase, ret);
	assert(by->token >= 0 && by->token < (int)LUKS_MAX_TOKENS);
	if (!(slot->tokens & UINT32_C(1) << by->token))
		return -ERROR_KEY_REJECTED;
	return luks_keyslot_open_by_token(u->cd, slot->id, by->token, ret);
}

/* 0 also when this side is not opened by it; only what makes no further try sensible is an error.
 */
static int try_side(struct unlock *u, enum side s, const struct keyslot_opener *by)
{
	for (size_t i = 0; i < u->keyslots.n && wanted(u, s); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		const struct luks_keyslot *slot = &u->keyslots.slots[i];
		int r;

		if (!may_use(u, s, slot) || luks_given_up(&u->given_up, slot->id))
			continue;
		r = open_keyslot(u, slot, by, &key);
		if (r < 0) {
			r = luks_given_up_note(&u->given_up, u->params->device, slot->id, r);
			if (r < 0)
				return r;
			continue;
		}
		log_info("keyslot %d opened", slot->id);
		r = take_key(u, s, TAKE_PTR(key));
		if (r < 0)
			return r;
	}
	return 0;
}

static int try_opener(struct unlock *u, const struct keyslot_opener *by)
{
	int r = try_side(u, OLD, by);

	return r < 0 ? r : try_side(u, NEW, by);
}

void luks_tell_wrong_volume_key(const char *device, const char *which, int digest)
{
	char name[32] = "any digest";

	if (digest >= 0)
		(void)snprintf(name, sizeof(name), "digest %d", digest);
	log_error("%s: the given %svolume key does not match %s of the header; --volume-key-file "
		  "takes the current key (in cryptsetup 2.6: the new key), --new-volume-key-file "
		  "the new one",
		  device, which, name);
}

static int try_volume_key(struct unlock *u, enum side s, const struct secret *given)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r;

	if (!given || !wanted(u, s))
		return 0;
	r = luks_digest_verify(u->cd, u->digests[s], given);
	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", u->params->device, luks_derive_why());
	if (r < 0) {
		luks_tell_wrong_volume_key(u->params->device, s == OLD ? "old " : "new ",
					   u->digests[s]);
		return r;
	}
	r = secret_copy(given->data, given->size, &key);
	if (r < 0)
		return r;
	return take_key(u, s, TAKE_PTR(key));
}

static int try_token(struct unlock *u, int token)
{
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	struct keyslot_opener by = {.token = token};
	int r;

	r = luks_token_passphrase(u->cd, token, &passphrase);
	if (r == -ENOKEY)
		return 0;
	if (r < 0 && r != -EINVAL)
		return r;
	by.passphrase = passphrase;
	return try_opener(u, &by);
}

static bool only_tokens(const struct unlock *u)
{
	return u->params->token_choice && u->params->token_choice->only;
}

static int try_tokens(struct unlock *u)
{
	uint32_t assigned = 0, allowed;
	int r = luks_tokens_find(u->cd, u->params->device, u->params->token_choice, &allowed);

	if (r < 0)
		return r;
	for (size_t i = 0; i < u->keyslots.n; i++)
		assigned |= u->keyslots.slots[i].tokens & allowed;
	for (int t = 0; t < (int)LUKS_MAX_TOKENS && any_wanted(u); t++) {
		if (!(assigned & UINT32_C(1) << t))
			continue;
		r = try_token(u, t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int try_passphrases(struct unlock *u)
{
	const struct luks_passphrases *p = &u->params->passphrases;
	unsigned wrong = 0;
	bool again = false;
	/* One try where only the optional key is missing. */
	bool ask = any_wanted(u) || (wanted(u, OLD) && any_keyslot(u, OLD));

	for (; ask && wrong < MAX(p->tries, 1U); ask = any_wanted(u)) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		const struct secret *had[SIDES] = {u->keys[OLD], u->keys[NEW]};
		int r;

		r = p->ask(p->arg, u->params->keyslot, again, &passphrase);
		if (r == -ENOKEY || r == -ENODATA)
			break;
		if (r < 0)
			return r;
		r = try_opener(u, &(struct keyslot_opener){.passphrase = passphrase});
		if (r == -ENOMEM)
			return log_error_errno(r, "%s: cannot open a keyslot", u->params->device);
		if (r < 0)
			return r;
		again = u->keys[OLD] == had[OLD] && u->keys[NEW] == had[NEW];
		if (again && luks_passphrase_gives_up(p, passphrase))
			break;
		wrong += again;
	}
	return 0;
}

/* A key can only be asked for where some keyslot holds it. */
static int check_keyslots(const struct unlock *u, enum side s)
{
	if (!wanted(u, s) || (s == OLD && u->params->old_optional) || any_keyslot(u, s))
		return 0;
	if (s == OLD && u->params->keyslot != LUKS_ANY_KEYSLOT)
		log_error("%s: keyslot %d does not hold the old volume key", u->params->device,
			  u->params->keyslot);
	else
		log_error(
			"%s: no keyslot holds the %s volume key; give it with --%svolume-key-file",
			u->params->device, s == OLD ? "old" : "new", s == OLD ? "" : "new-");
	return -ENOENT;
}

static int refuse_locked(const struct unlock *u)
{
	int r = luks_given_up_refuse(&u->given_up, u->params->device);

	if (r < 0)
		return r;
	log_error("%s: none of the %s opens a keyslot of the %s volume key", u->params->device,
		  only_tokens(u) ? "chosen tokens" : "passphrases",
		  !wanted(u, NEW)   ? "old"
		  : !wanted(u, OLD) ? "new"
				    : "old or the new");
	return -ERROR_KEY_REJECTED;
}

static int try_given_keys(struct unlock *u)
{
	int r = try_volume_key(u, OLD, u->params->old_key);

	return r < 0 ? r : try_volume_key(u, NEW, u->params->new_key);
}

static int check_both(const struct unlock *u)
{
	int r = check_keyslots(u, OLD);

	return r < 0 ? r : check_keyslots(u, NEW);
}

static int try_keyslots(struct unlock *u)
{
	int r;

	if (u->params->tokens) {
		r = try_tokens(u);
		if (r < 0)
			return r;
	}
	return only_tokens(u) ? 0 : try_passphrases(u);
}

static int unlock_sides(struct unlock *u)
{
	int r;

	r = luks_keyslots_read(u->cd, &u->keyslots);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the keyslots", u->params->device);
	r = try_given_keys(u);
	if (r < 0)
		return r;
	r = check_both(u);
	if (r < 0)
		return r;
	r = try_keyslots(u);
	if (r < 0)
		return r;
	return any_wanted(u) ? refuse_locked(u) : 0;
}

int luks_unlock(const struct luks_unlock_params *params, struct secret **ret_old,
		struct secret **ret_new)
{
	_cleanup_(unlock_clear) struct unlock u = {
		.params = params,
		.digests = {params->old_digest, params->new_digest},
	};
	int r;

	r = luks_context_open(params->place, &u.cd);
	if (r < 0)
		return r;
	r = unlock_sides(&u);
	if (r < 0)
		return r;
	*ret_old = TAKE_PTR(u.keys[OLD]);
	*ret_new = TAKE_PTR(u.keys[NEW]);
	return 0;
}
