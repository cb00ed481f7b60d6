/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/record-keys.h"

#include <assert.h>
#include <string.h>

#include "luks/unlock.h"
#include "util/checked.h"
#include "util/log.h"

/* Moves the key of this digest out of @keys. */
static bool take_known(struct record_keys *keys, const struct luks_header *h, int digest,
		       struct record_key *ret)
{
	char fingerprint[LUKS_FINGERPRINT_SIZE];

	if (luks_digest_fingerprint(h, digest, fingerprint) < 0)
		return false;
	for (size_t i = 0; i < keys->n; i++)
		if (keys->key[i].key && strcmp(keys->key[i].fingerprint, fingerprint) == 0) {
			*ret = keys->key[i];
			keys->key[i].key = NULL;
			return true;
		}
	return false;
}

static bool find_key(struct record_keys *keys, struct held_keys *held, const struct luks_header *h,
		     int digest, struct record_key *ret)
{
	const struct secret *volume_key;
	int r;

	if (digest == LUKS_DIGEST_NONE)
		return false;
	if (take_known(keys, h, digest, ret))
		return true;
	volume_key = held_keys_find(held, h, digest);
	if (!volume_key)
		return false;
	r = record_key_make(h, digest, volume_key, ret);
	if (r < 0)
		log_warning_errno(r, "no key for the state token can be derived");
	return r == 0;
}

void record_keys_refresh(struct record_keys *keys, struct held_keys *held,
			 const struct luks_header *h, const struct luks_reenc *reenc)
{
	const int digests[] = {reenc->old_side.digest, reenc->new_side.digest};
	struct record_keys now = {};

	assert(keys->n <= ARRAY_SIZE(keys->key));
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
		if ((i == 0 || digests[i] != digests[0]) &&
		    find_key(keys, held, h, digests[i], &now.key[now.n]))
			now.n++;
	record_keys_forget(keys);
	*keys = now;
}
