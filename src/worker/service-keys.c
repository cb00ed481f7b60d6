/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-keys.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/context.h"
#include "luks/derive.h"
#include "luks/keyslots.h"
#include "luks/unlock.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "worker/identity.h"
#include "util/key-memfd.h"
#include "worker/provider.h"

#define SECOND       UINT64_C(1000000)
#define READ_TIMEOUT (30 * SECOND)     /* of a secret that is handed in */
#define SECRET_MAX   ((size_t)8 << 20) /* bytes: cryptsetup's own limit of a key file */

static void digests_of(const struct service_volume *v, int ret[2])
{
	const struct luks_reenc *r = &v->look.status.reenc;

	ret[0] = r->old_side.digest;
	ret[1] = r->new_side.digest == r->old_side.digest ? LUKS_DIGEST_NONE : r->new_side.digest;
}

/* The first keyslot of @digest that @passphrase opens; its key is kept. */
static int try_digest(struct service_volume *v, struct crypt_device *cd, int digest, int keyslot,
		      const struct secret *passphrase, uint32_t *opened,
		      struct luks_given_up *given_up)
{
	struct luks_keyslots keyslots;
	int r = luks_keyslots_read(cd, &keyslots);

	for (size_t i = 0; r == 0 && i < keyslots.n; i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		const struct luks_keyslot *slot = &keyslots.slots[i];

		if (slot->digest != digest || (keyslot >= 0 && slot->id != keyslot))
			continue;
		r = luks_keyslot_open(cd, slot->id, passphrase, &key);
		if (r == 0) {
			*opened |= UINT32_C(1) << slot->id;
			return held_keys_add_key(&v->keys, v->header, digest, key);
		}
		r = luks_given_up_note(given_up, v->base->target.device, slot->id, r);
	}
	return r;
}

static int refuse_passphrase(const struct service_volume *v)
{
	return log_refusal(-ERROR_KEY_REJECTED, "%s: no keyslot opens with this passphrase",
			   v->base->target.device);
}

/* What was inspected, and nothing else, gets to see a passphrase. */
static int find_place(const struct service_volume *v, struct luks_place *ret)
{
	struct luks_place p = LUKS_PLACE_NONE;
	int r = luks_place_find(v->base->target.device, v->base->target.header, &p);

	if (r < 0)
		return r;
	r = identity_check_place(v->base, &p);
	if (r < 0) {
		luks_place_clear(&p);
		return r;
	}
	*ret = p;
	return 0;
}

/* -ERROR_KEY_REJECTED, without a word: it opens nothing. */
static int take_passphrase(struct service_volume *v, const struct secret *passphrase, int keyslot,
			   uint32_t *ret_keyslots)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	struct luks_given_up given_up = {};
	uint32_t opened = 0;
	int digests[2], r = find_place(v, &place);

	if (r < 0)
		return r;
	r = luks_context_open(&place, &cd);
	if (r < 0)
		return r;
	digests_of(v, digests);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(digests); i++)
		if (digests[i] != LUKS_DIGEST_NONE)
			r = try_digest(v, cd, digests[i], keyslot, passphrase, &opened, &given_up);
	if (luks_derive_gave_up(r))
		return r;
	if (r == 0 && opened == 0) {
		r = luks_given_up_refuse(&given_up, v->base->target.device);
		return r < 0 ? r : -ERROR_KEY_REJECTED;
	}
	if (r == 0)
		r = held_keys_add_passphrase(&v->keys, passphrase);
	if (r < 0)
		return log_error_errno(r, "%s: cannot open a keyslot", v->base->target.device);
	held_keys_note_opened(&v->keys, opened, false);
	*ret_keyslots |= opened;
	return 0;
}

