/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyslots of the old key that can be opened each get a twin with the new key. libcryptsetup then
 * wants one passphrase that opens both an old and a new keyslot. Where none is at hand (everything
 * was opened by tokens, or by the volume key itself), a random one is put into two keyslots for
 * that moment: the bridge.
 *
 *      old keyslot --opened by--> passphrase or token --put into--> new keyslot
 *      (bridge, old key) <--------- random ---------------> (bridge, new key)
 */
#include "luks/begin.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "luks/begin-check.h"
#include "luks/context.h"
#include "luks/keyslots.h"
#include "util/checked.h"
#include "util/log.h"

#define DEFAULT_CIPHER "aes-xts-plain64"
#define BRIDGE_SIZE    64 /* bytes of a random passphrase */

/* How a keyslot was opened, in step with luks_begin_plan.slots. */
struct opener {
	struct secret *passphrase; /* NULL: by the token */
	int token;
};

struct luks_begin {
	struct luks_begin_params params;
	struct luks_begin_plan plan;
	struct luks_keyslots keyslots;
	struct opener openers[LUKS_KEYSLOTS_MAX];
	struct secret *old_key, *new_key;
	struct secret *new_passphrase; /* opens no old keyslot; the volume key was given instead */
	struct crypt_device *cd;
	/* Keyslots added by commit, for its undoing. */
	int added[LUKS_KEYSLOTS_MAX];
	size_t n_added;
};

struct luks_begin *luks_begin_free(struct luks_begin *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < LUKS_KEYSLOTS_MAX; i++)
		secret_free(b->openers[i].passphrase);
	secret_free(b->old_key);
	secret_free(b->new_key);
	secret_free(b->new_passphrase);
	luks_context_close(b->cd);
	free(b);
	return NULL;
}

const struct luks_begin_plan *luks_begin_get_plan(const struct luks_begin *b)
{
	return &b->plan;
}

/* --- what changes --- */

/* Of a new cipher without --key-size, as stock: 256 bits, twice that for XTS. */
static uint32_t default_key_size(const char *cipher)
{
	return strstr(cipher, "-xts-") ? 64 : 32;
}

static int plan_key_size(const struct luks_begin_params *p, struct luks_begin_plan *plan)
{
	bool other_cipher = strcmp(plan->old_cipher, plan->new_cipher) != 0;

	if (p->keep_key)
		plan->new_key_size = plan->old_key_size;
	else if (p->key_size)
		plan->new_key_size = p->key_size;
	else if (p->new_volume_key)
		plan->new_key_size = (uint32_t)p->new_volume_key->size;
	else
		plan->new_key_size =
			other_cipher ? default_key_size(plan->new_cipher) : plan->old_key_size;
	if (p->new_volume_key && p->new_volume_key->size != plan->new_key_size) {
		log_error("%s: the new volume key has %zu bytes, but %" PRIu32 " are wanted",
			  p->device, p->new_volume_key->size, plan->new_key_size);
		return -EINVAL;
	}
	return 0;
}

static int plan_parameters(struct luks_begin *b)
{
	const struct luks_begin_params *p = &b->params;
	struct luks_begin_plan *plan = &b->plan;
	const char *cipher = crypt_get_cipher(b->cd), *mode = crypt_get_cipher_mode(b->cd);
	int key_size = crypt_get_volume_key_size(b->cd);
	int r;

	if (!cipher || !mode || key_size <= 0) {
		log_error("%s: the header does not tell cipher and key size", p->device);
		return -EINVAL;
	}
	(void)snprintf(plan->old_cipher, sizeof(plan->old_cipher), "%s-%s", cipher, mode);
	(void)snprintf(plan->new_cipher, sizeof(plan->new_cipher), "%s",
		       p->cipher                                 ? p->cipher
		       : strncmp(cipher, "cipher_null", 11) == 0 ? DEFAULT_CIPHER
								 : plan->old_cipher);
	plan->old_sector_size = (uint32_t)crypt_get_sector_size(b->cd);
	plan->new_sector_size = p->sector_size ?: plan->old_sector_size;
	plan->old_key_size = (uint32_t)key_size;
	plan->keeps_key = p->keep_key;
	r = plan_key_size(p, plan);
	if (r < 0)
		return r;
	if (!strchr(plan->new_cipher, '-')) {
		log_error("--cipher \"%s\" has no mode; a full one is like aes-xts-plain64",
			  plan->new_cipher);
		return -EINVAL;
	}
	if (plan->keeps_key && strcmp(plan->old_cipher, plan->new_cipher) == 0 &&
	    plan->old_sector_size == plan->new_sector_size) {
		log_error("%s: --keep-key with neither --cipher nor --sector-size changed leaves "
			  "nothing to do",
			  p->device);
		return -EINVAL;
	}
	return 0;
}

