/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing becomes weaker than it is by default, or by options that no person chose. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/begin-strength.h"
#include "luks/fields.h"
#include "luks/header.h"
#include "luks/meta-io.h"
#include "luks/test-begin-util.h"
#include "util/checked.h"
#include "util/log.h"

static void ciphers_are_compared(void **state)
{
	static const struct {
		const char *old_cipher;
		uint32_t old_size;
		const char *new_cipher;
		uint32_t new_size;
		bool weaker;
	} cases[] = {
		{"aes-xts-plain64", 64, "aes-xts-plain64", 64, false},
		{"aes-xts-plain64", 64, "aes-xts-plain64", 32, true},
		{"aes-xts-plain64", 32, "aes-xts-plain64", 64, false},
		{"aes-xts-plain64", 64, "serpent-xts-plain64", 64, false},
		{"aes-xts-plain64", 64, "xchacha20,aes-adiantum-plain64", 32, false},
		{"aes-xts-plain64", 64, "aes-ecb", 32, true},
		{"aes-xts-plain64", 64, "aes-cbc-essiv:sha256", 32, true},
		{"aes-xts-plain64", 64, "cipher_null-ecb", 64, true},
		{"aes-xts-plain64", 64, "aes-xts-null", 64, true},
		{"aes-xts-plain64", 64, "blowfish-xts-plain64", 64, true},
		{"aes-cbc-essiv:sha256", 32, "aes-xts-plain64", 64, false},
		{"aes-cbc-essiv:sha256", 32, "aes-xts-plain64", 32, true},
		{"aes-cbc-essiv:sha256", 32, "aes-cbc-plain", 32, true},
		{"aes-cbc-plain", 32, "aes-cbc-plain64", 32, false},
		{"des3_ede-cbc-plain64", 24, "aes-xts-plain64", 64, false},
		{"cipher_null-ecb", 32, "aes-ecb", 16, false},
		{"capi:xts(aes)-plain64", 64, "aes-xts-plain64", 64, false},
		{"capi:adiantum(xchacha12,aes)-plain64", 32, "aes-xts-plain64", 64, false},
		{"capi:xts(aes)-plain64", 64, "aes", 32, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (luks_cipher_is_weaker(cases[i].old_cipher, cases[i].old_size,
					  cases[i].new_cipher,
					  cases[i].new_size) != cases[i].weaker)
			fail_msg("%s to %s", cases[i].old_cipher, cases[i].new_cipher);
}

/* One keyslot, opened by "a". */
static void format(const char *pbkdf)
{
	image_format("");
	must_run("cryptsetup luksChangeKey -q --key-slot 0 %s --key-file pass-a image pass-b",
		 pbkdf);
	must_run("cryptsetup luksChangeKey -q --key-slot 0 %s --key-file pass-b image pass-a",
		 pbkdf);
}

static int plan_only(struct luks_begin_params p)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "a"};

	p.passphrases.arg = &s;
	return luks_begin_plan(&p, &b);
}

static void what_weakens_is_refused_unless_a_person_chose_it(void **state)
{
	static const struct luks_pbkdf pbkdfs[] = {
		{.type = "pbkdf2", .hash = "sha256", .iterations = 1000000},
		{.type = "argon2i", .iterations = 4, .memory_kib = 4096},
		{.iterations = 4, .memory_kib = 512},
		{.memory_kib = 2048},
		{.memory_kib = 2048, .time_ms = 100},
	};
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);
	uint8_t before[32], after[32];

	(void)state;
	format("--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 4096 "
	       "--pbkdf-parallel 1");
	image_hash(before);
	for (size_t i = 0; i < ARRAY_SIZE(pbkdfs); i++) {
		p = params_for(&s);
		p.pbkdf = pbkdfs[i];
		assert_int_equal(plan_only(p), 0);
		p.may_weaken = false;
		assert_int_equal(plan_only(p), -EINVAL);
	}
	p = params_for(&s);
	p.cipher = "aes-cbc-plain";
	assert_int_equal(plan_only(p), 0);
	p.may_weaken = false;
	assert_int_equal(plan_only(p), -EINVAL);
	p.cipher = NULL;
	p.key_size = 32;
	assert_int_equal(plan_only(p), -EINVAL);
	p.key_size = 0;
	p.pbkdf = (struct luks_pbkdf){.iterations = 5};
	assert_int_equal(plan_only(p), 0);
	p.pbkdf = (struct luks_pbkdf){};
	assert_int_equal(plan_only(p), 0);
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void what_is_left_open_is_as_it_was(void **state)
{
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	format("--pbkdf argon2id --pbkdf-force-iterations 5 --pbkdf-memory 4096 "
	       "--pbkdf-parallel 1");
	p.pbkdf.memory_kib = 5000;
	p.may_weaken = false;
	begin(&p, NULL, NULL);
	root = image_json();
	assert_json(root, "/keyslots/1/kdf/type", "\"argon2id\"");
	assert_json(root, "/keyslots/1/kdf/time", "5");
	assert_json(root, "/keyslots/1/kdf/memory", "5000");
}

