/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The model against headers that cryptsetup 2.6.1 wrote: every recorded state is understood, and
 * our edits lead from one to the next byte by byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/freed.h"
#include "luks/reencrypt.h"
#include "luks/status.h"
#include "luks/test-support.h"
#include "luks/validate.h"
#include "util/checked.h"

#define MIB UINT64_C(1048576)

static struct luks_header *load(const char *state, uint64_t device_size, uint64_t fixed_size,
				struct luks_reenc *r)
{
	struct luks_header *h = header_with(state_json(state), TEST_HEADER_SIZE);
	struct luks_reason why = {""};

	if (luks_validate(h->json, h->size, &why) < 0 ||
	    luks_reenc_load(h, device_size, fixed_size, 4096, r, &why) < 0)
		fail_msg("%s: %s", state, why.text);
	return h;
}

static void states_are_recognised(void **state)
{
	/* Device sizes as in the recorded runs: 16 MiB header and 24 MiB data, or detached. */
	static const struct {
		const char *name;
		uint64_t device, fixed;
		enum luks_reenc_state state;
		enum luks_reenc_mode mode;
		enum luks_direction direction;
		uint64_t boundary, hot_size; /* MiB */
	} cases[] = {
		{"1_reencrypt_fwd_init-only", 40, 0, LUKS_REENC_CLEAN, LUKS_REENCRYPT, LUKS_FORWARD,
		 0, 0},
		{"1_reencrypt_fwd_clean_after_first_hotzone", 40, 0, LUKS_REENC_CLEAN,
		 LUKS_REENCRYPT, LUKS_FORWARD, 4, 0},
		{"1_reencrypt_fwd_hot_second_hotzone", 40, 0, LUKS_REENC_HOT, LUKS_REENCRYPT,
		 LUKS_FORWARD, 4, 4},
		{"1_reencrypt_fwd_finished", 40, 0, LUKS_REENC_NONE, LUKS_REENCRYPT, LUKS_FORWARD,
		 0, 0},
		{"1f_reencrypt_fwd_device-size_init", 40, 16, LUKS_REENC_CLEAN, LUKS_REENCRYPT,
		 LUKS_FORWARD, 0, 0},
		{"1f_device-size_hot", 40, 16, LUKS_REENC_HOT, LUKS_REENCRYPT, LUKS_FORWARD, 4, 4},
		{"1f_device-size_hot", 40, 0, LUKS_REENC_HOT, LUKS_REENCRYPT, LUKS_FORWARD, 4, 4},
		{"3_encrypt_detached_init", 24, 0, LUKS_REENC_CLEAN, LUKS_ENCRYPT, LUKS_FORWARD, 0,
		 0},
		{"3_encrypt_detached_kill-w14", 24, 0, LUKS_REENC_HOT, LUKS_ENCRYPT, LUKS_FORWARD,
		 0, 8},
		{"3_encrypt_detached_kill-w22", 24, 0, LUKS_REENC_CLEAN, LUKS_ENCRYPT, LUKS_FORWARD,
		 8, 0},
		{"3_encrypt_detached_kill-w28", 24, 0, LUKS_REENC_HOT, LUKS_ENCRYPT, LUKS_FORWARD,
		 8, 8},
		{"3_encrypt_detached_kill-w42", 24, 0, LUKS_REENC_HOT, LUKS_ENCRYPT, LUKS_FORWARD,
		 16, 8},
		{"enc_detached_all_done", 24, 0, LUKS_REENC_FINISH, LUKS_ENCRYPT, LUKS_FORWARD, 24,
		 0},
		{"4_decrypt_detached_before", 24, 0, LUKS_REENC_NONE, LUKS_REENCRYPT, LUKS_FORWARD,
		 0, 0},
		{"4_decrypt_detached_init", 24, 0, LUKS_REENC_CLEAN, LUKS_DECRYPT, LUKS_BACKWARD,
		 24, 0},
		{"4_decrypt_detached_kill-w14", 24, 0, LUKS_REENC_HOT, LUKS_DECRYPT, LUKS_BACKWARD,
		 24, 8},
		{"4_decrypt_detached_kill-w28", 24, 0, LUKS_REENC_HOT, LUKS_DECRYPT, LUKS_BACKWARD,
		 16, 8},
		{"4_decrypt_detached_kill-w42", 24, 0, LUKS_REENC_HOT, LUKS_DECRYPT, LUKS_BACKWARD,
		 8, 8},
		{"5_decrypt_datashift_finished", 24, 0, LUKS_REENC_NONE, LUKS_REENCRYPT,
		 LUKS_FORWARD, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct luks_reenc r;
		struct luks_header *h;

		print_message("%s\n", cases[i].name);
		h = load(cases[i].name, cases[i].device * MIB, cases[i].fixed * MIB, &r);
		assert_int_equal(r.state, cases[i].state);
		if (r.state != LUKS_REENC_NONE) {
			assert_int_equal(r.mode, cases[i].mode);
			assert_int_equal(r.direction, cases[i].direction);
			assert_true(r.boundary == cases[i].boundary * MIB);
			assert_true(r.hot_size == cases[i].hot_size * MIB);
		}
		luks_header_free(h);
	}
}

static void fields_are_read(void **state)
{
	struct luks_reenc r;
	struct luks_header *h = load("1f_device-size_hot", 40 * MIB, 16 * MIB, &r);

	(void)state;
	assert_true(r.fixed_size);
	assert_true(r.data_offset == 16 * MIB);
	assert_true(r.data_size == 16 * MIB);
	assert_int_equal(r.version, 2);
	assert_int_equal(r.keyslot, 2);
	assert_int_equal(r.digest, 3);
	assert_false(r.keep_key);
	assert_int_equal(r.resilience, LUKS_RESILIENCE_CHECKSUM);
	assert_string_equal(r.hash, "sha256");
	assert_int_equal(r.block_size, 4096);
	assert_int_equal(r.area_offset, 421888);
	assert_int_equal(r.area_size, 16355328);
	/* 32 bytes of sha256 for each 4096. */
	assert_true(r.capacity == 16355328 / 32 * UINT64_C(4096));
	assert_int_equal(r.old_side.digest, 0);
	assert_int_equal(r.new_side.digest, 1);
	assert_string_equal(r.new_side.cipher, "aes-xts-plain64");
	assert_int_equal(r.new_side.sector_size, 4096);
	luks_header_free(h);
}

static void data_shift_is_reported_and_refused(void **state)
{
	static const struct {
		const char *name;
		enum luks_reenc_state state;
		enum luks_resilience resilience;
	} cases[] = {
		{"2_encrypt_clean_mid", LUKS_REENC_CLEAN, LUKS_RESILIENCE_DATASHIFT},
		{"2_encrypt_hot_moved_seg", LUKS_REENC_HOT, LUKS_RESILIENCE_DATASHIFT},
		{"2_encrypt_all_done_before_finalize", LUKS_REENC_FINISH,
		 LUKS_RESILIENCE_DATASHIFT},
		{"5_decrypt_datashift_init", LUKS_REENC_CLEAN, LUKS_RESILIENCE_DATASHIFT_CHECKSUM},
		{"5_decrypt_datashift_kill-w13", LUKS_REENC_HOT,
		 LUKS_RESILIENCE_DATASHIFT_CHECKSUM},
		{"5_decrypt_datashift_kill-w34", LUKS_REENC_FINISH,
		 LUKS_RESILIENCE_DATASHIFT_CHECKSUM},
		{"6_kill-w7", LUKS_REENC_HOT, LUKS_RESILIENCE_DATASHIFT},
		{"6_kill-w14", LUKS_REENC_CLEAN, LUKS_RESILIENCE_DATASHIFT},
		{"6_kill-w21", LUKS_REENC_HOT, LUKS_RESILIENCE_DATASHIFT},
		{"6_reencrypt_reduce_init", LUKS_REENC_CLEAN, LUKS_RESILIENCE_DATASHIFT},
	};
	const struct luks_reenc_keys no_keys = {NULL, NULL};
	const struct luks_protection journal = {.resilience = LUKS_RESILIENCE_JOURNAL,
						.wanted_block = 512};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct luks_areas areas;
		struct luks_status status;
		struct luks_reenc r;
		struct luks_header *h = load(cases[i].name, 64 * MIB, 0, &r);

		print_message("%s\n", cases[i].name);
		assert_int_equal(r.state, cases[i].state);
		assert_int_equal(r.resilience, cases[i].resilience);
		assert_true(luks_reenc_set_position(h, &r, 0, 4096) < 0);
		assert_int_equal(luks_reenc_finish(h, &r, &areas), -EOPNOTSUPP);
		assert_true(luks_reenc_reverse(h, &r, &no_keys, 0) < 0);
		assert_int_equal(luks_reenc_set_protection(h, &r, &no_keys, &journal),
				 r.state == LUKS_REENC_HOT ? -EBUSY : -EOPNOTSUPP);
		assert_int_equal(luks_status_get(h, 64 * MIB, 0, 4096, &status, NULL), 0);
		assert_true(status.only_cryptsetup);
		luks_header_free(h);
	}
}