/* --- opening keyslots --- */

static bool may_carry(const struct luks_begin *b, const struct luks_keyslot *slot)
{
	return slot->digest == b->keyslots.data_digest;
}

static int plan_slots(struct luks_begin *b)
{
	bool found = b->params.keyslot == LUKS_ANY_KEYSLOT;

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

static bool is_open(const struct luks_begin *b, size_t i)
{
	return b->openers[i].passphrase || b->openers[i].token >= 0;
}

/* A keyslot that nobody has opened yet, and that we are asked to carry over. */
static bool to_open(const struct luks_begin *b, size_t i)
{
	return !is_open(b, i) && (b->params.keyslot == LUKS_ANY_KEYSLOT ||
				  b->params.keyslot == b->plan.slots[i].keyslot);
}

static size_t count_open(const struct luks_begin *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->plan.n_slots; i++)
		n += is_open(b, i);
	return n;
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

static int try_passphrase(struct luks_begin *b, const struct secret *passphrase)
{
	for (size_t i = 0; i < b->plan.n_slots && !enough_open(b); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		int r;

		if (!to_open(b, i))
			continue;
		r = luks_keyslot_open(b->cd, b->plan.slots[i].keyslot, passphrase, &key);
		if (r == -ENOMEM)
			return log_error_errno(r, "%s: cannot open keyslot %d", b->params.device,
					       b->plan.slots[i].keyslot);
		if (r < 0)
			continue;
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

		if (!to_open(b, i) || !(b->plan.slots[i].tokens & UINT32_C(1) << token) ||
		    luks_keyslot_open_by_token(b->cd, b->plan.slots[i].keyslot, token, &key) < 0)
			continue;
		b->openers[i].token = token;
		log_info("Key slot %d unlocked by token %d.", b->plan.slots[i].keyslot, token);
		keep_old_key(b, &key);
	}
	return 0;
}

static int try_tokens(struct luks_begin *b)
{
	uint32_t assigned = 0;

	for (size_t i = 0; i < b->plan.n_slots; i++)
		assigned |= b->plan.slots[i].tokens;
	for (int t = 0; t < LUKS_TOKENS_MAX; t++) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		int r;

		if (!(assigned & UINT32_C(1) << t))
			continue;
		r = luks_token_passphrase(b->cd, t, &passphrase);
		if (r == 0)
			r = try_passphrase(b, passphrase);
		else if (r == -EINVAL)
			r = try_plugin_token(b, t);
		if (r < 0 && r != -ENOKEY)
			return r;
	}
	return 0;
}

/* Asks for one keyslot until it is open; another one that opens is welcome too. */
static int ask_for_slot(struct luks_begin *b, size_t i)
{
	const struct luks_passphrases *p = &b->params.passphrases;
	unsigned wrong = 0;

	while (to_open(b, i) && !enough_open(b) && wrong < MAX(p->tries, 1U)) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		size_t before = count_open(b);
		int r;

		r = p->ask(p->arg, b->plan.slots[i].keyslot, &passphrase);
		if (r == -ENOKEY)
			return 0;
		if (r == 0)
			r = try_passphrase(b, passphrase);
		if (r < 0)
			return r;
		if (count_open(b) > before)
			continue;
		log_notice("No key available with this passphrase.");
		wrong++;
	}
	return 0;
}

