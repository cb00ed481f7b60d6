/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening the keyslots of the old key that are to be carried over. Tokens come first, then one
 * question a keyslot; whatever passphrase comes is tried on all that are still closed.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "luks/begin-internal.h"
#include "luks/bindings.h"
#include "luks/context.h"
#include "luks/unlock.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

static bool may_carry(const struct luks_begin *b, const struct luks_keyslot *slot)
{
	return slot->digest == b->keyslots.data_digest;
}

static int plan_slots(struct luks_begin *b)
{
	bool found = b->params.keyslot == LUKS_ANY_KEYSLOT;

	assert(b->plan.n_slots == 0 && b->keyslots.n <= ARRAY_SIZE(b->plan.slots));
	for (size_t i = 0; i < b->keyslots.n; i++) {
		const struct luks_keyslot *slot = &b->keyslots.slots[i];

		if (!may_carry(b, slot))
			continue;
		found |= slot->id == b->params.keyslot;
		b->plan.slots[b->plan.n_slots++] = (struct luks_begin_slot){
			.keyslot = slot->id, .tokens = slot->tokens, .kept = b->plan.keeps_key};
	}
	if (!found) {
		log_error("%s: keyslot %d does not hold the volume key", b->params.device,
			  b->params.keyslot);
		return -ENOENT;
	}
	return 0;
}

/* Which keyslots have a token of a TPM and the like. */
static int note_devices(struct luks_begin *b)
{
	_cleanup_(json_putp) json_object *metadata = NULL;
	struct luks_bindings bindings;
	int r = luks_dump_json(b->cd, &metadata);

	if (r < 0)
		return log_error_errno(r, "%s: cannot read the tokens", b->params.device);
	luks_bindings_read(metadata, &bindings);
	for (size_t i = 0; i < b->plan.n_slots; i++)
		b->plan.slots[i].by_device =
			luks_binding_device(bindings.of[b->plan.slots[i].keyslot]) != NULL;
	return 0;
}

static bool by_token(const struct luks_begin *b)
{
	return b->params.token_choice;
}

/* A keyslot that nobody has opened yet, and that we are asked to carry over. */
static bool to_open(const struct luks_begin *b, size_t i)
{
	const struct luks_begin_slot *slot = &b->plan.slots[i];

	return !luks_begin_is_open(b, i) && (!by_token(b) || (slot->tokens & b->tokens)) &&
	       (b->params.keyslot == LUKS_ANY_KEYSLOT || b->params.keyslot == slot->keyslot);
}

/* A kept key needs one opened keyslot, and all keyslots stay. */
static bool enough_open(const struct luks_begin *b)
{
	if (b->plan.keeps_key)
		return b->old_key;
	for (size_t i = 0; i < b->plan.n_slots; i++)
		if (to_open(b, i))
			return false;
	return true;
}

static void keep_old_key(struct luks_begin *b, struct secret **key)
{
	if (!b->old_key)
		b->old_key = TAKE_PTR(*key);
}

/* Nothing makes sense any more, or another keyslot may open. */
static int note_failure(struct luks_begin *b, size_t i, int r)
{
	const int keyslot = b->plan.slots[i].keyslot;

	r = luks_given_up_note(&b->given_up, b->params.device, keyslot, r);
	return r == -ENOMEM
		       ? log_error_errno(r, "%s: cannot open keyslot %d", b->params.device, keyslot)
		       : r;
}

static int try_passphrase(struct luks_begin *b, const struct secret *passphrase)
{
	for (size_t i = 0; i < b->plan.n_slots && !enough_open(b); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		int r;

		if (!to_open(b, i) || luks_given_up(&b->given_up, b->plan.slots[i].keyslot))
			continue;
		r = luks_keyslot_open(b->cd, b->plan.slots[i].keyslot, passphrase, &key);
		if (r < 0) {
			r = note_failure(b, i, r);
			if (r < 0)
				return r;
			continue;
		}
		r = secret_copy(passphrase->data, passphrase->size, &b->openers[i].passphrase);
		if (r < 0)
			return r;
		log_info("Key slot %d unlocked.", b->plan.slots[i].keyslot);
		keep_old_key(b, &key);
	}
	return 0;
}

static int try_plugin_token(struct luks_begin *b, int token)
{
	for (size_t i = 0; i < b->plan.n_slots && !enough_open(b); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		int r;

		if (!to_open(b, i) || !(b->plan.slots[i].tokens & UINT32_C(1) << token) ||
		    luks_given_up(&b->given_up, b->plan.slots[i].keyslot))
			continue;
		r = luks_keyslot_open_by_token(b->cd, b->plan.slots[i].keyslot, token, &key);
		if (r < 0) {
			r = note_failure(b, i, r);
			if (r < 0)
				return r;
			continue;
		}
		b->openers[i].token = token;
		log_info("Key slot %d unlocked by token %d.", b->plan.slots[i].keyslot, token);
		keep_old_key(b, &key);
	}
	return 0;
}

