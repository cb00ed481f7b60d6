/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Beginning and unlocking on real LUKS2 volumes in image files, made and judged by the installed
 * cryptsetup. Needs root, as the lock directory of cryptsetup does.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <libcryptsetup.h>
#include <linux/keyctl.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/begin.h"
#include "luks/context.h"
#include "luks/keyslots.h"
#include "luks/unlock.h"
#include "util/checked.h"
#include "util/log.h"

#define FAST "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "

static char dir[] = "/tmp/test-begin-XXXXXX";
static char image[64];

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit code of a shell command that runs in the test's directory. */
static int run(const char *format, ...)
{
	char args[1024], command[1200];
	va_list ap;
	int status;

	va_start(ap, format);
	(void)vsnprintf(args, sizeof(args), format, ap);
	va_end(ap);
	(void)snprintf(command, sizeof(command), "cd %s && { %s; } >/dev/null 2>errors", dir, args);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(...) assert_int_equal(run(__VA_ARGS__), 0)

static void make_volume(const char *options)
{
	RUN("rm -f image; truncate -s 24M image; printf a >pass-a; printf b >pass-b; printf c "
	    ">pass-c;"
	    "cryptsetup luksFormat -q --type luks2 " FAST "%s image pass-a",
	    options);
}

static void add_keyslot(const char *letter)
{
	RUN("cryptsetup luksAddKey -q " FAST "--key-file pass-a image pass-%s", letter);
}

/* What the whole image hashes to. */
static void hash_image(uint8_t *digest)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t buf[65536];
	ssize_t n;

	assert_true(fd >= 0);
	assert_non_null(c);
	assert_int_equal(EVP_DigestInit_ex(c, EVP_sha256(), NULL), 1);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		assert_int_equal(EVP_DigestUpdate(c, buf, (size_t)n), 1);
	assert_int_equal(n, 0);
	assert_int_equal(EVP_DigestFinal_ex(c, digest, NULL), 1);
	EVP_MD_CTX_free(c);
}

static json_object *load_json(void)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	const char *text;
	json_object *root;

	assert_int_equal(luks_context_open(image, NULL, &cd), 0);
	assert_int_equal(crypt_dump_json(cd, &text, 0), 0);
	root = json_tokener_parse(text);
	assert_non_null(root);
	return root;
}

static void put_json(json_object **o)
{
	json_object_put(*o);
}

/* The text of what stands at @pointer; @buf must hold it. */
static void get(json_object *root, const char *pointer, char *buf, size_t size)
{
	json_object *o;

	if (json_pointer_get(root, pointer, &o) < 0)
		fail_msg("the header has no %s", pointer);
	(void)snprintf(buf, size, "%s", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static void assert_json(json_object *root, const char *pointer, const char *expected)
{
	char text[256];

	get(root, pointer, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* Gives out the letters of a string, one a question; '-' gives this keyslot up. */
struct script {
	const char *next;
	int asked, again, last_keyslot;
};

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

static struct luks_begin_params params_for(struct script *s)
{
	return (struct luks_begin_params){
		.device = image,
		.keyslot = LUKS_ANY_KEYSLOT,
		.resilience = "checksum",
		.resilience_hash = "sha256",
		.force_offline = true,
		.passphrases = {.ask = ask_script, .arg = s, .tries = 3},
	};
}

static struct luks_unlock_params unlock_params(struct script *s)
{
	return (struct luks_unlock_params){
		.device = image,
		.old_digest = 0,
		.new_digest = 1,
		.keyslot = LUKS_ANY_KEYSLOT,
		.passphrases = {.ask = ask_script, .arg = s, .tries = 3},
	};
}

static void assert_same_key(const struct secret *a, const struct secret *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, a->size);
}

/* Plans and commits; results may be NULL. */
static void begin(const struct luks_begin_params *p, struct secret **ret_old,
		  struct secret **ret_new)
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

/* cryptsetup takes what we began, and ends it; then @pass opens the volume with @key. */
static void assert_cryptsetup_finishes(const char *letter, const struct secret *key)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	_cleanup_(secret_freep) struct secret *now = NULL;
	_cleanup_(put_json) json_object *root = NULL;

	RUN("cryptsetup reencrypt -q --resume-only --force-offline-reencrypt --key-file pass-%s "
	    "image",
	    letter);
	assert_int_equal(luks_context_open(image, NULL, &cd), 0);
	for (int i = 0; i < (int)LUKS_MAX_KEYSLOTS && !now; i++)
		(void)luks_keyslot_open(cd, i, &(struct secret){1, (uint8_t *)(uintptr_t)letter},
					&now);
	assert_non_null(now);
	assert_same_key(now, key);
	assert_int_equal(crypt_volume_key_verify(cd, (const char *)key->data, key->size), 0);
}

static void one_keyslot_gets_a_twin_and_cryptsetup_ends_it(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = "a"}, again = {.next = "a"};
	const struct luks_begin_params p = params_for(&s);
	const struct luks_unlock_params u = unlock_params(&again);

	(void)state;
	make_volume("");
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last_keyslot, 0);
	assert_int_equal(new_key->size, old_key->size);
	assert_memory_not_equal(new_key->data, old_key->data, new_key->size);

	root = load_json();
	assert_json(root, "/config/requirements/mandatory", "[\"online-reencrypt-v2\"]");
	assert_json(root, "/keyslots/1/kdf/iterations", "1000");
	assert_json(root, "/keyslots/2/mode", "\"reencrypt\"");
	assert_json(root, "/keyslots/2/direction", "\"forward\"");
	assert_json(root, "/keyslots/2/area/type", "\"checksum\"");

	/* One passphrase opens both keys in the middle. */
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(again.asked, 1);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);

	assert_cryptsetup_finishes("a", new_key);
}