/* Moves @from to the position of @to; what differs between them is what the edit touches. */
static void expect_step(const char *from, const char *to, uint64_t device_size, uint64_t fixed_size,
			uint64_t boundary, uint64_t hot_size)
{
	static const char *const sections[] = {"keyslots", "tokens", "segments", "config"};
	struct luks_reenc r;
	struct luks_header *h = load(from, device_size, fixed_size, &r);
	json_object *want = state_json(to), *digests;

	print_message("%s -> %s\n", from, to);
	assert_int_equal(luks_reenc_set_position(h, &r, boundary, hot_size), 0);
	assert_int_equal(luks_validate(h->json, h->size, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		char *have_text = member_text(h->json, sections[i]);
		char *want_text = member_text(want, sections[i]);

		assert_string_equal(have_text, want_text);
		free(have_text);
		free(want_text);
	}

	/* cryptsetup makes the verification digest anew at each resume; the others must be equal.
	 */
	digests = field_get(want, "digests", json_type_object);
	json_object_object_foreach (digests, key, digest) {
		json_object *have = field_get(field_get(h->json, "digests", json_type_object), key,
					      json_type_object);

		if (json_object_array_length(field_get(digest, "segments", json_type_array)) > 0) {
			assert_non_null(have);
			assert_string_equal(
				json_object_to_json_string_ext(have, JSON_C_TO_STRING_PLAIN),
				json_object_to_json_string_ext(digest, JSON_C_TO_STRING_PLAIN));
		}
	}
	json_object_put(want);
	luks_header_free(h);
}

static void steps_are_those_of_cryptsetup(void **state)
{
	(void)state;
	expect_step("1_reencrypt_fwd_init-only", "1_reencrypt_fwd_clean_after_first_hotzone",
		    40 * MIB, 0, 4 * MIB, 0);
	expect_step("1_reencrypt_fwd_init-only", "1_reencrypt_fwd_hot_second_hotzone", 40 * MIB, 0,
		    4 * MIB, 4 * MIB);
	expect_step("1_reencrypt_fwd_clean_after_first_hotzone",
		    "1_reencrypt_fwd_hot_second_hotzone", 40 * MIB, 0, 4 * MIB, 4 * MIB);
	expect_step("1f_reencrypt_fwd_device-size_init", "1f_device-size_hot", 40 * MIB, 16 * MIB,
		    4 * MIB, 4 * MIB);
	expect_step("before", "hot", 40 * MIB, 0, 4 * MIB, 4 * MIB);
	expect_step("hot", "after", 40 * MIB, 0, 8 * MIB, 0);
	expect_step("3_encrypt_detached_init", "3_encrypt_detached_kill-w14", 24 * MIB, 0, 0,
		    8 * MIB);
	expect_step("3_encrypt_detached_kill-w14", "3_encrypt_detached_kill-w22", 24 * MIB, 0,
		    8 * MIB, 0);
	expect_step("3_encrypt_detached_kill-w22", "3_encrypt_detached_kill-w28", 24 * MIB, 0,
		    8 * MIB, 8 * MIB);
	expect_step("3_encrypt_detached_kill-w28", "3_encrypt_detached_kill-w42", 24 * MIB, 0,
		    16 * MIB, 8 * MIB);
	expect_step("4_decrypt_detached_init", "4_decrypt_detached_kill-w14", 24 * MIB, 0, 24 * MIB,
		    8 * MIB);
	expect_step("4_decrypt_detached_kill-w14", "4_decrypt_detached_kill-w28", 24 * MIB, 0,
		    16 * MIB, 8 * MIB);
	expect_step("4_decrypt_detached_kill-w28", "4_decrypt_detached_kill-w42", 24 * MIB, 0,
		    8 * MIB, 8 * MIB);
}

static void finish_is_that_of_cryptsetup(void **state)
{
	struct luks_areas freed;
	struct luks_reenc r;
	struct luks_header *h = load("1_reencrypt_fwd_hot_second_hotzone", 40 * MIB, 0, &r);
	json_object *want = state_json("1_reencrypt_fwd_finished");

	(void)state;
	/* Not while something is left. */
	assert_int_equal(luks_reenc_finish(h, &r, &freed), -EINVAL);
	assert_int_equal(luks_reenc_set_position(h, &r, 20 * MIB, 4 * MIB), 0);
	assert_int_equal(luks_reenc_finish(h, &r, &freed), 0);
	assert_int_equal(r.state, LUKS_REENC_NONE);
	assert_true(luks_freed_is_due(h));
	json_object_object_del(field_get(h->json, "tokens", json_type_object), "0");
	assert_string_equal(json_object_to_json_string_ext(h->json, JSON_C_TO_STRING_PLAIN),
			    json_object_to_json_string_ext(want, JSON_C_TO_STRING_PLAIN));

	/* The old key's keyslot, and the area of the reencrypt keyslot. */
	assert_int_equal(freed.count, 2);
	assert_int_equal(freed.area[0].offset, 32768);
	assert_int_equal(freed.area[0].size, 131072);
	assert_int_equal(freed.area[1].offset, 421888);
	assert_int_equal(freed.area[1].size, 16355328);
	json_object_put(want);
	luks_header_free(h);
}

/* The state that cryptsetup leaves between its last hotzone and its last commit. */
static struct luks_header *all_converted(struct luks_reenc *r, bool old_keyslot_gone)
{
	struct luks_header *h = load("1_reencrypt_fwd_init-only", 40 * MIB, 0, r);
	json_object *digests = field_get(h->json, "digests", json_type_object);
	json_object *old = field_get(field_by_id(digests, 0), "segments", json_type_array);
	json_object *new = field_get(field_by_id(digests, 1), "segments", json_type_array);

	ids_remove(old, 0);
	assert_int_equal(ids_add(new, 0), 0);
	if (old_keyslot_gone) {
		ids_remove(field_get(field_by_id(digests, 0), "keyslots", json_type_array), 0);
		field_delete_id(field_get(h->json, "keyslots", json_type_object), 0);
	}
	assert_int_equal(luks_validate(h->json, h->size, NULL), 0);
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 4096, r, NULL), 0);
	return h;
}

