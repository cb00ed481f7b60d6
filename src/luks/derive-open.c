/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening one keyslot: its cost is compared with the limits, and another process derives the key.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks/context.h"
#include "luks/derive-job.h"
#include "luks/keyslots.h"
#include "util/checked.h"
#include "util/error.h"

/* Bytes; libcryptsetup refuses longer volume keys. */
#define VOLUME_KEY_MAX 512

/* How a keyslot is opened: by a passphrase, or (NULL) by a token. */
struct derivation_opener {
	const struct secret *passphrase;
	int token;
};

static int check_one(struct crypt_device *cd, int keyslot)
{
	_cleanup_(json_putp) json_object *root = NULL;
	struct luks_reason why;
	int r = luks_dump_json(cd, &root);

	if (r < 0)
		return r;
	r = luks_cost_check_keyslot(root, keyslot, &luks_derive_policy()->limits, &why);
	return luks_derive_gave_up(r) ? luks_derive_note(r, &why) : r;
}

/* With CRYPT_ANY_SLOT libcryptsetup tries one after the other. */
static int check_cost(struct crypt_device *cd, int keyslot)
{
	if (keyslot != CRYPT_ANY_SLOT)
		return check_one(cd, keyslot);
	for (int slot = 0; slot < (int)LUKS_MAX_KEYSLOTS; slot++) {
		int r = crypt_keyslot_status(cd, slot) >= CRYPT_SLOT_ACTIVE ? check_one(cd, slot)
									    : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* So it does with the keyslots of a token. */
static int check_cost_of_token(struct crypt_device *cd, int token)
{
	for (int slot = 0; slot < (int)LUKS_MAX_KEYSLOTS; slot++) {
		int r = crypt_token_is_assigned(cd, token, slot) == 0 ? check_one(cd, slot) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* The library says EPERM; said by the kernel it would mean something else. */
static int rejected(int error)
{
	return error == -EPERM ? -ERROR_KEY_REJECTED : error;
}

static int open_by_passphrase(struct crypt_device *cd, int keyslot, const struct secret *passphrase,
			      struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	size_t size = VOLUME_KEY_MAX;
	int r;

	r = secret_new(size, &key);
	if (r < 0)
		return r;
	r = crypt_volume_key_get(cd, keyslot, (char *)key->data, &size,
				 (const char *)passphrase->data, passphrase->size);
	if (r < 0)
		return rejected(r);
	secret_truncate(key, size);
	*ret = TAKE_PTR(key);
	return 0;
}

/* The keyslot that @token opened when asked for @keyslot. */
static int ask_token(struct crypt_device *cd, int keyslot, int token, struct secret *key)
{
	_cleanup_(crypt_keyslot_context_freep) struct crypt_keyslot_context *kc = NULL;
	size_t size = key->size;
	int r;

	r = crypt_keyslot_context_init_by_token(cd, token, NULL, NULL, 0, NULL, &kc);
	if (r < 0)
		return r;
	r = crypt_volume_key_get_by_keyslot_context(cd, keyslot, (char *)key->data, &size, kc);
	if (r < 0)
		return rejected(r);
	secret_truncate(key, size);
	return r;
}

/*
 * libcryptsetup 2.6.1 takes any number for "the first keyslot of the token, old key or new", and
 * CRYPT_ANY_SLOT for "the first one of the current key"; it tells which one it was.
 */
static int open_by_token(struct crypt_device *cd, int keyslot, int token, struct secret **ret)
{
	const int numbers[] = {keyslot, CRYPT_ANY_SLOT};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		int r;

		r = secret_new(VOLUME_KEY_MAX, &key);
		if (r < 0)
			return r;
		r = ask_token(cd, numbers[i], token, key);
		if (r < 0)
			return r;
		if (r != keyslot)
			continue;
		*ret = TAKE_PTR(key);
		return 0;
	}
	return -ERROR_KEY_REJECTED;
}

static int open_here(struct crypt_device *cd, int keyslot, const struct derivation_opener *by,
		     struct secret **ret)
{
	int r = by->passphrase ? check_cost(cd, keyslot) : check_cost_of_token(cd, by->token);

	if (r < 0)
		return r;
	return by->passphrase ? open_by_passphrase(cd, keyslot, by->passphrase, ret)
			      : open_by_token(cd, keyslot, by->token, ret);
}

static int take_key(void *arg, const struct derive_frame *f, const uint8_t *data)
{
	struct secret **ret = arg;

	if (f->kind != DERIVE_KEY || *ret)
		return -EBADMSG;
	return secret_copy(data, f->size, ret);
}

static int make_job(struct crypt_device *cd, int keyslot, const struct derivation_opener *by,
		    struct secret **ret)
{
	struct derive_writer w;
	int r = derive_job_begin(DERIVE_OPEN, &w);

	if (r < 0)
		return r;
	derive_put_context(&w, cd);
	derive_put(&w, &keyslot, sizeof(keyslot));
	derive_put(&w, &by->token, sizeof(by->token));
	derive_put_secret(&w, by->passphrase);
	return derive_job_end(&w, ret);
}

static int open_elsewhere(struct crypt_device *cd, int keyslot, const struct derivation_opener *by,
			  struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *job = NULL, *key = NULL;
	char what[32];
	int r = make_job(cd, keyslot, by, &job);

	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "keyslot %d", keyslot);
	r = derive_elsewhere(job, cd, 1, what, take_key, &key);
	if (r != 0)
		return r;
	if (!key)
		return -EBADMSG;
	*ret = TAKE_PTR(key);
	return 0;
}

int derive_serve_open(struct derive_reader *r, const struct derive_channel *c)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	_cleanup_(secret_freep) struct secret *passphrase = NULL, *key = NULL;
	struct derivation_opener by = {};
	int keyslot, e = derive_get_context(r, &place, &cd);

	derive_get(r, &keyslot, sizeof(keyslot));
	derive_get(r, &by.token, sizeof(by.token));
	by.passphrase = passphrase = derive_get_secret(r);
	if (e < 0 || r->error < 0)
		return e < 0 ? e : r->error;
	e = open_here(cd, keyslot, &by, &key);
	return e < 0 ? e : derive_send(c, DERIVE_KEY, 0, key->data, key->size);
}

/* What costs too much need not be told to another process. */
static int check_and_open_elsewhere(struct crypt_device *cd, int keyslot,
				    const struct derivation_opener *by, struct secret **ret)
{
	int r = by->passphrase ? check_cost(cd, keyslot) : check_cost_of_token(cd, by->token);

	return r < 0 ? r : open_elsewhere(cd, keyslot, by, ret);
}

static int open_keyslot(struct crypt_device *cd, int keyslot, const struct derivation_opener *by,
			struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r;

	if (luks_derive_policy()->run)
		r = check_and_open_elsewhere(cd, keyslot, by, &key);
	else
		r = open_here(cd, keyslot, by, &key);
	if (r < 0)
		return r;
	r = luks_keyslot_check_key(cd, keyslot, key);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(key);
	return 0;
}

int luks_keyslot_open(struct crypt_device *cd, int keyslot, const struct secret *passphrase,
		      struct secret **ret)
{
	assert(passphrase); /* without one it would be token 0 */
	return open_keyslot(cd, keyslot, &(struct derivation_opener){.passphrase = passphrase},
			    ret);
}

int luks_keyslot_open_by_token(struct crypt_device *cd, int keyslot, int token, struct secret **ret)
{
	assert(token >= 0);
	return open_keyslot(cd, keyslot, &(struct derivation_opener){.token = token}, ret);
}