static int try_token(struct luks_begin *b, int token)
{
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	int r = luks_token_passphrase(b->cd, token, &passphrase);

	if (r == -EINVAL)
		return try_plugin_token(b, token);
	return r < 0 ? r : try_passphrase(b, passphrase);
}

static int try_tokens(struct luks_begin *b)
{
	uint32_t assigned = 0;

	for (size_t i = 0; i < b->plan.n_slots; i++)
		assigned |= b->plan.slots[i].tokens;
	for (int t = 0; t < (int)LUKS_MAX_TOKENS; t++) {
		int r;

		if (!(assigned & b->tokens & UINT32_C(1) << t))
			continue;
		r = try_token(b, t);
		if (r < 0 && r != -ENOKEY)
			return r;
	}
	return 0;
}

/*
 * Asks for one keyslot until it is open; another one that opens is welcome too. -ENODATA: there are
 * no more passphrases; -ERROR_KEY_REJECTED: and the last one was wrong.
 */
static int ask_for_slot(struct luks_begin *b, size_t i)
{
	const struct luks_passphrases *p = &b->params.passphrases;
	unsigned wrong = 0;
	bool again = false;

	while (to_open(b, i) && !enough_open(b) &&
	       !luks_given_up(&b->given_up, b->plan.slots[i].keyslot)) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		size_t before = luks_begin_count_open(b);
		int r;

		if (wrong == MAX(p->tries, 1U))
			return -ERROR_KEY_REJECTED;
		r = p->ask(p->arg, b->plan.slots[i].keyslot, again, &passphrase);
		if (r == -ENOKEY)
			return 0;
		if (r == -ENODATA && wrong > 0)
			return -ERROR_KEY_REJECTED;
		if (r < 0)
			return r;
		r = try_passphrase(b, passphrase);
		if (r < 0)
			return r;
		again = luks_begin_count_open(b) == before;
		if (again && luks_passphrase_gives_up(p, passphrase))
			return 0;
		wrong += again;
	}
	return 0;
}

/*
 * Somebody who can write to the disk can make a keyslot too expensive to be opened. It must not be
 * lost for that.
 */
static int refuse_given_up(const struct luks_begin *b)
{
	if (enough_open(b))
		return 0;
	for (size_t i = 0; i < b->plan.n_slots; i++)
		if (to_open(b, i) && luks_given_up(&b->given_up, b->plan.slots[i].keyslot))
			return luks_given_up_refuse(&b->given_up, b->params.device);
	return 0;
}

/* -1: none is open. */
static int first_open_keyslot(const struct luks_begin *b)
{
	for (size_t i = 0; i < b->plan.n_slots; i++)
		if (luks_begin_is_open(b, i))
			return b->plan.slots[i].keyslot;
	return -1;
}

/*
 * The keyslots of the chosen tokens are to be kept, and nobody is asked for their passphrases. A
 * token that is not connected just now must not cost its keyslot.
 */
static int refuse_unanswered(const struct luks_begin *b)
{
	const int open = first_open_keyslot(b);
	char hint[96] = "";

	if (!by_token(b) || enough_open(b))
		return 0;
	if (open >= 0)
		(void)snprintf(hint, sizeof(hint),
			       ", or keep only keyslot %d with --key-slot %d, which loses all "
			       "others",
			       open, open);
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		const struct luks_begin_slot *slot = &b->plan.slots[i];

		if (!to_open(b, i))
			continue;
		assert(slot->tokens & b->tokens); /* which makes it one to open */
		log_error("%s: token %d did not open keyslot %d, which would be lost; connect the "
			  "token, name the token to keep with --token-id%s",
			  b->params.device, __builtin_ctz(slot->tokens & b->tokens), slot->keyslot,
			  hint);
		return -ENOENT;
	}
	return 0;
}

static int refuse_locked(const struct luks_begin *b)
{
	int r = luks_given_up_refuse(&b->given_up, b->params.device);

	if (r < 0)
		return r;
	log_error("%s: none of the %s opens a keyslot of the volume key", b->params.device,
		  by_token(b) ? "chosen tokens" : "passphrases");
	return by_token(b) ? -ENOENT : -ERROR_KEY_REJECTED;
}

/*
 * At a terminal nobody is asked to type what only a device knows, unless that keyslot was named, or
 * there is no other one.
 */