static void all_converted_is_finish_and_not_start(void **state)
{
	(void)state;
	for (int gone = 0; gone <= 1; gone++) {
		json_object *want = state_json("1_reencrypt_fwd_finished");
		struct luks_areas freed;
		struct luks_status status;
		struct luks_reenc r;
		struct luks_header *h = all_converted(&r, gone);

		assert_int_equal(r.state, LUKS_REENC_FINISH);
		assert_true(r.boundary == 24 * MIB);
		assert_int_equal(luks_status_get(h, 40 * MIB, 0, 4096, &status, NULL), 0);
		assert_true(status.only_us);
		assert_true(status.bytes_left == 0);
		assert_int_equal(luks_reenc_set_position(h, &r, 0, 4 * MIB), -EINVAL);
		assert_int_equal(luks_reenc_finish(h, &r, &freed), 0);
		assert_int_equal(freed.count, gone ? 1 : 2);
		json_object_object_del(field_get(h->json, "tokens", json_type_object), "0");
		assert_string_equal(json_object_to_json_string_ext(h->json, JSON_C_TO_STRING_PLAIN),
				    json_object_to_json_string_ext(want, JSON_C_TO_STRING_PLAIN));
		json_object_put(want);
		luks_header_free(h);
	}
}

static json_object *token(const char *type, const char *const *keyslots)
{
	json_object *t = json_object_new_object(), *ids = json_object_new_array();

	for (; *keyslots; keyslots++)
		assert_int_equal(json_object_array_add(ids, json_object_new_string(*keyslots)), 0);
	assert_int_equal(field_set(t, "type", json_object_new_string(type)), 0);
	assert_int_equal(field_set(t, "keyslots", ids), 0);
	return t;
}

