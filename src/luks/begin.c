/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Planning: what changes, what is kept, and whether it can be done; nothing is written. */
#include "luks/begin.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "crypto/checksum.h"
#include "crypto/cipher-spec.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/key-sizes.h"
#include "crypto/misfit.h"
#include "luks/begin-check.h"
#include "luks/begin-internal.h"
#include "luks/begin-leftover.h"
#include "luks/begin-strength.h"
#include "luks/context.h"
#include "luks/derive.h"
#include "util/error.h"
#include "util/log.h"

#define DEFAULT_CIPHER     "aes-xts-plain64"
#define DEFAULT_ARGON2_KIB 1048576 /* of cryptsetup */
#define KEY_SIZE_MAX       512     /* bytes, as of libcryptsetup */

struct luks_begin *luks_begin_free(struct luks_begin *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < LUKS_MAX_KEYSLOTS; i++)
		secret_free(b->openers[i].passphrase);
	secret_free(b->old_key);
	secret_free(b->new_key);
	secret_free(b->new_passphrase);
	luks_context_close(b->cd);
	luks_draft_free(b->draft);
	free(b);
	return NULL;
}

const struct luks_begin_plan *luks_begin_get_plan(const struct luks_begin *b)
{
	return &b->plan;
}

const struct secret *luks_begin_get_old_key(const struct luks_begin *b)
{
	return b->old_key;
}

const struct secret *luks_begin_get_new_key(const struct luks_begin *b)
{
	return b->new_key;
}

/* Of a new cipher without --key-size, as stock: 256 bits, twice that for XTS. */
static uint32_t default_key_size(const char *cipher)
{
	return strstr(cipher, "-xts-") ? 64 : 32;
}

static int plan_key_size(const struct luks_begin_params *p, struct luks_begin_plan *plan)
{
	bool other_cipher = !cipher_spec_same(plan->old_cipher, plan->new_cipher);

	if (p->keep_key)
		plan->new_key_size = plan->old_key_size;
	else if (p->key_size)
		plan->new_key_size = p->key_size;
	else if (p->given.new_key)
		plan->new_key_size = (uint32_t)p->given.new_key->size;
	else
		plan->new_key_size =
			other_cipher ? default_key_size(plan->new_cipher) : plan->old_key_size;
	if (p->given.new_key && p->given.new_key->size != plan->new_key_size) {
		log_error("%s: the new volume key has %zu bytes, but %" PRIu32 " are wanted",
			  p->device, p->given.new_key->size, plan->new_key_size);
		return -EINVAL;
	}
	return 0;
}

/* Without a keyslot only the volume key itself knows its size. */
static int old_key_size(const struct luks_begin *b, uint32_t *ret)
{
	int size = crypt_get_volume_key_size(b->cd);

	if (size > 0) {
		*ret = (uint32_t)size;
		return 0;
	}
	if (b->params.given.old_key) {
		*ret = (uint32_t)b->params.given.old_key->size;
		return 0;
	}
	log_error("%s: no keyslot is left; the volume key is needed (--volume-key-file)",
		  b->params.device);
	return -ENOENT;
}

static int check_old_key_size(const struct luks_begin *b)
{
	const uint32_t wanted = b->params.old_key_size, found = b->plan.old_key_size;

	if (wanted == 0 || wanted == found)
		return 0;
	log_error("%s: the current volume key has %" PRIu32 " bits, and --key-size says %" PRIu32
		  " (beside --new-key-size it is the size of the current key)",
		  b->params.device, found * 8, wanted * 8);
	return -EINVAL;
}

/* libcryptsetup 2.6 cannot begin with a cipher in the notation of the kernel's crypto API. */
static int plan_cipher(const struct luks_begin_params *p, struct luks_begin_plan *plan)
{
	const char *given = p->cipher                          ? p->cipher
			    : cipher_is_null(plan->old_cipher) ? DEFAULT_CIPHER
							       : plan->old_cipher;
	int r = cipher_spec_complete(given, plan->new_cipher, sizeof(plan->new_cipher));

	if (r < 0)
		return log_refusal(-EINVAL, "%s: cipher \"%.64s...\" does not exist", p->device,
				   given);
	if (strncmp(plan->new_cipher, "capi:", 5) == 0)
		return log_refusal(
			-ENOTSUP,
			"%s: a re-encryption to the cipher %s cannot be begun, as it has "
			"no name of the form cipher-mode-iv; choose one that has with "
			"--cipher",
			p->device, given);
	if (strcmp(given, plan->new_cipher) != 0)
		log_notice("%s: the new cipher %s is %s", p->device, given, plan->new_cipher);
	return 0;
}

