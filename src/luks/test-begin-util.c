/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/test-begin-util.h"

#include <errno.h>
#include <libcryptsetup.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "luks/context.h"
#include "luks/keyslots.h"

void add_keyslot(const char *letter)
{
	must_run("cryptsetup luksAddKey -q " FAST_PBKDF "--key-file pass-a image pass-%s", letter);
}

static int ask_script(void *arg, int keyslot, bool again, struct secret **ret)
{
	struct script *s = arg;

	s->asked++;
	s->again += again;
	s->last_keyslot = keyslot;
	if (*s->next == '\0')
		return -ENODATA;
	if (*s->next == '-') {
		s->next++;
		return -ENOKEY;
	}
	return secret_copy(s->next++, 1, ret);
}

struct luks_begin_params params_for(struct script *s)
{
	return (struct luks_begin_params){
		.device = image,
		.place = &image_place,
		.keyslot = LUKS_ANY_KEYSLOT,
		.resilience = "checksum",
		.resilience_hash = "sha256",
		.force_offline = true,
		.may_weaken = true,
		.passphrases = {.ask = ask_script, .arg = s, .tries = 3},
	};
}

struct luks_unlock_params unlock_params(struct script *s)
{
	return (struct luks_unlock_params){
		.device = image,
		.place = &image_place,
		.old_digest = 0,
		.new_digest = 1,
		.keyslot = LUKS_ANY_KEYSLOT,
		.passphrases = {.ask = ask_script, .arg = s, .tries = 3},
	};
}

void get_volume_key(struct secret **ret)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;

	assert_int_equal(luks_context_open(&image_place, &cd), 0);
	assert_int_equal(luks_keyslot_open(cd, 0, &(struct secret){1, (uint8_t[]){'a'}}, ret), 0);
}

void assert_same_key(const struct secret *a, const struct secret *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, a->size);
}

void begin(const struct luks_begin_params *p, struct secret **ret_old, struct secret **ret_new)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL;

	assert_int_equal(luks_begin_plan(p, &b), 0);
	assert_int_equal(luks_begin_commit(b, &old_key, &new_key), 0);
	if (ret_old)
		*ret_old = TAKE_PTR(old_key);
	if (ret_new)
		*ret_new = TAKE_PTR(new_key);
}

void assert_cryptsetup_finishes(const char *letter, const struct secret *key)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	_cleanup_(secret_freep) struct secret *now = NULL;

	must_run("cryptsetup reencrypt -q --resume-only --force-offline-reencrypt --key-file "
		 "pass-%s "
		 "image",
		 letter);
	assert_int_equal(luks_context_open(&image_place, &cd), 0);
	for (int i = 0; i < (int)LUKS_MAX_KEYSLOTS && !now; i++)
		(void)luks_keyslot_open(cd, i, &(struct secret){1, (uint8_t *)(uintptr_t)letter},
					&now);
	assert_non_null(now);
	assert_same_key(now, key);
	assert_int_equal(crypt_volume_key_verify(cd, (const char *)key->data, key->size), 0);
}