/* Keyslot 0 has the old key, and 1 the new one. */
static void a_token_of_a_device_goes_with_its_last_keyslot(void **state)
{
	static const char *const lost[] = {"0", NULL}, *const kept[] = {"0", "1", NULL},
				 *const none[] = {NULL};
	struct luks_areas freed;
	struct luks_reenc r;
	struct luks_header *h = load("1_reencrypt_fwd_hot_second_hotzone", 40 * MIB, 0, &r);
	json_object *tokens = field_get(h->json, "tokens", json_type_object);

	(void)state;
	assert_int_equal(field_set_id(tokens, 4, token("systemd-tpm2", lost)), 0);
	assert_int_equal(field_set_id(tokens, 5, token("systemd-recovery", kept)), 0);
	assert_int_equal(field_set_id(tokens, 6, token("clevis", none)), 0); /* so before */
	assert_int_equal(field_set_id(tokens, 7, token("notes", lost)), 0);
	assert_int_equal(luks_reenc_set_position(h, &r, 20 * MIB, 4 * MIB), 0);
	assert_int_equal(luks_reenc_finish(h, &r, &freed), 0);
	tokens = field_get(h->json, "tokens", json_type_object);
	assert_null(field_by_id(tokens, 4));
	assert_non_null(field_by_id(tokens, 5));
	assert_non_null(field_by_id(tokens, 6));
	assert_non_null(field_by_id(tokens, 7));
	luks_header_free(h);
}