/* No module of the kernel would help. */
static int check_iv(const struct luks_begin *b)
{
	char why[160];

	if (!cipher_iv_misfits(b->plan.new_cipher, why, sizeof(why)))
		return 0;
	return log_refusal(-ENOTSUP,
			   "%s: no volume can have the cipher %s: %s; choose another with "
			   "--cipher",
			   b->params.device, b->plan.new_cipher, why);
}

static int plan_key_sizes(struct luks_begin *b)
{
	const struct luks_begin_params *p = &b->params;
	struct luks_begin_plan *plan = &b->plan;
	int r = old_key_size(b, &plan->old_key_size);

	if (r < 0)
		return r;
	if (plan->old_key_size > KEY_SIZE_MAX)
		return log_refusal(-EINVAL,
				   "%s: the header claims a volume key of %" PRIu32
				   " bytes; no cipher takes more than %d",
				   p->device, plan->old_key_size, KEY_SIZE_MAX);
	r = check_old_key_size(b);
	return r < 0 ? r : plan_key_size(p, plan);
}

static int plan_parameters(struct luks_begin *b)
{
	const struct luks_begin_params *p = &b->params;
	struct luks_begin_plan *plan = &b->plan;
	const char *cipher = crypt_get_cipher(b->cd), *mode = crypt_get_cipher_mode(b->cd);
	int r;

	if (!cipher || !mode) {
		log_error("%s: the header does not tell the cipher", p->device);
		return -EINVAL;
	}
	(void)snprintf(plan->old_cipher, sizeof(plan->old_cipher), "%s-%s", cipher, mode);
	r = plan_cipher(p, plan);
	if (r < 0)
		return r;
	r = check_iv(b);
	if (r < 0)
		return r;
	plan->old_sector_size = (uint32_t)crypt_get_sector_size(b->cd);
	plan->new_sector_size = p->sector_size ?: plan->old_sector_size;
	plan->keeps_key = p->keep_key;
	r = plan_key_sizes(b);
	if (r < 0)
		return r;
	if (plan->keeps_key && cipher_spec_same(plan->old_cipher, plan->new_cipher) &&
	    plan->old_sector_size == plan->new_sector_size) {
		log_error("%s: --keep-key with neither --cipher nor --sector-size changed leaves "
			  "nothing to do",
			  p->device);
		return -EINVAL;
	}
	return 0;
}

static int make_new_key(struct luks_begin *b)
{
	const struct secret *given = b->params.given.new_key;
	int r;

	assert(b->old_key && !b->new_key);
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

/* Of new keyslots; libcryptsetup takes it for the digests as well, which we verify. */
static int check_pbkdf_hash(const struct luks_begin *b, int keyslot)
{
	struct crypt_pbkdf_type p;

	if (luks_begin_pbkdf(b, keyslot, &p) < 0)
		return log_refusal(-EINVAL, "%s: cannot tell the PBKDF of a new keyslot",
				   b->params.device);
	if (!p.hash || hash_size(p.hash) >= LUKS_DIGEST_MIN)
		return 0;
	if (hash_size(p.hash) > 0)
		return log_refusal(
			-ENOTSUP,
			"%s: hash \"%s\" is too short for new keyslots: libcryptsetup "
			"takes any key for the right one then; choose another with --hash",
			b->params.device, p.hash);
	return log_refusal(-ERROR_UNKNOWN_HASH,
			   "%s: OpenSSL here has no hash \"%s\" for new keyslots (is its legacy "
			   "provider installed?); choose another with --hash",
			   b->params.device, p.hash);
}

static int check_pbkdf_hashes(const struct luks_begin *b)
{
	int r = b->new_passphrase ? check_pbkdf_hash(b, -1) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		if (!luks_begin_is_open(b, i) || b->plan.keeps_key)
			continue;
		r = check_pbkdf_hash(b, b->plan.slots[i].keyslot);
		if (r < 0)
			return r;
	}
	return 0;
}

static int refuse_key_size(const struct luks_begin *b, const char *sizes)
{
	return log_refusal(-EINVAL,
			   "%s: %s takes no key of %" PRIu32 " bits; it takes %s (--key-size)",
			   b->params.device, b->plan.new_cipher, b->plan.new_key_size * 8, sizes);
}

static int refuse_cipher(const struct luks_begin *b, int error)
{
	const struct luks_begin_plan *plan = &b->plan;
	char sizes[64];

	cipher_key_sizes(plan->new_cipher, plan->new_sector_size, sizes, sizeof(sizes));
	if (*sizes)
		return refuse_key_size(b, sizes);
	return log_refusal(error, "%s: cipher \"%s\" does not exist", b->params.device,
			   plan->new_cipher);
}

/* What OpenSSL does not have may be in the kernel; what is no cipher at all must end here. */
static int check_cipher(const struct luks_begin *b)
{
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;
	const struct luks_begin_plan *plan = &b->plan;
	char sizes[64];
	int r = cipher_new(plan->new_cipher, b->new_key, plan->new_sector_size, 1, &cipher);

	if (r == -EOPNOTSUPP)
		return cipher_key_misfits(plan->new_cipher, plan->new_key_size, sizes,
					  sizeof(sizes))
			       ? refuse_key_size(b, sizes)
			       : 0;
	return r < 0 ? refuse_cipher(b, r) : 0;
}