static int take_volume_key(struct service_volume *v, const struct secret *key)
{
	int digests[2], r;

	digests_of(v, digests);
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		if (digests[i] == LUKS_DIGEST_NONE)
			continue;
		r = luks_volume_key_verify(v->header, digests[i], key);
		if (luks_derive_gave_up(r))
			return log_refusal(r, "%s: %s", v->base->target.device, luks_derive_why());
		if (r < 0)
			continue;
		r = held_keys_add_key(&v->keys, v->header, digests[i], key);
		return r < 0 ? log_error_errno(r, "%s: cannot keep the volume key",
					       v->base->target.device)
			     : 0;
	}
	return -ERROR_KEY_REJECTED;
}

int service_unlock(struct service_volume *v, const struct work_request *q, struct report *report)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	int r;

	assert(q->job == WORKER_UNLOCK && q->fd[0] >= 0);
	r = secret_read_fd(q->fd[0], v->control->stop_fd, SECRET_MAX, now_usec() + READ_TIMEOUT,
			   &secret);
	if (r < 0)
		return log_error_errno(r, "%s: no secret could be read from the descriptor given",
				       v->base->target.device);
	if (!*q->unlock.type || strcmp(q->unlock.type, "passphrase") == 0) {
		r = take_passphrase(v, secret, q->unlock.keyslot, &report->keyslots);
		return r == -ERROR_KEY_REJECTED ? refuse_passphrase(v) : r;
	}
	r = take_volume_key(v, secret);
	if (r == -ERROR_KEY_REJECTED)
		luks_tell_wrong_volume_key(v->base->target.device, "", LUKS_DIGEST_NONE);
	return r;
}

int service_use_provider(struct service_volume *v, const struct work_request *q,
			 struct report *report)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	struct provider_answer answer = {};
	const struct provider *p = &q->provider.provider;
	const struct provider_question question = {
		.provider = p->kind == PROVIDER_NONE ? NULL : provider_kind_names[p->kind],
		.path = p->key_file,
		.name = p->credential,
		.description = p->keyring_key,
		.offset = p->offset,
		.size = p->size,
		.device = v->base->target.device,
		.place = &place,
		.token = p->token,
	};
	const bool is_token = p->kind == PROVIDER_TOKEN;
	int r = is_token ? find_place(v, &place) : 0;

	if (r < 0)
		return r;
	r = provider_ask(&question, p->timeout_usec > 0 ? p->timeout_usec : READ_TIMEOUT,
			 v->control->stop_fd, &answer);
	for (unsigned i = 0; r == 0 && i < answer.n; i++) {
		r = take_passphrase(v, answer.passphrase[i], q->provider.keyslot,
				    &report->keyslots);
		r = r == -ERROR_KEY_REJECTED ? 0 : r; /* another token's may do */
	}
	provider_answer_clear(&answer);
	if (r == 0 && report->keyslots == 0)
		r = is_token ? log_refusal(-ENOKEY, "%s: no token opens a keyslot",
					   v->base->target.device)
			     : refuse_passphrase(v);
	return r;
}

int service_adopt(struct service_volume *v, const struct work_request *q)
{
	unsigned known = 0;

	assert(q->job == WORKER_ADOPT && q->fd[0] >= 0 && q->fd[1] >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(q->fd); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		int r = key_memfd_read(q->fd[i], SECRET_MAX, &key);

		if (r < 0)
			return log_error_errno(r, "%s: no volume key could be read from the memfd",
					       v->base->target.device);
		r = take_volume_key(v, key);
		if (r < 0 && r != -ERROR_KEY_REJECTED)
			return r;
		known += r == 0;
	}
	if (known == 0)
		return log_refusal(-ERROR_HEADER_CHANGED,
				   "%s: the header knows these volume keys no more",
				   v->base->target.device);
	return 0;
}

bool service_is_unlocked(struct service_volume *v)
{
	const struct luks_reenc *r = &v->look.status.reenc;

	if (r->state == LUKS_REENC_NONE)
		return held_keys_can_make_keyslots(&v->keys);
	return held_keys_find(&v->keys, v->header, r->new_side.digest) &&
	       (r->state == LUKS_REENC_FINISH ||
		held_keys_find(&v->keys, v->header, r->old_side.digest));
}