/* A benchmark may find fewer iterations than there were: what it made goes again. */
static void a_benchmark_does_not_weaken(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(json_putp) json_object *before = NULL, *after = NULL;
	struct secret *o = NULL, *n = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	format("--pbkdf pbkdf2 --hash sha256 --pbkdf-force-iterations 100000");
	before = image_json();
	p.pbkdf.time_ms = 1;
	p.may_weaken = false;
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(luks_begin_commit(b, &o, &n), -EINVAL);
	after = image_json();
	assert_true(json_object_equal(before, after));
}

/* As if it had been made so, which would take that much. */
static void set_memory(unsigned keyslot, uint32_t kib)
{
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	_cleanup_(meta_io_freep) struct meta_io *io = NULL;
	int fd = open(image, O_RDWR | O_CLOEXEC);
	json_object *slots;

	assert_true(fd >= 0);
	assert_int_equal(meta_io_file_new(fd, image, &io), 0);
	assert_int_equal(luks_header_read(io, &h, NULL), 0);
	slots = field_get(h->json, "keyslots", json_type_object);
	assert_int_equal(field_set(field_get(field_by_id(slots, keyslot), "kdf", json_type_object),
				   "memory", json_object_new_int64(kib)),
			 0);
	assert_int_equal(luks_header_commit(h, io, NULL), 0);
	assert_int_equal(luks_header_flush(h, io), 0);
}

/* The volume key is given, and so is a new passphrase: the other keyslots are not opened. */
static void a_new_passphrase_costs_no_less_than_the_others(void **state)
{
	const struct crypt_pbkdf_type *today = crypt_get_pbkdf_default(CRYPT_LUKS2);
	const uint32_t more = today->max_memory_kb + 64;
	struct crypt_pbkdf_type pbkdf;
	struct luks_begin b = {.plan.n_slots = 1};

	(void)state;
	image_format("");
	assert_int_equal(crypt_init(&b.cd, image), 0);
	assert_int_equal(crypt_load(b.cd, CRYPT_LUKS2, NULL), 0);
	assert_int_equal(luks_begin_pbkdf(&b, -1, &pbkdf), 0);
	assert_string_equal(pbkdf.type, today->type);
	assert_int_equal(pbkdf.iterations, 0);
	crypt_free(b.cd);

	must_run("cryptsetup luksAddKey -q --pbkdf argon2id --pbkdf-force-iterations 4 "
		 "--pbkdf-memory 1024 --pbkdf-parallel 1 --key-file pass-a image pass-b");
	set_memory(1, more);
	b.plan.slots[0].keyslot = 1;
	assert_int_equal(crypt_init(&b.cd, image), 0);
	assert_int_equal(crypt_load(b.cd, CRYPT_LUKS2, NULL), 0);
	assert_int_equal(luks_begin_pbkdf(&b, -1, &pbkdf), 0);
	assert_int_equal(pbkdf.max_memory_kb, more);
	assert_int_equal(pbkdf.iterations, 4);
	crypt_free(b.cd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ciphers_are_compared),
		cmocka_unit_test(what_weakens_is_refused_unless_a_person_chose_it),
		cmocka_unit_test(what_is_left_open_is_as_it_was),
		cmocka_unit_test(a_benchmark_does_not_weaken),
		cmocka_unit_test(a_new_passphrase_costs_no_less_than_the_others),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-begin-strength", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