/* init-only with one digest for both sides, and a smaller sector size on the old one. */
static struct luks_header *keep_key(struct luks_reenc *r, bool all_done)
{
	struct luks_header *h =
		header_with(state_json("1_reencrypt_fwd_init-only"), TEST_HEADER_SIZE);
	json_object *digests = field_get(h->json, "digests", json_type_object);
	json_object *segments = field_get(h->json, "segments", json_type_object);
	json_object *list = field_get(field_by_id(digests, 0), "segments", json_type_array);
	json_object *slots = field_get(field_by_id(digests, 0), "keyslots", json_type_array);

	assert_int_equal(ids_add(slots, 1), 0);
	field_delete_id(digests, 1);
	assert_int_equal(ids_add(list, 2), 0);
	assert_int_equal(
		field_set(field_by_id(segments, 1), "sector_size", json_object_new_int(512)), 0);
	if (!all_done)
		assert_int_equal(field_set(field_by_id(segments, 0), "sector_size",
					   json_object_new_int(512)),
				 0);
	assert_int_equal(luks_validate(h->json, h->size, NULL), 0);
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 512, r, NULL), 0);
	return h;
}

static void kept_key_is_told_apart_by_sector_size(void **state)
{
	struct luks_areas freed;
	struct luks_reenc r, again;
	struct luks_header *h = keep_key(&r, false);

	(void)state;
	assert_int_equal(r.state, LUKS_REENC_CLEAN);
	assert_true(r.keep_key);
	assert_true(r.boundary == 0);
	assert_int_equal(luks_reenc_set_position(h, &r, 4 * MIB, 20 * MIB), 0);
	assert_int_equal(luks_validate(h->json, h->size, NULL), 0);
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 512, &again, NULL), 0);
	assert_int_equal(again.state, LUKS_REENC_HOT);
	assert_int_equal(luks_reenc_finish(h, &r, &freed), 0);
	assert_int_equal(luks_validate(h->json, h->size, NULL), 0);
	/* The key stays, and so do its keyslots. */
	assert_int_equal(freed.count, 1);
	assert_int_equal(freed.area[0].offset, 421888);
	luks_header_free(h);

	h = keep_key(&r, true);
	assert_int_equal(r.state, LUKS_REENC_FINISH);
	luks_header_free(h);
}