static void keyslots_keep_priority_tokens_and_costs(void **state)
{
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = "abc"};
	const struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	add_keyslot("b");
	RUN("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1234 --key-file "
	    "pass-a "
	    "image pass-c");
	RUN("cryptsetup config --key-slot 1 --priority prefer image");
	RUN("cryptsetup config --key-slot 2 --priority ignore image");
	RUN("cryptsetup token add --token-id 5 --key-description none:such --key-slot 1 image");
	RUN("cryptsetup token add --token-id 31 --key-description none:other --key-slot 2 image");
	begin(&p, NULL, NULL);
	assert_int_equal(s.asked, 3);

	/* Twins of 0, 1, 2 are 3, 4, 5. */
	root = load_json();
	assert_json(root, "/digests/1/keyslots", "[\"3\",\"4\",\"5\"]");
	assert_json(root, "/keyslots/4/priority", "2");
	assert_json(root, "/keyslots/5/priority", "0");
	assert_json(root, "/keyslots/5/kdf/iterations", "1234");
	assert_json(root, "/tokens/5/keyslots", "[\"1\",\"4\"]");
	assert_json(root, "/tokens/31/keyslots", "[\"2\",\"5\"]");
	{
		json_object *o;

		assert_true(json_pointer_get(root, "/keyslots/3/priority", &o) < 0);
	}
}

static void keyslots_without_a_passphrase_are_announced_as_lost(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "a-c"};
	const struct luks_begin_params p = params_for(&s);
	const struct luks_begin_plan *plan;
	uint8_t before[32], after[32];

	(void)state;
	make_volume("");
	add_keyslot("b");
	add_keyslot("c");
	RUN("cryptsetup token add --token-id 7 --key-description none:such --key-slot 1 image");
	hash_image(before);
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	hash_image(after);
	assert_memory_equal(before, after, sizeof(before));

	plan = luks_begin_get_plan(b);
	assert_int_equal(plan->n_slots, 3);
	assert_int_equal(plan->n_lost, 1);
	assert_true(plan->slots[0].kept);
	assert_false(plan->slots[1].kept);
	assert_int_equal(plan->slots[1].keyslot, 1);
	assert_int_equal(plan->slots[1].tokens, 1 << 7);
	assert_true(plan->slots[2].kept);
}

static void a_passphrase_opens_other_keyslots_too(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "xba"}; /* x is wrong, b opens 1, a opens 0 */
	const struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	add_keyslot("b");
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(s.asked, 3);
	assert_int_equal(s.again, 1);
	assert_int_equal(luks_begin_get_plan(b)->n_lost, 0);
}

static void key_slot_carries_that_one_alone(void **state)
{
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = "b"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	add_keyslot("b");
	p.keyslot = 1;
	begin(&p, NULL, NULL);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last_keyslot, 1);
	root = load_json();
	assert_json(root, "/digests/0/keyslots", "[\"0\",\"1\"]");
	assert_json(root, "/digests/1/keyslots", "[\"2\"]");
}