/* The volume key was given: one passphrase is wanted, for an old keyslot or altogether new. */
static int ask_for_new_passphrase(struct luks_begin *b)
{
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	const struct luks_passphrases *p = &b->params.passphrases;
	int r;

	if (b->plan.keeps_key || count_open(b) > 0)
		return 0;
	r = p->ask(p->arg, LUKS_NEW_PASSPHRASE, &passphrase);
	if (r == -ENOKEY) {
		log_error("%s: a passphrase for the new volume key is needed", b->params.device);
		return -EPERM;
	}
	if (r == 0)
		r = try_passphrase(b, passphrase);
	if (r < 0)
		return r;
	if (count_open(b) == 0)
		b->new_passphrase = TAKE_PTR(passphrase);
	return 0;
}

static int take_volume_key(struct luks_begin *b)
{
	const struct secret *key = b->params.volume_key;
	int r;

	r = crypt_volume_key_verify(b->cd, (const char *)key->data, key->size);
	if (r < 0) {
		log_error("%s: the volume key given is not the volume's (a new one is given with "
			  "--new-volume-key-file)",
			  b->params.device);
		return -EPERM;
	}
	return secret_copy(key->data, key->size, &b->old_key);
}

static int open_keyslots(struct luks_begin *b)
{
	int r = 0;

	if (b->params.volume_key)
		r = take_volume_key(b);
	if (r == 0)
		r = try_tokens(b);
	if (r < 0)
		return r;
	if (b->params.volume_key)
		return ask_for_new_passphrase(b);
	for (size_t i = 0; i < b->plan.n_slots && r == 0; i++)
		r = ask_for_slot(b, i);
	if (r == 0 && !b->old_key) {
		log_error("%s: no keyslot could be opened", b->params.device);
		return -EPERM;
	}
	return r;
}

/* --- the plan --- */

static int make_new_key(struct luks_begin *b)
{
	const struct secret *given = b->params.new_volume_key;
	int r;

	if (b->plan.keeps_key)
		return secret_copy(b->old_key->data, b->old_key->size, &b->new_key);
	if (given && given->size == b->old_key->size &&
	    memcmp(given->data, b->old_key->data, given->size) == 0) {
		log_error("%s: the new volume key is the current one; to keep it use --keep-key",
			  b->params.device);
		return -EINVAL;
	}
	if (given)
		return secret_copy(given->data, given->size, &b->new_key);
	r = secret_new(b->plan.new_key_size, &b->new_key);
	if (r < 0)
		return r;
	return getrandom(b->new_key->data, b->new_key->size, 0) == (ssize_t)b->new_key->size ? 0
											     : -EIO;
}

/* Does libcryptsetup need a passphrase of ours because nothing else opens both keys? */
static bool needs_bridge(const struct luks_begin *b)
{
	if (b->new_passphrase)
		return false;
	for (size_t i = 0; i < b->plan.n_slots; i++)
		if (b->openers[i].passphrase)
			return false;
	return true;
}

static int check_room(struct luks_begin *b)
{
	size_t old_slots = needs_bridge(b) || b->new_passphrase;
	size_t new_slots = 0;

	if (!b->plan.keeps_key)
		new_slots = count_open(b) + old_slots;
	return luks_begin_check_room(&b->params, &b->keyslots, &b->plan, new_slots, old_slots);
}

static int make_plan(struct luks_begin *b)
{
	int r;

	r = luks_context_open(b->params.device, b->params.header, &b->cd);
	if (r == 0)
		r = luks_begin_check_volume(b->cd, &b->params);
	if (r < 0)
		return r;
	r = luks_keyslots_read(b->cd, &b->keyslots);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the keyslots", b->params.device);
	r = plan_parameters(b);
	if (r == 0)
		r = luks_begin_check_sizes(b->cd, &b->params, &b->keyslots, &b->plan);
	if (r == 0)
		r = plan_slots(b);
	if (r == 0)
		r = open_keyslots(b);
	if (r == 0)
		r = make_new_key(b);
	if (r == 0)
		r = check_room(b);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		b->plan.slots[i].kept |= is_open(b, i);
		b->plan.n_lost += !b->plan.slots[i].kept;
	}
	return 0;
}

