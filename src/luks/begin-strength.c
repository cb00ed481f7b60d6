/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/begin-strength.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crypto/cipher-spec.h"
#include "util/checked.h"
#include "util/log.h"

static bool contains(const char *cipher, const char *part)
{
	return strstr(cipher, part) != NULL;
}

static bool begins(const char *cipher, const char *name)
{
	const size_t n = strlen(name);

	return strncmp(cipher, name, n) == 0 && (cipher[n] == '-' || cipher[n] == '\0');
}

static bool is_null(const char *cipher)
{
	return begins(cipher, "cipher_null") || begins(cipher, "null");
}

static uint32_t strength_bits(const char *cipher, uint32_t key_size)
{
	return contains(cipher, "-xts-") ? key_size * 4 : key_size * 8;
}

/* Of the mode: nothing, one block at a time, IVs that can be foretold or repeat, the others. */
static int mode_rank(const char *cipher)
{
	if (is_null(cipher))
		return 0;
	if (contains(cipher, "-ecb"))
		return 1;
	if (contains(cipher, "-xts-") || contains(cipher, "-adiantum-") ||
	    contains(cipher, "-hctr2-"))
		return contains(cipher, "-null") ? 2 : 5;
	if (contains(cipher, "-cbc-essiv") || contains(cipher, "-cbc-plain64"))
		return 4;
	return contains(cipher, "-null") ? 2 : 3;
}

static bool is_of_today(const char *cipher)
{
	static const char *const names[] = {"aes",  "serpent",       "twofish",      "camellia",
					    "aria", "xchacha20,aes", "xchacha12,aes"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (begins(cipher, names[i]))
			return true;
	return false;
}

bool luks_cipher_is_weaker(const char *old_name, uint32_t old_size, const char *new_name,
			   uint32_t new_size)
{
	char old_cipher[CIPHER_SPEC_MAX], new_cipher[CIPHER_SPEC_MAX];

	if (cipher_spec_complete(old_name, old_cipher, sizeof(old_cipher)) < 0 ||
	    cipher_spec_complete(new_name, new_cipher, sizeof(new_cipher)) < 0)
		return true;
	if (strcmp(old_cipher, new_cipher) == 0)
		return new_size < old_size;
	if (is_null(old_cipher))
		return false;
	return mode_rank(new_cipher) < mode_rank(old_cipher) ||
	       strength_bits(new_cipher, new_size) < strength_bits(old_cipher, old_size) ||
	       (is_of_today(old_cipher) && !is_of_today(new_cipher));
}

static int type_rank(const char *type)
{
	static const char *const types[] = {CRYPT_KDF_PBKDF2, CRYPT_KDF_ARGON2I,
					    CRYPT_KDF_ARGON2ID};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type) == 0)
			return (int)i;
	return -1;
}

static bool is_argon2(const struct crypt_pbkdf_type *p)
{
	return type_rank(p->type) > 0;
}

static int hash_rank(const char *hash)
{
	if (!hash)
		return 0;
	return strcmp(hash, "sha1") == 0 || strcmp(hash, "ripemd160") == 0 ? 0 : 1;
}

/* Costs that are not known before a benchmark are 0, and not compared. */
static bool pbkdf_is_weaker(const struct crypt_pbkdf_type *old, const struct crypt_pbkdf_type *new)
{
	if (type_rank(new->type) != type_rank(old->type))
		return type_rank(new->type) < type_rank(old->type);
	if (is_argon2(old) && new->max_memory_kb < old->max_memory_kb)
		return true;
	if (!is_argon2(old) && hash_rank(new->hash) < hash_rank(old->hash))
		return true;
	return new->iterations > 0 && new->iterations < old->iterations &&
	       /* More memory may make up for fewer passes. */
	       (!is_argon2(old) || (uint64_t) new->iterations *new->max_memory_kb <
					   (uint64_t)old->iterations * old->max_memory_kb);
}

static bool is_chosen(const struct luks_pbkdf *p)
{
	return p->type || p->hash || p->iterations || p->time_ms || p->memory_kib || p->parallel;
}

static int read_pbkdf(const struct luks_begin *b, int keyslot, struct crypt_pbkdf_type *ret)
{
	*ret = (struct crypt_pbkdf_type){};
	return keyslot < 0 ? -ENOENT : crypt_keyslot_get_pbkdf(b->cd, keyslot, ret);
}

/* Where a new passphrase takes the place of keyslots that cannot be opened. */
static bool strongest(const struct luks_begin *b, const struct crypt_pbkdf_type *defaults,
		      struct crypt_pbkdf_type *ret)
{
	uint32_t memory = defaults->max_memory_kb;
	bool found = false;

	for (size_t i = 0; i < b->plan.n_slots; i++) {
		struct crypt_pbkdf_type p;

		if (read_pbkdf(b, b->plan.slots[i].keyslot, &p) < 0 || !is_argon2(&p) ||
		    p.max_memory_kb <= memory)
			continue;
		memory = p.max_memory_kb;
		*ret = p;
		found = true;
	}
	return found;
}

/* A benchmark finds the iterations: in the time, and with the memory, of today at least. */
static void benchmark(const struct luks_pbkdf *wanted, const struct crypt_pbkdf_type *defaults,
		      struct crypt_pbkdf_type *p)
{
	p->flags &= ~(uint32_t)CRYPT_PBKDF_NO_BENCHMARK;
	p->iterations = 0;
	p->time_ms = wanted->time_ms ?: defaults->time_ms;
	p->max_memory_kb = MAX(p->max_memory_kb, defaults->max_memory_kb);
	p->parallel_threads = MAX(p->parallel_threads, defaults->parallel_threads);
}

