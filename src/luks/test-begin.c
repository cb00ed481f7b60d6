/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Beginning: which keys and keyslots a volume has afterwards, what its header says, and that
 * cryptsetup can end it. What cannot begin is in test-begin-refuse.c.
 */
#include <errno.h>
#include <json-c/json_pointer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "luks/draft.h"
#include "luks/fields.h"
#include "luks/test-begin-util.h"
#include "util/checked.h"
#include "util/log.h"

static void one_keyslot_gets_a_twin_and_cryptsetup_ends_it(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "a"}, again = {.next = "a"};
	const struct luks_begin_params p = params_for(&s);
	const struct luks_unlock_params u = unlock_params(&again);

	(void)state;
	image_format("");
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last_keyslot, 0);
	assert_int_equal(new_key->size, old_key->size);
	assert_memory_not_equal(new_key->data, old_key->data, new_key->size);

	root = image_json();
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
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "abc"};
	const struct luks_begin_params p = params_for(&s);

	(void)state;
	image_format("");
	add_keyslot("b");
	must_run("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1234 --key-file "
		 "pass-a "
		 "image pass-c");
	must_run("cryptsetup config --key-slot 1 --priority prefer image");
	must_run("cryptsetup config --key-slot 2 --priority ignore image");
	must_run(
		"cryptsetup token add --token-id 5 --key-description none:such --key-slot 1 image");
	must_run("cryptsetup token add --token-id 31 --key-description none:other --key-slot 2 "
		 "image");
	begin(&p, NULL, NULL);
	assert_int_equal(s.asked, 3);

	/* Twins of 0, 1, 2 are 3, 4, 5. */
	root = image_json();
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
	image_format("");
	add_keyslot("b");
	add_keyslot("c");
	must_run(
		"cryptsetup token add --token-id 7 --key-description none:such --key-slot 1 image");
	image_hash(before);
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	image_hash(after);
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
	image_format("");
	add_keyslot("b");
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(s.asked, 3);
	assert_int_equal(s.again, 1);
	assert_int_equal(luks_begin_get_plan(b)->n_lost, 0);
}

static void key_slot_carries_that_one_alone(void **state)
{
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "b"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	image_format("");
	add_keyslot("b");
	p.keyslot = 1;
	begin(&p, NULL, NULL);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last_keyslot, 1);
	root = image_json();
	assert_json(root, "/digests/0/keyslots", "[\"0\",\"1\"]");
	assert_json(root, "/digests/1/keyslots", "[\"2\"]");
}

static void a_kept_key_keeps_all_keyslots(void **state)
{
	_cleanup_(secret_freep) struct secret *old_key = NULL, *new_key = NULL, *o = NULL,
					      *n = NULL;
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "b"}, again = {.next = "a"};
	struct luks_begin_params p = params_for(&s);
	struct luks_unlock_params u = unlock_params(&again);

	(void)state;
	image_format("--sector-size 512");
	add_keyslot("b");
	p.keep_key = true;
	p.sector_size = 4096;
	begin(&p, &old_key, &new_key);
	assert_int_equal(s.asked, 1);
	assert_same_key(old_key, new_key);
	root = image_json();
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
	_cleanup_(json_putp) json_object *root = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	image_format("");
	p.cipher = "aes-cbc-essiv:sha256";
	p.resilience = "journal";
	p.device_size = 1 << 20;
	begin(&p, NULL, &new_key);
	assert_int_equal(new_key->size, 32); /* stock's default for a mode that is not XTS */
	root = image_json();
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
	image_format("");
	assert_int_equal(secret_new(64, &wanted), 0);
	for (size_t i = 0; i < wanted->size; i++)
		wanted->data[i] = (uint8_t)(i * 7 + 1);
	p.given.new_key = wanted;
	begin(&p, NULL, &new_key);
	assert_same_key(new_key, wanted);
	assert_cryptsetup_finishes("a", wanted);
}

static void the_volume_key_alone_begins_with_a_new_passphrase(void **state)
{
	_cleanup_(secret_freep) struct secret *key = NULL, *old_key = NULL, *new_key = NULL;
	struct script s = {.next = "c"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	image_format("");
	get_volume_key(&key);
	p.given.old_key = key;
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
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);

	(void)state;
	image_format("");
	get_volume_key(&key);
	must_run("cryptsetup luksErase -q image");
	assert_int_equal(luks_begin_plan(&p, &b), -ENOENT);

	p.given.old_key = key;
	p.pbkdf = (struct luks_pbkdf){.type = "pbkdf2", .iterations = 1000};
	begin(&p, NULL, &new_key);
	assert_cryptsetup_finishes("a", new_key);
}

/* As if libcryptsetup had done it. */
static void drop_keyslot(json_object *json)
{
	json_object *digest = json_object_object_get(json_object_object_get(json, "digests"), "0");

	json_object_object_del(json_object_object_get(json, "keyslots"), "1");
	assert_int_equal(
		json_object_array_del_idx(json_object_object_get(digest, "keyslots"), 1, 1), 0);
}

static void change_keyslot(json_object *json)
{
	json_object *keyslot =
		json_object_object_get(json_object_object_get(json, "keyslots"), "1");

	assert_int_equal(json_object_object_add(keyslot, "priority", json_object_new_int(0)), 0);
}

static void a_keyslot_of_the_disk_is_neither_dropped_nor_changed(void **state)
{
	static void (*const changes[])(json_object *) = {drop_keyslot, change_keyslot};

	(void)state;
	image_format("");
	add_keyslot("b");
	for (size_t i = 0; i < ARRAY_SIZE(changes) * 2; i++) {
		_cleanup_(luks_draft_freep) struct luks_draft *d = NULL;
		uint8_t before[32], after[32];
		struct luks_header *h;
		struct meta_io *io;

		image_hash(before);
		assert_int_equal(luks_draft_new(&image_place, &d), 0);
		if (i >= ARRAY_SIZE(changes)) /* not even the stage is written */
			assert_int_equal(luks_draft_stage(d), 0);
		assert_int_equal(luks_draft_read(d, &h, &io), 0);
		changes[i % ARRAY_SIZE(changes)](h->json);
		assert_int_equal(luks_draft_put(d), -EUCLEAN);
		image_hash(after);
		assert_memory_equal(after, before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_keyslot_gets_a_twin_and_cryptsetup_ends_it),
		cmocka_unit_test(keyslots_keep_priority_tokens_and_costs),
		cmocka_unit_test(keyslots_without_a_passphrase_are_announced_as_lost),
		cmocka_unit_test(a_passphrase_opens_other_keyslots_too),
		cmocka_unit_test(key_slot_carries_that_one_alone),
		cmocka_unit_test(a_kept_key_keeps_all_keyslots),
		cmocka_unit_test(cipher_key_size_and_journal_reach_the_header),
		cmocka_unit_test(a_given_new_volume_key_is_used),
		cmocka_unit_test(the_volume_key_alone_begins_with_a_new_passphrase),
		cmocka_unit_test(a_volume_without_keyslots_needs_its_key),
		cmocka_unit_test(a_keyslot_of_the_disk_is_neither_dropped_nor_changed),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-begin", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