int luks_begin_plan(const struct luks_begin_params *params, struct luks_begin **ret)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->params = *params;
	for (size_t i = 0; i < LUKS_KEYSLOTS_MAX; i++)
		b->openers[i].token = -1;
	r = make_plan(b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

/* --- commit --- */

static int fail(const struct luks_begin *b, int r, const char *what)
{
	const char *why = luks_context_error();

	log_error("%s: %s: %s", b->params.device, what, *why ? why : strerrordesc_np(-r));
	return r;
}

/* The costs of new keyslots: as the user says, or else those of @keyslot, or the library's default.
 */
static int set_pbkdf(struct luks_begin *b, int keyslot)
{
	const struct luks_pbkdf *wanted = &b->params.pbkdf;
	struct crypt_pbkdf_type pbkdf;
	const struct crypt_pbkdf_type *defaults;

	if (keyslot >= 0 && !wanted->type && !wanted->hash && !wanted->iterations &&
	    !wanted->time_ms && !wanted->memory_kib && !wanted->parallel) {
		int r = crypt_keyslot_get_pbkdf(b->cd, keyslot, &pbkdf);

		if (r < 0)
			return r;
		pbkdf.flags |= CRYPT_PBKDF_NO_BENCHMARK;
		return crypt_set_pbkdf_type(b->cd, &pbkdf);
	}
	defaults = wanted->type ? crypt_get_pbkdf_type_params(wanted->type)
				: crypt_get_pbkdf_default(CRYPT_LUKS2);
	if (!defaults)
		return -EINVAL;
	pbkdf = *defaults;
	pbkdf.hash = wanted->hash ?: pbkdf.hash;
	pbkdf.time_ms = wanted->time_ms ?: pbkdf.time_ms;
	pbkdf.max_memory_kb = wanted->memory_kib ?: pbkdf.max_memory_kb;
	pbkdf.parallel_threads = wanted->parallel ?: pbkdf.parallel_threads;
	if (wanted->iterations) {
		pbkdf.iterations = wanted->iterations;
		pbkdf.flags |= CRYPT_PBKDF_NO_BENCHMARK;
	}
	return crypt_set_pbkdf_type(b->cd, &pbkdf);
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
	if (keyslot >= 0)
		b->added[b->n_added++] = keyslot;
	return keyslot;
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
	for (int t = 0; t < LUKS_TOKENS_MAX && r >= 0; t++)
		if (from->tokens & UINT32_C(1) << t)
			r = crypt_token_assign_keyslot(b->cd, t, to);
	return r < 0 ? r : 0;
}

/* The keyslot area is encrypted as that of the old keyslot. */
static int set_encryption(struct luks_begin *b, int keyslot)
{
	size_t key_size;
	const char *cipher = crypt_keyslot_get_encryption(b->cd, keyslot, &key_size);

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

		if (!is_open(b, i))
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

static int begin(struct luks_begin *b)
{
	_cleanup_(secret_freep) struct secret *bridge = NULL;
	struct start start = {0};
	int r;

	luks_context_capture_log();
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
 * Nothing is removed from a header in which the re-encryption did begin.
 */
static void undo(struct luks_begin *b)
{
	bool left = false;

	if (b->n_added == 0)
		return;
	b->cd = luks_context_close(b->cd);
	if (luks_context_open(b->params.device, b->params.header, &b->cd) < 0 ||
	    crypt_reencrypt_status(b->cd, NULL) != CRYPT_REENCRYPT_NONE)
		return;
	for (size_t i = 0; i < b->n_added; i++)
		left |= crypt_keyslot_destroy(b->cd, b->added[i]) < 0;
	if (left)
		log_warning(
			"%s: keyslots that were added could not be removed again; see cryptsetup "
			"luksDump %s",
			b->params.device, b->params.device);
}

int luks_begin_commit(struct luks_begin *b, struct secret **ret_old_key,
		      struct secret **ret_new_key)
{
	int r;

	r = begin(b);
	if (r < 0)
		undo(b);
	b->cd = luks_context_close(b->cd);
	if (r < 0)
		return r;
	*ret_old_key = TAKE_PTR(b->old_key);
	*ret_new_key = TAKE_PTR(b->new_key);
	return 0;
}
