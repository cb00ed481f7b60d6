/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/misfit.h"

#include <stdio.h>
#include <string.h>

#include "crypto/cipher-spec.h"
#include "crypto/hash.h"
#include "util/checked.h"

#define ESSIV_PREFIX "essiv:"
#define BLOCK_SIZE   16 /* bytes; the second part of a key for LRW */

/* Bytes of the keys that the kernel's block ciphers take. */
static const struct block_cipher {
	const char *name;
	size_t min, max, step;
} block_ciphers[] = {
	{"aes", 16, 32, 8},    {"camellia", 16, 32, 8}, {"twofish", 16, 32, 8},
	{"serpent", 1, 32, 1}, {"cast6", 16, 32, 4},    {"des3_ede", 24, 24, 1},
};

static const struct block_cipher *find_cipher(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_ciphers); i++)
		if (strcmp(block_ciphers[i].name, name) == 0)
			return &block_ciphers[i];
	return NULL;
}

static bool takes(const struct block_cipher *c, size_t key_size)
{
	return key_size >= c->min && key_size <= c->max && (key_size - c->min) % c->step == 0;
}

/* ESSIV encrypts with the digest of the key as its key. */
static bool essiv_misfits(const struct cipher_spec *s, char *buf, size_t size)
{
	const struct block_cipher *c = find_cipher(s->cipher);
	const char *hash = s->iv + strlen(ESSIV_PREFIX);
	const int digest = hash_size(hash);

	if (!c || digest < 0 || takes(c, (size_t)digest))
		return false;
	(void)snprintf(buf, size,
		       "essiv takes the digest of %s for a key of %s, which cannot have %d bits",
		       hash, s->cipher, digest * 8);
	return true;
}

bool cipher_iv_misfits(const char *spec, char *buf, size_t size)
{
	struct cipher_spec s;

	if (cipher_spec_parse(spec, &s) < 0)
		return false;
	if (strncmp(s.iv, ESSIV_PREFIX, strlen(ESSIV_PREFIX)) == 0)
		return essiv_misfits(&s, buf, size);
	if (strcmp(s.iv, "random") == 0)
		(void)snprintf(
			buf, size,
			"a random IV cannot be computed again: it is stored by dm-integrity, "
			"whose volumes cannot be re-encrypted");
	else if (strcmp(s.iv, "lmk") == 0)
		(void)snprintf(buf, size, "the IV lmk is that of loop-AES, not of LUKS2");
	else if (strcmp(s.iv, "tcw") == 0)
		(void)snprintf(buf, size, "the IV tcw is that of TrueCrypt, not of LUKS2");
	else
		return false;
	return true;
}

/* False: it cannot be told. */
static bool mode_takes(const struct cipher_spec *s, size_t key_size, bool *ret)
{
	const struct block_cipher *c = find_cipher(s->cipher);

	if (strcmp(s->mode, "adiantum") == 0)
		*ret = key_size == 32;
	else if (!c)
		return false;
	else if (strcmp(s->mode, "xts") == 0)
		*ret = key_size % 2 == 0 && takes(c, key_size / 2);
	else if (strcmp(s->mode, "lrw") == 0)
		*ret = key_size > BLOCK_SIZE && takes(c, key_size - BLOCK_SIZE);
	else if (strcmp(s->mode, "cbc") == 0 || strcmp(s->mode, "ctr") == 0 ||
		 strcmp(s->mode, "ecb") == 0)
		*ret = takes(c, key_size);
	else
		return false;
	/* libcryptsetup gives all of the key to the cipher that makes the IVs. */
	if (c && strcmp(s->iv, "eboiv") == 0)
		*ret = *ret && takes(c, key_size);
	return true;
}

bool cipher_key_misfits(const char *spec, size_t key_size, char *buf, size_t size)
{
	static const unsigned short sizes[] = {128, 192, 256, 320, 384, 512};
	unsigned found[ARRAY_SIZE(sizes)];
	struct cipher_spec s;
	size_t n = 0, used = 0;
	bool fits;

	if (cipher_spec_parse(spec, &s) < 0 || !mode_takes(&s, key_size, &fits) || fits)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (mode_takes(&s, sizes[i] / 8, &fits) && fits)
			found[n++] = sizes[i];
	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++, used = strlen(buf))
		(void)snprintf(buf + used, size - used, "%s%u",
			       i == 0      ? ""
			       : i + 1 < n ? ", "
					   : " or ",
			       found[i]);
	return true;
}