/* "1_reencrypt_fwd_init-only" whose data the header fixed to 8 MiB before cryptsetup began. */
static struct luks_header *fixed_in_the_backup(void)
{
	struct luks_header *h =
		header_with(state_json("1_reencrypt_fwd_init-only"), TEST_HEADER_SIZE);
	json_object *segments = field_get(h->json, "segments", json_type_object);

	assert_int_equal(field_set(field_by_id(segments, 1), "size", json_u64(8 * MIB)), 0);
	return h;
}

/* It had 24 MiB of data: 4 are converted, and 4 more are hot. */
static void a_device_that_has_grown_can_be_limited(void **state)
{
	struct luks_header *h;
	struct luks_reenc r;

	(void)state;
	h = load("1_reencrypt_fwd_hot_second_hotzone", 60 * MIB, 0, &r);
	assert_true(r.data_size == 44 * MIB && r.boundary == 4 * MIB && r.hot_size == 4 * MIB);
	assert_int_equal(luks_reenc_limit(&r, 44 * MIB), -EINVAL);
	assert_int_equal(luks_reenc_limit(&r, 8 * MIB), -EINVAL); /* it would be the end */
	assert_int_equal(luks_reenc_limit(&r, 6 * MIB), -EINVAL);
	assert_int_equal(luks_reenc_limit(&r, 24 * MIB + 100), -EINVAL);
	assert_true(r.data_size == 44 * MIB);
	assert_int_equal(luks_reenc_limit(&r, 24 * MIB), 0);
	assert_true(r.data_size == 24 * MIB && !r.fixed_size);
	/* Recovered, it is what it would be on a device that had not grown. */
	assert_int_equal(luks_reenc_set_position(h, &r, 8 * MIB, 0), 0);
	assert_int_equal(luks_reenc_load(h, 60 * MIB, 0, 4096, &r, NULL), 0);
	assert_true(r.state == LUKS_REENC_CLEAN && r.data_size == 44 * MIB && !r.fixed_size);
	luks_header_free(h);

	h = load("1_reencrypt_fwd_finished", 60 * MIB, 0, &r);
	assert_int_equal(luks_reenc_limit(&r, 24 * MIB), -EINVAL);
	luks_header_free(h);
	h = fixed_in_the_backup();
	assert_int_equal(luks_reenc_load(h, 60 * MIB, 0, 4096, &r, NULL), 0);
	assert_int_equal(luks_reenc_limit(&r, 4 * MIB), -EINVAL);
	luks_header_free(h);
}

/* cryptsetup keeps the size in backup-previous only; it is that of the data and of the end. */
static void fixed_size_stays(void **state)
{
	struct luks_header *h = fixed_in_the_backup();
	struct luks_areas freed;
	struct luks_reenc r;
	json_object *segment;
	uint64_t size;

	(void)state;
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 4096, &r, NULL), 0);
	assert_true(r.fixed_size);
	assert_true(r.data_size == 8 * MIB);
	/* Another size than that cannot be asked for. */
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 4 * MIB, 4096, &r, NULL), -EINVAL);
	assert_int_equal(luks_reenc_load(h, 20 * MIB, 0, 4096, &r, NULL), -EFBIG);

	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 4096, &r, NULL), 0);
	assert_int_equal(luks_reenc_set_position(h, &r, 4 * MIB, 4 * MIB), 0);
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 0, 4096, &r, NULL), 0);
	assert_int_equal(luks_reenc_finish(h, &r, &freed), 0);
	segment = field_by_id(field_get(h->json, "segments", json_type_object), 0);
	assert_int_equal(field_u64(segment, "size", &size), 0);
	assert_true(size == 8 * MIB);
	luks_header_free(h);
}

