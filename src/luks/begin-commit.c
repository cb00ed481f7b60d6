/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyslots of the old key that were opened each get a twin with the new key. libcryptsetup then
 * wants one passphrase that opens both an old and a new keyslot. Where none is at hand (everything
 * was opened by tokens, or by the volume key itself), a random one is put into two keyslots for
 * that moment: the bridge.
 *
 *      old keyslot --opened by--> passphrase or token --put into--> new keyslot
 *      (bridge, old key) <--------- random ---------------> (bridge, new key)
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "crypto/cipher-spec.h"
#include "luks/begin-internal.h"
#include "luks/begin-leftover.h"
#include "luks/begin-strength.h"
#include "luks/context.h"
#include "util/checked.h"
#include "util/log.h"

#define BRIDGE_SIZE 64 /* bytes of a random passphrase */

/* What LUKS2 encrypts keyslot areas with. */
#define AREA_CIPHER   "aes-xts-plain64"
#define AREA_KEY_SIZE 64 /* bytes */

static int fail(const struct luks_begin *b, int r, const char *what)
{
	const char *why = luks_context_error();

	log_error("%s: %s: %s", b->params.device, what, *why ? why : strerrordesc_np(-r));
	return r;
}

static int set_pbkdf(struct luks_begin *b, int keyslot)
{
	struct crypt_pbkdf_type pbkdf;
	int r = luks_begin_pbkdf(b, keyslot, &pbkdf);

	return r < 0 ? r : crypt_set_pbkdf_type(b->cd, &pbkdf);
}

/* A random passphrase of 64 bytes needs no slow PBKDF. */
static int set_fast_pbkdf(struct luks_begin *b)
{
	static const struct crypt_pbkdf_type fast = {
		.type = CRYPT_KDF_PBKDF2,
		.hash = "sha256",
		.iterations = 1000,
		.flags = CRYPT_PBKDF_NO_BENCHMARK,
	};

	return crypt_set_pbkdf_type(b->cd, &fast);
}

static int remember(struct luks_begin *b, int keyslot)
{
	int r = 0;

	if (keyslot < 0)
		return keyslot;
	b->added[b->n_added++] = keyslot;
	if (b->channel)
		r = derive_send(b->channel, DERIVE_ADDED, keyslot, NULL, 0);
	return r < 0 ? r : keyslot;
}

/* The first keyslot of the new key makes its digest, the others share it. */
static uint32_t new_key_flags(bool first)
{
	return CRYPT_VOLUME_KEY_NO_SEGMENT | (first ? 0 : CRYPT_VOLUME_KEY_DIGEST_REUSE);
}

static int add_by_passphrase(struct luks_begin *b, const struct secret *passphrase, bool first)
{
	return remember(
		b, crypt_keyslot_add_by_key(b->cd, CRYPT_ANY_SLOT, (const char *)b->new_key->data,
					    b->new_key->size, (const char *)passphrase->data,
					    passphrase->size, new_key_flags(first)));
}

static int add_by_token(struct luks_begin *b, int token, bool first)
{
	struct crypt_keyslot_context *key = NULL, *opener = NULL;
	int r;

	r = crypt_keyslot_context_init_by_volume_key(b->cd, (const char *)b->new_key->data,
						     b->new_key->size, &key);
	if (r == 0)
		r = crypt_keyslot_context_init_by_token(b->cd, token, NULL, NULL, 0, NULL, &opener);
	if (r == 0)
		r = remember(b, crypt_keyslot_add_by_keyslot_context(b->cd, CRYPT_ANY_SLOT, key,
								     CRYPT_ANY_SLOT, opener,
								     new_key_flags(first)));
	crypt_keyslot_context_free(key);
	crypt_keyslot_context_free(opener);
	return r;
}

/* Also makes the old key's keyslots: an old key that is given needs one that opens by passphrase.
 */
static int add_old_key(struct luks_begin *b, const struct secret *passphrase)
{
	return remember(b, crypt_keyslot_add_by_volume_key(
				   b->cd, CRYPT_ANY_SLOT, (const char *)b->old_key->data,
				   b->old_key->size, (const char *)passphrase->data,
				   passphrase->size));
}