static void two_passphrases_unlock_when_no_one_opens_both(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	struct script s = {.next = "a"}, u1 = {.next = "ba"}, u2 = {.next = "bxxx"};
	struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&u1);

	(void)state;
	make_volume("");
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
	assert_int_equal(luks_unlock(&u, &o, &n), -EPERM);
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
	make_volume("");
	begin(&p, NULL, NULL);
	assert_int_equal(luks_unlock(&u, &o, &n), -EPERM);
	u.passphrases.arg = &wrong;
	assert_int_equal(luks_unlock(&u, &o, &n), -EPERM);
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
	make_volume("");
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
	assert_int_equal(luks_unlock(&u, &o, &n), -EPERM);
}

static void a_kept_key_keeps_all_keyslots(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = "b"}, again = {.next = "a"};
	struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&again);

	(void)state;
	make_volume("--sector-size 512");
	add_keyslot("b");
	p.keep_key = true;
	p.sector_size = 4096;
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 1);
	assert_same_key(old_key, new_key);
	root = load_json();
	assert_json(root, "/digests/0/keyslots", "[\"0\",\"1\"]");
	assert_json(root, "/segments/2/sector_size", "4096");

	u.new_digest = 0;
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(again.asked, 1);
	assert_same_key(o, n);
	assert_cryptsetup_finishes("a", new_key);
}

static void cipher_key_size_and_journal_reach_the_header(void **state)
{
	_cleanup_(secret_freep) struct secret *new_key = NULL;
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	p.cipher = "aes-cbc-essiv:sha256";
	p.resilience = "journal";
	p.device_size = 1 << 20;
	begin(&p, NULL, &new_key);
	assert_int_equal(new_key->size, 32); /* stock's default for a mode that is not XTS */
	root = load_json();
	assert_json(root, "/segments/2/encryption", "\"aes-cbc-essiv:sha256\"");
	assert_json(root, "/keyslots/2/area/type", "\"journal\"");
	assert_json(root, "/keyslots/1/key_size", "32");
}

static void a_given_new_volume_key_is_used(void **state)
{
	_cleanup_(secret_freep) struct secret *wanted = NULL, *new_key = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	assert_int_equal(secret_new(64, &wanted), 0);
	for (size_t i = 0; i < wanted->size; i++)
		wanted->data[i] = (uint8_t)(i * 7 + 1);
	p.new_volume_key = wanted;
	begin(&p, NULL, &new_key);
	assert_same_key(new_key, wanted);
	assert_cryptsetup_finishes("a", wanted);
}

static void the_volume_key_alone_begins_with_a_new_passphrase(void **state)
{
	_cleanup_(secret_freep) struct secret *key = NULL, *old_key = NULL, *new_key = NULL;
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	struct script s = {.next = "c"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	RUN("printf c >pass-c");
	assert_int_equal(luks_context_open(image, NULL, &cd), 0);
	assert_int_equal(luks_keyslot_open(cd, 0, &(struct secret){1, (uint8_t[]){'a'}}, &key), 0);
	cd = luks_context_close(cd);
	p.volume_key = key;
	p.pbkdf = (struct luks_pbkdf){.type = "pbkdf2", .iterations = 1000};
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last_keyslot, LUKS_NEW_PASSPHRASE);
	assert_same_key(old_key, key);
	/* "c" opens both sides, so cryptsetup can go on. */
	assert_cryptsetup_finishes("c", new_key);
}