static void forbidden_positions_are_refused(void **state)
{
	static const struct {
		uint64_t boundary, hot_size;
	} cases[] = {
		{24 * MIB, 0},             /* nothing left: cryptsetup would start anew */
		{0, 24 * MIB + 4096},      /* beyond the data */
		{25 * MIB, 0},             /* likewise */
		{512, 0},                  /* not aligned to the checksums' blocks */
		{4096, 512},               /* likewise */
		{4096, UINT64_MAX - 4095}, /* wraps */
	};
	struct luks_reenc r;
	struct luks_header *h = load("1_reencrypt_fwd_init-only", 40 * MIB, 0, &r);
	json_object *before = state_json("1_reencrypt_fwd_init-only");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			luks_reenc_set_position(h, &r, cases[i].boundary, cases[i].hot_size),
			-EINVAL);
	r.capacity = 4 * MIB;
	assert_int_equal(luks_reenc_set_position(h, &r, 0, 4 * MIB + 4096), -EINVAL);
	assert_true(json_object_equal(h->json, before));
	assert_int_equal(r.state, LUKS_REENC_CLEAN);
	assert_int_equal(luks_reenc_set_position(h, &r, 0, 4 * MIB), 0);
	json_object_put(before);
	luks_header_free(h);
}

static void device_that_shrank_is_refused(void **state)
{
	struct luks_reenc r;
	struct luks_reason why = {""};
	struct luks_header *h = header_with(state_json("1f_device-size_hot"), TEST_HEADER_SIZE);

	(void)state;
	assert_int_equal(luks_reenc_load(h, 30 * MIB, 0, 4096, &r, &why), -EFBIG);
	assert_int_equal(luks_reenc_load(h, 40 * MIB, 12 * MIB, 4096, &r, &why), -EINVAL);
	luks_header_free(h);
}

static void backward_hotzones_end_where_cryptsetup_can_recover(void **state)
{
	/* Of a 40 MiB volume turned around at 39 MiB with hotzones of 16 MiB: 16, 7, and a last
	 * of 16. */
	struct luks_reenc r = {
		.direction = LUKS_BACKWARD,
		.block_size = 4096,
		.capacity = 16 * MIB,
		.data_size = 40 * MIB,
	};
	static const uint64_t want[] = {16, 7, 16};
	uint64_t boundary = 39 * MIB;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const uint64_t n = luks_reenc_next_hotzone(&r, boundary, 64 * MIB);

		assert_true(n == want[i] * MIB);
		assert_true(luks_reenc_stock_safe(&r, boundary, n));
		boundary -= n;
	}
	assert_true(boundary == 0);
	assert_true(luks_reenc_next_hotzone(&r, 0, 64 * MIB) == 0);

	/* A last hotzone that is too short, and one that reaches over the half of what is left. */
	assert_false(luks_reenc_stock_safe(&r, 8 * MIB, 8 * MIB));
	assert_false(luks_reenc_stock_safe(&r, 20 * MIB, 16 * MIB));
	/* One hotzone for the whole volume needs no more than that. */
	r.data_size = 8 * MIB;
	assert_true(luks_reenc_stock_safe(&r, 8 * MIB, 8 * MIB));
	/* Hotzones that are wanted short stay short. */
	assert_true(luks_reenc_next_hotzone(&r, 8 * MIB, 3 * MIB) == 3 * MIB);

	r.direction = LUKS_FORWARD;
	assert_true(luks_reenc_next_hotzone(&r, 2 * MIB, 64 * MIB) == 6 * MIB);
	assert_true(luks_reenc_stock_safe(&r, 2 * MIB, 4096));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_are_recognised),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(data_shift_is_reported_and_refused),
		cmocka_unit_test(steps_are_those_of_cryptsetup),
		cmocka_unit_test(finish_is_that_of_cryptsetup),
		cmocka_unit_test(a_token_of_a_device_goes_with_its_last_keyslot),
		cmocka_unit_test(all_converted_is_finish_and_not_start),
		cmocka_unit_test(kept_key_is_told_apart_by_sector_size),
		cmocka_unit_test(fixed_size_stays),
		cmocka_unit_test(a_device_that_has_grown_can_be_limited),
		cmocka_unit_test(forbidden_positions_are_refused),
		cmocka_unit_test(device_that_shrank_is_refused),
		cmocka_unit_test(backward_hotzones_end_where_cryptsetup_can_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