static bool is_asked_for(const struct luks_begin *b, size_t i)
{
	bool others = false;

	for (size_t j = 0; j < b->plan.n_slots; j++)
		others |= !b->plan.slots[j].by_device;
	return !b->plan.slots[i].by_device || !b->params.passphrases.empty_gives_up || !others ||
	       b->params.keyslot != LUKS_ANY_KEYSLOT;
}

static int refuse_without_passphrase(const struct luks_begin *b, int keyslot, int error)
{
	const int open = first_open_keyslot(b);

	return log_refusal(error,
			   "%s: keyslot %d needs a passphrase too (standard input: one a line). To "
			   "keep keyslot %d alone: --key-slot %d --batch-mode",
			   b->params.device, keyslot, open, open);
}

/*
 * A keyslot is only left behind where the user said so: at the prompt, or by choosing another one.
 * That passphrases ran out says nothing of the kind.
 */
static int ask_for_slots(struct luks_begin *b)
{
	int r;

	for (size_t i = 0; !by_token(b) && i < b->plan.n_slots; i++) {
		r = is_asked_for(b, i) ? ask_for_slot(b, i) : 0;

		const bool none_left = r == -ENODATA || r == -ERROR_KEY_REJECTED;

		if (none_left && b->old_key)
			return refuse_without_passphrase(b, b->plan.slots[i].keyslot,
							 r == -ENODATA ? -EINVAL : r);
		if (none_left)
			break;
		if (r < 0)
			return r;
	}
	if (!b->old_key)
		return refuse_locked(b);
	r = refuse_given_up(b);
	return r < 0 ? r : refuse_unanswered(b);
}

/*
 * A volume that has no keyslot, and somebody who has both volume keys: that may stay as it is. All
 * others need a passphrase.
 */
static int do_without_passphrase(const struct luks_begin *b)
{
	if (b->plan.n_slots > 0 || !b->params.given.new_key) {
		log_error("%s: a passphrase for the new volume key is needed", b->params.device);
		return -ERROR_KEY_REJECTED;
	}
	log_warning("%s: the new volume key gets no keyslot, as the current one has none: only the "
		    "new volume key itself will open the volume. Add a keyslot when the "
		    "re-encryption is over: cryptsetup luksAddKey --volume-key-file",
		    b->params.device);
	return 0;
}

/* The volume key was given: one passphrase is wanted, for an old keyslot or altogether new. */
static int ask_for_new_passphrase(struct luks_begin *b)
{
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	const struct luks_passphrases *p = &b->params.passphrases;
	int r;

	if (b->plan.keeps_key || luks_begin_count_open(b) > 0)
		return 0;
	r = p->ask(p->arg, LUKS_NEW_PASSPHRASE, false, &passphrase);
	if (r == -ENOKEY || r == -ENODATA)
		return do_without_passphrase(b);
	if (r < 0)
		return r;
	r = try_passphrase(b, passphrase);
	if (r < 0)
		return r;
	if (luks_begin_count_open(b) > 0)
		return 0;
	if (luks_passphrase_gives_up(p, passphrase))
		return do_without_passphrase(b);
	b->new_passphrase = TAKE_PTR(passphrase);
	return 0;
}

static int take_volume_key(struct luks_begin *b)
{
	const struct secret *key = b->params.given.old_key;
	int r;

	r = luks_digest_verify(b->cd, b->keyslots.data_digest, key);
	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", b->params.device, luks_derive_why());
	if (r < 0) {
		luks_tell_wrong_volume_key(b->params.device, "", b->keyslots.data_digest);
		return -ERROR_KEY_REJECTED;
	}
	return secret_copy(key->data, key->size, &b->old_key);
}

static int find_and_try_tokens(struct luks_begin *b)
{
	int r = luks_tokens_find(b->cd, b->params.device, b->params.token_choice, &b->tokens);

	return r < 0 || b->params.skip_tokens ? r : try_tokens(b);
}

int luks_begin_open_keyslots(struct luks_begin *b)
{
	int r;

	assert(!b->old_key && !b->new_passphrase);
	r = plan_slots(b);
	if (r < 0)
		return r;
	r = note_devices(b);
	if (r < 0)
		return r;
	if (b->params.given.old_key) {
		r = take_volume_key(b);
		if (r < 0)
			return r;
	}
	if (b->params.given.no_keyslots)
		return 0;
	r = find_and_try_tokens(b);
	if (r < 0)
		return r;
	if (!b->params.given.old_key)
		return ask_for_slots(b);
	r = refuse_unanswered(b);
	return r < 0 ? r : ask_for_new_passphrase(b);
}
