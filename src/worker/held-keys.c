/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/held-keys.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/reencrypt.h"
#include "util/checked.h"
#include "util/error.h"

void held_keys_forget(struct held_keys *h)
{
	for (unsigned i = 0; i < h->n_passphrases; i++)
		secret_free(h->passphrase[i]);
	for (unsigned i = 0; i < h->n_keys; i++)
		secret_free(h->key[i].secret);
	*h = (struct held_keys){};
}

static bool is_same(const struct secret *a, const struct secret *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool has_passphrase(const struct held_keys *h, const struct secret *passphrase)
{
	for (unsigned i = 0; i < h->n_passphrases; i++)
		if (is_same(h->passphrase[i], passphrase))
			return true;
	return false;
}

int held_keys_add_passphrase(struct held_keys *h, const struct secret *passphrase)
{
	int r;

	if (has_passphrase(h, passphrase))
		return 0;
	if (h->n_passphrases == ARRAY_SIZE(h->passphrase))
		return -ENOSPC;
	r = secret_copy(passphrase->data, passphrase->size, &h->passphrase[h->n_passphrases]);
	if (r < 0)
		return r;
	h->n_passphrases++;
	return 0;
}

void held_keys_note_opened(struct held_keys *h, uint32_t keyslots, bool all)
{
	h->opened = all ? keyslots : h->opened | keyslots;
}

static struct known_digest *find_known(struct held_key *key, const char *fingerprint)
{
	for (unsigned i = 0; i < key->n_known && i < HELD_KEYS_KNOWN; i++)
		if (strcmp(key->known[i].fingerprint, fingerprint) == 0)
			return &key->known[i];
	return NULL;
}

static void know(struct held_key *key, const char *fingerprint, bool belongs)
{
	struct known_digest *k = find_known(key, fingerprint);

	if (!k)
		k = &key->known[key->n_known++ % HELD_KEYS_KNOWN];
	memcpy(k->fingerprint, fingerprint, sizeof(k->fingerprint));
	k->belongs = belongs;
}

static int new_key(struct held_keys *h, const struct secret *secret, struct held_key **ret)
{
	struct held_key key = {};
	int r;

	assert(h->n_keys <= ARRAY_SIZE(h->key));
	r = secret_copy(secret->data, secret->size, &key.secret);
	if (r < 0)
		return r;
	if (h->n_keys == ARRAY_SIZE(h->key)) {
		secret_free(h->key[0].secret);
		h->n_keys--;
		memmove(&h->key[0], &h->key[1], h->n_keys * sizeof(h->key[0]));
	}
	h->key[h->n_keys] = key;
	*ret = &h->key[h->n_keys++];
	return 0;
}

int held_keys_add_key(struct held_keys *h, const struct luks_header *header, int digest,
		      const struct secret *secret)
{
	struct held_key *key = NULL;
	char fingerprint[LUKS_FINGERPRINT_SIZE];
	int r;

	for (unsigned i = 0; i < h->n_keys && !key; i++)
		if (is_same(h->key[i].secret, secret))
			key = &h->key[i];
	if (!key) {
		r = new_key(h, secret, &key);
		if (r < 0)
			return r;
	}
	if (header && luks_digest_fingerprint(header, digest, fingerprint) == 0)
		know(key, fingerprint, true);
	return 0;
}

static bool belongs(struct held_key *key, const struct luks_header *header, int digest,
		    const char *fingerprint)
{
	const struct known_digest *known = find_known(key, fingerprint);
	int r;

	if (known)
		return known->belongs;
	r = luks_volume_key_verify(header, digest, key->secret);
	if (r != -ECANCELED && r != -ERROR_COST_TOO_HIGH && r != -ERROR_UNKNOWN_HASH)
		know(key, fingerprint, r == 0);
	return r == 0;
}

const struct secret *held_keys_find(struct held_keys *h, const struct luks_header *header,
				    int digest)
{
	char fingerprint[LUKS_FINGERPRINT_SIZE];

	if (digest == LUKS_DIGEST_NONE || luks_digest_fingerprint(header, digest, fingerprint) < 0)
		return NULL;
	for (unsigned i = 0; i < h->n_keys; i++)
		if (belongs(&h->key[i], header, digest, fingerprint))
			return h->key[i].secret;
	return NULL;
}

static int give_next(void *arg, int keyslot, bool again, struct secret **ret)
{
	struct held_keys *h = arg;
	const struct secret *next;

	(void)keyslot;
	(void)again;
	assert(h->asked <= h->n_passphrases);
	if (h->asked == h->n_passphrases)
		return -ENOKEY;
	next = h->passphrase[h->asked++];
	return secret_copy(next->data, next->size, ret);
}

struct luks_passphrases held_keys_passphrases(struct held_keys *h)
{
	h->asked = 0;
	return (struct luks_passphrases){
		.ask = give_next,
		.arg = h,
		.tries = LUKS_MAX_KEYSLOTS + 1,
	};
}