static int check_algorithms(const struct luks_begin *b)
{
	_cleanup_(checksum_freep) struct checksum *checksum = NULL;
	int r = check_cipher(b);

	if (r < 0)
		return r;
	r = check_pbkdf_hashes(b);
	if (r < 0 || strcmp(b->params.resilience, "checksum") != 0)
		return r;
	r = checksum_new(b->params.resilience_hash, 1, &checksum);
	if (r < 0)
		log_error("%s: OpenSSL here has no hash \"%s\" for the checksums; choose another "
			  "with --resilience-hash",
			  b->params.device, b->params.resilience_hash);
	return r;
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
		new_slots = luks_begin_count_open(b) + old_slots;
	return luks_begin_check_room(&b->params, &b->keyslots, &b->plan, new_slots, old_slots);
}

/* Steps of one iteration: PBKDF2 makes two blocks, argon2 passes over its memory. */
static uint64_t steps_of_iteration(const struct luks_pbkdf *p)
{
	if (p->type && strcmp(p->type, CRYPT_KDF_PBKDF2) == 0)
		return 2;
	return p->memory_kib ?: DEFAULT_ARGON2_KIB;
}

static int compare_cost(const struct luks_pbkdf *p, struct luks_reason *why)
{
	const struct luks_cost_limits *limits = &luks_derive_policy()->limits;
	const char *type = p->type ?: CRYPT_KDF_ARGON2ID;
	int r;

	if (p->memory_kib > 0) {
		r = luks_cost_check_memory("a new keyslot", type, p->memory_kib * UINT64_C(1024),
					   limits, why);
		if (r < 0)
			return r;
	}
	return luks_cost_check_steps("a new keyslot", type, p->iterations * steps_of_iteration(p),
				     limits, why);
}

/* New keyslots must not cost more than what will be opened again. */
static int check_new_cost(const struct luks_begin *b)
{
	struct luks_reason why = {};
	int r = compare_cost(&b->params.pbkdf, &why);

	return r < 0 ? log_refusal(r, "%s: %s", b->params.device, why.text) : 0;
}

/* From here on all is done on a copy of the header, and what was planned is what is committed. */
static int open_draft(struct luks_begin *b)
{
	int r;

	b->cd = luks_context_close(b->cd);
	r = luks_draft_new(b->params.place, &b->draft);
	return r < 0 ? r : luks_context_open(luks_draft_place(b->draft), &b->cd);
}

static int open_volume(struct luks_begin *b)
{
	int r = luks_context_open(b->params.place, &b->cd);

	if (r < 0)
		return r;
	r = luks_begin_check_volume(b->cd, &b->params);
	return r < 0 ? r : open_draft(b);
}

/* What can be told before anybody is asked for a passphrase. */
static int plan_changes(struct luks_begin *b)
{
	int r = luks_keyslots_read(b->cd, &b->keyslots);

	if (r < 0)
		return log_error_errno(r, "%s: cannot read the keyslots", b->params.device);
	r = plan_parameters(b);
	if (r < 0)
		return r;
	r = luks_begin_check_sizes(b->cd, &b->params, &b->keyslots, &b->plan);
	return r < 0 ? r : luks_begin_check_tokens(b->cd, b->params.device, &b->plan);
}

static int plan_keys(struct luks_begin *b)
{
	int r = luks_begin_open_keyslots(b);

	if (r < 0)
		return r;
	r = luks_begin_check_strength(b);
	if (r < 0)
		return r;
	r = make_new_key(b);
	return r < 0 ? r : check_algorithms(b);
}

static int make_plan(struct luks_begin *b)
{
	int r;

	r = check_new_cost(b);
	if (r < 0)
		return r;
	r = open_volume(b);
	if (r < 0)
		return r;
	r = plan_changes(b);
	if (r < 0)
		return r;
	r = plan_keys(b);
	if (r < 0)
		return r;
	luks_begin_find_leftovers(b);
	r = check_room(b);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		b->plan.slots[i].kept |= luks_begin_is_open(b, i);
		b->plan.n_lost += !b->plan.slots[i].kept;
	}
	return 0;
}

int luks_begin_plan(const struct luks_begin_params *params, struct luks_begin **ret)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = calloc(1, sizeof(*b));
	int r;

	assert(!params->given.no_keyslots || (params->given.old_key && params->given.new_key));
	if (!b)
		return -ENOMEM;
	b->params = *params;
	for (size_t i = 0; i < LUKS_MAX_KEYSLOTS; i++)
		b->openers[i].token = -1;
	r = make_plan(b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}