/* Priority and tokens of @from for @to. */
static int copy_attributes(struct luks_begin *b, const struct luks_begin_slot *from, int to)
{
	crypt_keyslot_priority priority = crypt_keyslot_get_priority(b->cd, from->keyslot);
	int r = 0;

	if (priority == CRYPT_SLOT_PRIORITY_INVALID)
		return -EINVAL;
	if (priority != CRYPT_SLOT_PRIORITY_NORMAL)
		r = crypt_keyslot_set_priority(b->cd, to, priority);
	for (int t = 0; t < (int)LUKS_MAX_TOKENS && r >= 0; t++)
		if (from->tokens & UINT32_C(1) << t)
			r = crypt_token_assign_keyslot(b->cd, t, to);
	return r < 0 ? r : 0;
}

/*
 * The keyslot area is encrypted as that of the old keyslot. A volume of cipher_null that was LUKS1
 * before has areas of cipher_null: they would show the new key to everybody.
 */
static int set_encryption(struct luks_begin *b, int keyslot)
{
	size_t key_size;
	const char *cipher = crypt_keyslot_get_encryption(b->cd, keyslot, &key_size);

	if (cipher && cipher_is_null(cipher))
		return crypt_keyslot_set_encryption(b->cd, AREA_CIPHER, AREA_KEY_SIZE);
	return cipher ? crypt_keyslot_set_encryption(b->cd, cipher, key_size) : -EINVAL;
}

static int add_twin(struct luks_begin *b, size_t i, bool first)
{
	const struct luks_begin_slot *old = &b->plan.slots[i];
	int r;

	r = set_encryption(b, old->keyslot);
	if (r == 0)
		r = set_pbkdf(b, old->keyslot);
	if (r < 0)
		return fail(b, r, "cannot set up a new keyslot");
	r = b->openers[i].passphrase ? add_by_passphrase(b, b->openers[i].passphrase, first)
				     : add_by_token(b, b->openers[i].token, first);
	if (r < 0)
		return fail(b, r, "cannot add a keyslot");
	if (luks_begin_check_made(b, old->keyslot, r) < 0)
		return -EINVAL;
	log_info("Key slot %d created.", r);
	if (copy_attributes(b, old, r) < 0)
		return fail(b, -EIO, "cannot copy priority and tokens of a keyslot");
	return r;
}

/* What libcryptsetup needs to start: a passphrase, and a keyslot of each key that it opens. */
struct start {
	const struct secret *passphrase;
	int old_slot, new_slot;
};

static int add_twins(struct luks_begin *b, struct start *start)
{
	bool first = true;

	for (size_t i = 0; i < b->plan.n_slots; i++) {
		int r;

		if (!luks_begin_is_open(b, i))
			continue;
		r = b->plan.keeps_key ? b->plan.slots[i].keyslot : add_twin(b, i, first);
		if (r < 0)
			return r;
		first = false;
		if (b->openers[i].passphrase && !start->passphrase)
			*start = (struct start){b->openers[i].passphrase, b->plan.slots[i].keyslot,
						r};
	}
	return 0;
}

/* One passphrase for a keyslot of each key. */
static int add_pair(struct luks_begin *b, const struct secret *passphrase, struct start *start)
{
	int old_slot, new_slot;

	old_slot = add_old_key(b, passphrase);
	if (old_slot < 0)
		return fail(b, old_slot, "cannot add a keyslot");
	new_slot = b->plan.keeps_key ? old_slot : add_by_passphrase(b, passphrase, b->n_added == 1);
	if (new_slot < 0)
		return fail(b, new_slot, "cannot add a keyslot");
	*start = (struct start){passphrase, old_slot, new_slot};
	return 0;
}

static int add_bridge(struct luks_begin *b, struct secret **bridge, struct start *start)
{
	int r;

	r = secret_new(BRIDGE_SIZE, bridge);
	if (r < 0)
		return r;
	if (getrandom((*bridge)->data, BRIDGE_SIZE, 0) != BRIDGE_SIZE)
		return -EIO;
	r = set_fast_pbkdf(b);
	if (r < 0)
		return fail(b, r, "cannot set up a keyslot");
	return add_pair(b, *bridge, start);
}

