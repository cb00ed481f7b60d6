/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/held-keys.h"

#include <errno.h>
#include <string.h>

#include "luks/reencrypt.h"
#include "util/checked.h"

void held_keys_forget(struct held_keys *h)
{
	for (unsigned i = 0; i < h->n_passphrases; i++)
		secret_free(h->passphrase[i]);
	for (unsigned i = 0; i < h->n_keys; i++)
		secret_free(h->key[i]);
	*h = (struct held_keys){};
}

static bool contains(struct secret *const *list, unsigned n, const struct secret *s)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i]->size == s->size && memcmp(list[i]->data, s->data, s->size) == 0)
			return true;
	return false;
}

int held_keys_add_passphrase(struct held_keys *h, const struct secret *passphrase)
{
	int r;

	if (contains(h->passphrase, h->n_passphrases, passphrase))
		return 0;
	if (h->n_passphrases == ARRAY_SIZE(h->passphrase))
		return -ENOSPC;
	r = secret_copy(passphrase->data, passphrase->size, &h->passphrase[h->n_passphrases]);
	h->n_passphrases += r == 0;
	return r;
}

int held_keys_add_key(struct held_keys *h, const struct secret *key)
{
	int r;

	if (contains(h->key, h->n_keys, key))
		return 0;
	if (h->n_keys == ARRAY_SIZE(h->key)) {
		secret_free(h->key[0]);
		h->n_keys--;
		memmove(&h->key[0], &h->key[1], h->n_keys * sizeof(h->key[0]));
	}
	r = secret_copy(key->data, key->size, &h->key[h->n_keys]);
	h->n_keys += r == 0;
	return r;
}

const struct secret *held_keys_find(const struct held_keys *h, const struct luks_header *header,
				    int digest)
{
	if (digest == LUKS_DIGEST_NONE)
		return NULL;
	for (unsigned i = 0; i < h->n_keys; i++)
		if (luks_volume_key_verify(header, digest, h->key[i]) == 0)
			return h->key[i];
	return NULL;
}

static int ask(void *arg, int keyslot, bool again, struct secret **ret)
{
	struct held_keys *h = arg;
	const struct secret *next;

	(void)keyslot;
	(void)again;
	if (h->asked == h->n_passphrases)
		return -ENOKEY;
	next = h->passphrase[h->asked++];
	return secret_copy(next->data, next->size, ret);
}

struct luks_passphrases held_keys_passphrases(struct held_keys *h)
{
	h->asked = 0;
	return (struct luks_passphrases){
		.ask = ask,
		.arg = h,
		.tries = LUKS_MAX_KEYSLOTS + 1,
	};
}