static void a_volume_without_keyslots_needs_its_key(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *key = NULL, *new_key = NULL;
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	assert_int_equal(luks_context_open(image, NULL, &cd), 0);
	assert_int_equal(luks_keyslot_open(cd, 0, &(struct secret){1, (uint8_t[]){'a'}}, &key), 0);
	cd = luks_context_close(cd);
	RUN("cryptsetup luksErase -q image");
	assert_int_equal(luks_begin_plan(&p, &b), -ENOENT);

	p.volume_key = key;
	p.pbkdf = (struct luks_pbkdf){.type = "pbkdf2", .iterations = 1000};
	begin(&p, NULL, &new_key);
	assert_cryptsetup_finishes("a", new_key);
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
	_cleanup_(put_json) json_object *root = NULL;
	struct script s = {.next = ""}, none = {.next = ""};
	const struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&none);

	(void)state;
	assert_int_equal(crypt_token_register(&handler), 0);
	make_volume("");
	RUN("echo '{\"type\":\"recryptd-test\",\"keyslots\":[\"0\"]}' | cryptsetup token import "
	    "--token-id 2 image");
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 0);
	root = load_json();
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
	long key = syscall(SYS_add_key, "user", dir, "a", 1L, KEY_SPEC_PROCESS_KEYRING);

	(void)state;
	assert_true(key > 0);
	make_volume("");
	RUN("cryptsetup token add --key-description %s --key-slot 0 image", dir);
	begin(&p, &old_key, &new_key);
	u.tokens = true;
	assert_int_equal(luks_unlock(&u, &o, &n), 0);
	assert_int_equal(s.asked + none.asked, 0);
	assert_same_key(o, old_key);
	assert_same_key(n, new_key);
}

static void refusals_leave_every_byte_as_it_was(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *wrong = NULL;
	struct script s = {0};
	const struct luks_begin_params good = params_for(&s);
	uint8_t before[32], after[32], key[64] = {1};
	const struct secret short_key = {32, key};

	(void)state;
	make_volume("--sector-size 512");
	assert_int_equal(secret_copy(key, sizeof(key), &wrong), 0);
	hash_image(before);

#define REFUSE(error, letters, ...)                                                                \
	do {                                                                                       \
		struct luks_begin_params p = good;                                                 \
                                                                                                   \
		s = (struct script){.next = letters};                                              \
		__VA_ARGS__;                                                                       \
		assert_int_equal(luks_begin_plan(&p, &b), error);                                  \
		hash_image(after);                                                                 \
		assert_memory_equal(before, after, sizeof(before));                                \
	} while (0)

	REFUSE(-EPERM, "xyz");
	REFUSE(-EPERM, "");
	REFUSE(-ENOENT, "a", p.keyslot = 5);
	REFUSE(-EINVAL, "a", p.keep_key = true);
	REFUSE(-EINVAL, "a", p.keep_key = true; p.sector_size = 512);
	REFUSE(-EINVAL, "a", p.cipher = "aes");
	REFUSE(-EINVAL, "a", p.cipher = "aes-");
	REFUSE(-EINVAL, "a", p.cipher = "aes-xts-plain64"; p.key_size = 40);
	REFUSE(-EINVAL, "a", p.cipher = "aes-cbc-essiv:sha256"; p.keep_key = true);
	REFUSE(-EOPNOTSUPP, "a", p.resilience_hash = "no-such-hash");
	REFUSE(-EINVAL, "a", p.sector_size = 4096; p.force_offline = false);
	REFUSE(-EINVAL, "a", p.device_size = UINT64_C(1) << 40);
	REFUSE(-EINVAL, "a", p.device_size = 1 << 20 | 512; p.sector_size = 4096);
	REFUSE(-EPERM, "a", p.volume_key = wrong);
	REFUSE(-EINVAL, "a", p.new_volume_key = &short_key; p.key_size = 64);
	REFUSE(-ENODEV, "a", p.device = "/tmp/no-such-image");
	REFUSE(-ENODEV, "a", p.header = "/tmp/no-such-header");
#undef REFUSE
}

static void keyslots_are_never_left_behind_for_want_of_passphrases(void **state)
{
	static const char *const letters[] = {"a", "b", "axxx"};

	(void)state;
	make_volume("");
	add_keyslot("b");
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
		_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
		struct script s = {.next = letters[i]};
		const struct luks_begin_params p = params_for(&s);

		assert_int_equal(luks_begin_plan(&p, &b), -EINVAL);
		assert_null(b);
	}
}