/* "aes-xts-plain64" is given as "aes" and "xts-plain64". */
static int init_reencryption(struct luks_begin *b, const struct start *start)
{
	char cipher[sizeof(b->plan.new_cipher)], *mode;
	struct crypt_params_luks2 luks2 = {.sector_size = b->plan.new_sector_size};
	const struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_REENCRYPT,
		.direction = CRYPT_REENCRYPT_FORWARD,
		.resilience = b->params.resilience,
		.hash = b->params.resilience_hash,
		.device_size = b->params.device_size >> SECTOR_SHIFT,
		.luks2 = &luks2,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};
	int r;

	memcpy(cipher, b->plan.new_cipher, sizeof(cipher));
	mode = strchr(cipher, '-');
	assert(mode);
	*mode++ = '\0';
	luks_context_capture_log();
	r = crypt_reencrypt_init_by_passphrase(b->cd, NULL, (const char *)start->passphrase->data,
					       start->passphrase->size, start->old_slot,
					       start->new_slot, cipher, mode, &params);
	return r < 0 ? fail(b, r, "cannot begin the re-encryption") : 0;
}

static int remove_bridge(struct luks_begin *b, const struct start *start)
{
	int r;

	r = crypt_keyslot_destroy(b->cd, start->old_slot);
	if (r == 0 && start->new_slot != start->old_slot)
		r = crypt_keyslot_destroy(b->cd, start->new_slot);
	if (r < 0)
		log_warning("%s: keyslots %d and %d, which nobody can open, are left; remove them "
			    "with cryptsetup luksKillSlot when the re-encryption is finished",
			    b->params.device, start->old_slot, start->new_slot);
	return 0;
}

/* For the keyslots to come, and for their removal should this be killed. */
static int make_way(struct luks_begin *b)
{
	int r = luks_begin_remove_leftovers(b);

	if (r < 0 || b->plan.keeps_key)
		return r;
	r = luks_begin_mark(b);
	b->marked = r == 0;
	if (b->marked && b->channel)
		r = derive_send(b->channel, DERIVE_MARK, 0, NULL, 0);
	/* With all tokens in use it goes without. */
	if (r < 0)
		log_debug("%s: no token marks the keyslots to be added: %s", b->params.device,
			  luks_context_error());
	return 0;
}

int luks_begin_here(struct luks_begin *b)
{
	_cleanup_(secret_freep) struct secret *bridge = NULL;
	struct start start = {0};
	int r;

	luks_context_capture_log();
	r = make_way(b);
	if (r == 0)
		r = add_twins(b, &start);
	if (r == 0 && b->new_passphrase) {
		r = set_pbkdf(b, -1);
		if (r == 0)
			r = add_pair(b, b->new_passphrase, &start);
	} else if (r == 0 && !start.passphrase) {
		r = add_bridge(b, &bridge, &start);
	}
	if (r == 0)
		r = init_reencryption(b, &start);
	if (r == 0 && bridge)
		r = remove_bridge(b, &start);
	return r;
}

/*
 * A context that failed may hold a header that was never written: the keyslots go by a fresh one.
 * Nothing is removed from a header in which the re-encryption did begin, and true is returned.
 */
static bool undo(struct luks_begin *b)
{
	bool left = false;

	if (b->n_added == 0 && !b->marked)
		return false;
	b->cd = luks_context_close(b->cd);
	if (luks_context_open(b->params.place, &b->cd) < 0)
		return false;
	if (crypt_reencrypt_status(b->cd, NULL) != CRYPT_REENCRYPT_NONE)
		return true;
	for (size_t i = 0; i < b->n_added; i++)
		left |= crypt_keyslot_destroy(b->cd, b->added[i]) < 0;
	if (!left)
		luks_begin_unmark(b->cd);
	if (left)
		log_warning(
			"%s: keyslots that were added could not be removed again; see cryptsetup "
			"luksDump %s",
			b->params.device, b->params.device);
	return false;
}

/* The process that derives was killed, but too late: after the commit that begins. */
static int began_anyway(const struct luks_begin *b)
{
	log_notice("%s: the re-encryption had begun before it could be stopped", b->params.device);
	return 0;
}

static int give_up(const struct luks_begin *b, int r)
{
	return log_refusal(r, "%s: %s", b->params.device, luks_derive_why());
}

int luks_begin_commit(struct luks_begin *b, struct secret **ret_old_key,
		      struct secret **ret_new_key)
{
	int r;

	r = luks_derive_policy()->run ? luks_begin_elsewhere(b) : luks_begin_here(b);
	if (r < 0 && undo(b) && luks_derive_gave_up(r))
		r = began_anyway(b);
	if (luks_derive_gave_up(r))
		r = give_up(b, r);
	b->cd = luks_context_close(b->cd);
	if (r < 0)
		return r;
	*ret_old_key = TAKE_PTR(b->old_key);
	*ret_new_key = TAKE_PTR(b->new_key);
	return 0;
}
