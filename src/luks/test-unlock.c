/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Both keys of a re-encryption that was begun, from passphrases, volume keys and tokens.
 */
#include <errno.h>
#include <libcryptsetup.h>
#include <linux/keyctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/test-begin-util.h"
#include "util/error.h"
#include "util/log.h"

static void two_passphrases_unlock_when_no_one_opens_both(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	struct script s = {.next = "a"}, u1 = {.next = "ba"}, u2 = {.next = "bxxx"};
	struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&u1);

	(void)state;
	image_format("");
	add_keyslot("b");
	p.keyslot = 0;
	begin(&p, &old_key, &new_key);

	u.keyslot = 1; /* so that "a" opens no old keyslot */
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(u1.asked, 2);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);

	o = secret_free(o);
	n = secret_free(n);
	u.passphrases.arg = &u2;
	assert_int_equal(luks_unlock(&u, &o, &n), -ERROR_KEY_REJECTED);
	assert_int_equal(u2.asked, 4);
	assert_null(o);
	assert_null(n);
}

static void unlocking_ends_with_the_passphrases_and_the_tries(void **state)
{
	_cleanup_(secret_freep) struct secret *o = NULL, *n = NULL;
	struct script s = {.next = "a"}, none = {.next = ""}, wrong = {.next = "xxxxx"};
	const struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&none);

	(void)state;
	image_format("");
	begin(&p, NULL, NULL);
	assert_int_equal(luks_unlock(&u, &o, &n), -ERROR_KEY_REJECTED);
	u.passphrases.arg = &wrong;
	assert_int_equal(luks_unlock(&u, &o, &n), -ERROR_KEY_REJECTED);
	assert_int_equal(wrong.asked, 3);
	u.keyslot = 9;
	assert_int_equal(luks_unlock(&u, &o, &n), -ENOENT);
	u.keyslot = LUKS_ANY_KEYSLOT;
	u.new_digest = 6;
	assert_int_equal(luks_unlock(&u, &o, &n), -ENOENT);
}

static void volume_keys_unlock_without_a_passphrase(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	struct script s = {.next = "a"}, none = {.next = ""};
	const struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&none);

	(void)state;
	image_format("");
	begin(&p, &old_key, &new_key);
	u.old_key = old_key;
	u.new_key = new_key;
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(none.asked, 0);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);
	o = secret_free(o);
	n = secret_free(n);
	u.old_key = new_key;
	assert_int_equal(luks_unlock(&u, &o, &n), -ERROR_KEY_REJECTED);
}

/* A token plugin whose passphrase is "a". */
static int open_test_token(struct crypt_device *cd, int token, char **buffer, size_t *size,
			   void *arg)
{
	(void)cd;
	(void)token;
	(void)arg;
	*buffer = strdup("a");
	*size = 1;
	return *buffer ? 0 : -ENOMEM;
}

static void a_token_plugin_alone_begins_and_unlocks(void **state)
{
	static const crypt_token_handler handler = {.name = "recryptd-test",
						    .open = open_test_token};
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = ""}, none = {.next = ""};
	const struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&none);

	(void)state;
	assert_int_equal(crypt_token_register(&handler), 0);
	image_format("");
	must_run("echo '{\"type\":\"recryptd-test\",\"keyslots\":[\"0\"]}' | cryptsetup token "
		 "import "
		 "--token-id 2 image");
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 0);
	root = image_json();
	/* The bridge is gone: one old keyslot and its twin, both the token's. */
	assert_json(root, "/digests/0/keyslots", "[\"0\"]");
	assert_json(root, "/digests/1/keyslots", "[\"1\"]");
	assert_json(root, "/tokens/2/keyslots", "[\"0\",\"1\"]");

	u.tokens = true;
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(none.asked, 0);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);
	assert_cryptsetup_finishes("a", new_key);
}

/* The kernel's user keyring of this process holds "a" under the token's description. */
static void a_keyring_token_begins_and_unlocks(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	struct script s = {.next = ""}, none = {.next = ""};
	const struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&none);
	long key = syscall(SYS_add_key, "user", image_dir, "a", 1L, KEY_SPEC_PROCESS_KEYRING);

	(void)state;
	assert_true(key > 0);
	image_format("");
	must_run("cryptsetup token add --key-description %s --key-slot 0 image", image_dir);
	begin(&p, &old_key, &new_key);
	u.tokens = true;
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(s.asked + none.asked, 0);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_passphrases_unlock_when_no_one_opens_both),
		cmocka_unit_test(unlocking_ends_with_the_passphrases_and_the_tries),
		cmocka_unit_test(volume_keys_unlock_without_a_passphrase),
		cmocka_unit_test(a_token_plugin_alone_begins_and_unlocks),
		cmocka_unit_test(a_keyring_token_begins_and_unlocks),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-unlock", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