/* Memory and threads are of argon2, so a keyslot with PBKDF2 gets cryptsetup's default for them. */
static const char *wanted_type(const struct luks_pbkdf *wanted, const struct crypt_pbkdf_type *old)
{
	if (wanted->type || !(wanted->memory_kib || wanted->parallel) || !old ||
	    strcmp(old->type, CRYPT_KDF_PBKDF2) != 0)
		return wanted->type;
	return CRYPT_KDF_ARGON2ID;
}

int luks_begin_pbkdf(const struct luks_begin *b, int keyslot, struct crypt_pbkdf_type *ret)
{
	const struct luks_pbkdf *wanted = &b->params.pbkdf;
	struct crypt_pbkdf_type p;
	bool known = read_pbkdf(b, keyslot, &p) >= 0;
	const char *type = wanted_type(wanted, known ? &p : NULL);
	const struct crypt_pbkdf_type *defaults =
		type ? crypt_get_pbkdf_type_params(type) : crypt_get_pbkdf_default(CRYPT_LUKS2);

	if (!defaults || (keyslot >= 0 && !known))
		return -EINVAL;
	if (!known && !is_chosen(wanted))
		known = strongest(b, defaults, &p);
	if (!known || (type && strcmp(type, p.type) != 0))
		p = *defaults;
	else if (!type && crypt_get_pbkdf_type_params(p.type))
		defaults = crypt_get_pbkdf_type_params(p.type);
	if (!wanted->iterations && (wanted->time_ms || wanted->hash || p.iterations == 0))
		benchmark(wanted, defaults, &p);
	else
		p.flags |= CRYPT_PBKDF_NO_BENCHMARK;
	p.iterations = wanted->iterations ?: p.iterations;
	p.hash = wanted->hash ?: p.hash;
	p.max_memory_kb = wanted->memory_kib ?: p.max_memory_kb;
	p.parallel_threads = wanted->parallel ?: p.parallel_threads;
	*ret = p;
	return 0;
}

static int refuse_weaker(const struct luks_begin *b, const char *what, const char *option)
{
	return log_refusal(-EINVAL,
			   "%s: %s would be weaker than now, which no person has asked this host "
			   "for; order the rotation anew with %s",
			   b->params.device, what, option);
}

static int check_keyslot(const struct luks_begin *b, int keyslot)
{
	struct crypt_pbkdf_type old, new;

	if (read_pbkdf(b, keyslot, &old) < 0 || luks_begin_pbkdf(b, keyslot, &new) < 0)
		return 0; /* which fails when it is made */
	return pbkdf_is_weaker(&old, &new) ? refuse_weaker(b, "the PBKDF of a keyslot", "--pbkdf")
					   : 0;
}

static int check_keyslots(const struct luks_begin *b)
{
	const struct luks_begin_plan *p = &b->plan;

	for (size_t i = 0; i < p->n_slots; i++) {
		int r = luks_begin_is_open(b, i) && !p->keeps_key
				? check_keyslot(b, p->slots[i].keyslot)
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* The keyslot areas of a volume of cipher_null that was LUKS1 before are of cipher_null as well. */
static int check_kept_key(const struct luks_begin *b)
{
	const struct luks_begin_plan *p = &b->plan;

	if (!p->keeps_key || is_null(p->new_cipher))
		return 0;
	for (size_t i = 0; i < p->n_slots; i++) {
		size_t key_size;
		const char *cipher =
			crypt_keyslot_get_encryption(b->cd, p->slots[i].keyslot, &key_size);

		if (cipher && is_null(cipher))
			return log_refusal(-EINVAL,
					   "%s: keyslot %d holds the volume key unencrypted; leave "
					   "--keep-key out, so that the volume gets a new key",
					   b->params.device, p->slots[i].keyslot);
	}
	return 0;
}

static int check_cipher(const struct luks_begin *b)
{
	const struct luks_begin_plan *p = &b->plan;

	if (!luks_cipher_is_weaker(p->old_cipher, p->old_key_size, p->new_cipher, p->new_key_size))
		return 0;
	if (!b->params.may_weaken)
		return refuse_weaker(b, "the cipher", "--cipher and --key-size");
	if (is_null(p->new_cipher))
		log_warning("%s: %s does not encrypt: anybody who has the disk can read the data",
			    b->params.device, p->new_cipher);
	else
		log_warning("%s: %s with a key of %" PRIu32 " bits is weaker than %s with %" PRIu32
			    " bits, which it has now",
			    b->params.device, p->new_cipher, p->new_key_size * 8, p->old_cipher,
			    p->old_key_size * 8);
	return 0;
}

int luks_begin_check_strength(const struct luks_begin *b)
{
	int r = check_kept_key(b);

	if (r < 0)
		return r;
	r = check_cipher(b);
	return r < 0 || b->params.may_weaken ? r : check_keyslots(b);
}

int luks_begin_check_made(const struct luks_begin *b, int keyslot, int made)
{
	struct crypt_pbkdf_type old, new;

	assert(keyslot >= 0 && made >= 0);
	if (b->params.may_weaken || read_pbkdf(b, keyslot, &old) < 0 ||
	    read_pbkdf(b, made, &new) < 0)
		return 0;
	return pbkdf_is_weaker(&old, &new) ? refuse_weaker(b, "the PBKDF of a keyslot", "--pbkdf")
					   : 0;
}