/* Runs @prepare on a fresh volume; planning must then fail with @error. */
static void assert_volume_refused(const char *options, int error, const char *prepare)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "abc"};
	const struct luks_begin_params p = params_for(&s);
	uint8_t before[32], after[32];

	make_volume(options);
	RUN("%s", prepare);
	hash_image(before);
	assert_int_equal(luks_begin_plan(&p, &b), error);
	hash_image(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void volumes_that_cannot_be_done_are_refused(void **state)
{
	(void)state;
	assert_volume_refused("", -EINVAL, "truncate -s 0 image; truncate -s 24M image");
	assert_volume_refused("", -ENOTSUP,
			      "cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 "
			      "image pass-a");
	assert_volume_refused("", -EBUSY,
			      "cryptsetup reencrypt -q --init-only --force-offline-reencrypt "
			      "--key-file pass-a image");
	assert_volume_refused("", -EINVAL, "truncate -s 16M image");
	assert_volume_refused("--sector-size 4096", -EINVAL, "truncate -s 18000384 image");
	/* Room for the old keyslot and one twin of 256 KiB, and nothing for resilience data. */
	assert_volume_refused("--luks2-keyslots-size 516096", -ENOSPC, "true");
	assert_volume_refused("--luks2-keyslots-size 258048", -ENOSPC, "true");
}

static void a_failed_commit_leaves_the_keyslots_as_they_were(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *o = NULL, *n = NULL;
	_cleanup_(put_json) json_object *before = NULL, *after = NULL;
	struct script s = {.next = "ab"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	make_volume("");
	add_keyslot("b");
	RUN("cryptsetup token add --token-id 5 --key-description none:such --key-slot 1 image");
	before = load_json();
	p.resilience = "no-such-mode";
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_true(luks_begin_commit(b, &o, &n) < 0);
	assert_null(o);
	assert_null(n);
	after = load_json();
	assert_true(json_object_equal(before, after));
	RUN("cryptsetup open --test-passphrase --key-file pass-b image");
}

static void the_first_gaps_are_taken_as_cryptsetup_does(void **state)
{
	/* Areas at [4, 8) and [12, 16) MiB of [2, 20): gaps of 2, 4 and 4. */
	struct luks_keyslots ks = {
		.n = 2,
		.slots = {{.id = 1, .area_offset = 12 << 20, .area_size = 4 << 20},
			  {.id = 0, .area_offset = 4 << 20, .area_size = 4 << 20}},
		.areas_start = 2 << 20,
		.areas_end = 20 << 20,
	};

	(void)state;
	assert_int_equal(luks_keyslots_largest_gap(&ks), 4 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 3 << 20), 0);
	assert_int_equal(ks.slots[2].id, 2);
	assert_int_equal(ks.slots[2].area_offset, 8 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 4 << 20), 0);
	assert_int_equal(ks.slots[3].area_offset, 16 << 20);
	assert_int_equal(luks_keyslots_largest_gap(&ks), 2 << 20);
	assert_int_equal(luks_keyslots_place(&ks, 3 << 20), -ENOSPC);
	assert_int_equal(luks_keyslots_place(&ks, 2 << 20), 0);
	assert_int_equal(luks_keyslots_largest_gap(&ks), 1 << 20);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(image, sizeof(image), "%s/image", dir);
	return 0;
}

static int remove_directory(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_gaps_are_taken_as_cryptsetup_does),
		cmocka_unit_test(one_keyslot_gets_a_twin_and_cryptsetup_ends_it),
		cmocka_unit_test(keyslots_keep_priority_tokens_and_costs),
		cmocka_unit_test(keyslots_without_a_passphrase_are_announced_as_lost),
		cmocka_unit_test(a_passphrase_opens_other_keyslots_too),
		cmocka_unit_test(key_slot_carries_that_one_alone),
		cmocka_unit_test(two_passphrases_unlock_when_no_one_opens_both),
		cmocka_unit_test(unlocking_ends_with_the_passphrases_and_the_tries),
		cmocka_unit_test(volume_keys_unlock_without_a_passphrase),
		cmocka_unit_test(a_kept_key_keeps_all_keyslots),
		cmocka_unit_test(cipher_key_size_and_journal_reach_the_header),
		cmocka_unit_test(a_given_new_volume_key_is_used),
		cmocka_unit_test(the_volume_key_alone_begins_with_a_new_passphrase),
		cmocka_unit_test(a_volume_without_keyslots_needs_its_key),
		cmocka_unit_test(a_token_plugin_alone_begins_and_unlocks),
		cmocka_unit_test(a_keyring_token_begins_and_unlocks),
		cmocka_unit_test(refusals_leave_every_byte_as_it_was),
		cmocka_unit_test(keyslots_are_never_left_behind_for_want_of_passphrases),
		cmocka_unit_test(volumes_that_cannot_be_done_are_refused),
		cmocka_unit_test(a_failed_commit_leaves_the_keyslots_as_they_were),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "needs root for cryptsetup's lock directory: skipped\n");
		return 77;
	}
	log_init("test-begin", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
