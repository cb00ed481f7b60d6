/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What cannot begin is refused, and leaves the volume as it was. */
#include <errno.h>
#include <json-c/json_pointer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/test-begin-util.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

static void refusals_leave_every_byte_as_it_was(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *wrong = NULL;
	struct script s = {0};
	const struct luks_begin_params good = params_for(&s);
	uint8_t before[32], after[32], key[64] = {1};
	const struct secret short_key = {32, key};

	(void)state;
	image_format("--sector-size 512");
	assert_int_equal(secret_copy(key, sizeof(key), &wrong), 0);
	image_hash(before);

#define REFUSE(error, letters, ...)                                                                \
	do {                                                                                       \
		struct luks_begin_params p = good;                                                 \
                                                                                                   \
		s = (struct script){.next = letters};                                              \
		__VA_ARGS__;                                                                       \
		assert_int_equal(luks_begin_plan(&p, &b), error);                                  \
		image_hash(after);                                                                 \
		assert_memory_equal(before, after, sizeof(before));                                \
	} while (0)

	REFUSE(-ERROR_KEY_REJECTED, "xyz");
	REFUSE(-ERROR_KEY_REJECTED, "");
	REFUSE(-ENOENT, "a", p.keyslot = 5);
	REFUSE(-EINVAL, "a", p.keep_key = true);
	REFUSE(-EINVAL, "a", p.keep_key = true; p.sector_size = 512);
	REFUSE(-EINVAL, "a", p.cipher = "aes"; p.key_size = 40);
	REFUSE(-ENOTSUP, "a", p.cipher = "capi:xts(ecb(aes))-plain64");
	REFUSE(-ENOTSUP, "", p.cipher = "aes-xts-random");
	REFUSE(-ENOTSUP, "", p.cipher = "aes-cbc-essiv:sha512");
	REFUSE(-EINVAL, "a", p.cipher = "serpent-lrw-benbi"; p.key_size = 64);
	REFUSE(-EINVAL, "a", p.cipher = "aes-");
	REFUSE(-EINVAL, "a", p.cipher = "aes-xts-plain64"; p.key_size = 40);
	REFUSE(-EINVAL, "a", p.cipher = "aes-cbc-essiv:sha256"; p.keep_key = true);
	REFUSE(-EOPNOTSUPP, "a", p.resilience_hash = "no-such-hash");
	REFUSE(-ERROR_UNKNOWN_HASH, "a", p.pbkdf.hash = "no-such-hash");
	REFUSE(-EINVAL, "a", p.sector_size = 4096; p.force_offline = false);
	REFUSE(-EINVAL, "a", p.device_size = UINT64_C(1) << 40);
	REFUSE(-EINVAL, "a", p.device_size = 1 << 20 | 512; p.sector_size = 4096);
	REFUSE(-ERROR_KEY_REJECTED, "a", p.given.old_key = wrong);
	REFUSE(-EINVAL, "a", p.given.new_key = &short_key; p.key_size = 64);
#undef REFUSE
}

static void keyslots_are_never_left_behind_for_want_of_passphrases(void **state)
{
	static const struct {
		const char *letters;
		int error; /* a wrong one has an exit code of its own */
	} cases[] = {{"a", -EINVAL},
		     {"b", -EINVAL},
		     {"ax", -ERROR_KEY_REJECTED},
		     {"axxx", -ERROR_KEY_REJECTED}};

	(void)state;
	image_format("");
	add_keyslot("b");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
		struct script s = {.next = cases[i].letters};
		const struct luks_begin_params p = params_for(&s);

		assert_int_equal(luks_begin_plan(&p, &b), cases[i].error);
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

	image_format(options);
	must_run("%s", prepare);
	image_hash(before);
	assert_int_equal(luks_begin_plan(&p, &b), error);
	image_hash(after);
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

/* As homectl leaves it; the record is not looked into. */
#define HOMED_TOKEN                                                                                \
	"printf '%%s' '{\"type\":\"systemd-homed\",\"keyslots\":[],\"userName\":\"joe\","          \
	"\"record\":\"ZmFrZQ==\",\"iv\":\"AAAA\"}' | cryptsetup token import image"

static void content_under_the_volume_key_is_not_locked_away(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "a"};
	struct luks_begin_params p = params_for(&s);
	char said[1024] = "";

	(void)state;
	image_format("--sector-size 512");
	must_run(HOMED_TOKEN);
	log_capture(said, sizeof(said));
	assert_int_equal(luks_begin_plan(&p, &b), -ENOTSUP);
	log_capture(NULL, 0);
	assert_non_null(strstr(said, "is the home of joe"));
	assert_int_equal(s.asked, 0);
	/* The same key with another cipher does not decrypt it either. */
	p.keep_key = true;
	p.cipher = "aes-xts-essiv:sha256";
	assert_int_equal(luks_begin_plan(&p, &b), -ENOTSUP);
	p.cipher = NULL;
	p.sector_size = 4096;
	assert_int_equal(luks_begin_plan(&p, &b), 0);
}

static void what_cannot_be_made_leaves_every_byte_as_it_was(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *o = NULL, *n = NULL;
	struct script s = {.next = "ab"};
	struct luks_begin_params p = params_for(&s);
	uint8_t before[32], after[32];

	(void)state;
	image_format("");
	add_keyslot("b");
	must_run(
		"cryptsetup token add --token-id 5 --key-description none:such --key-slot 1 image");
	image_hash(before);
	p.resilience = "no-such-mode";
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_true(luks_begin_commit(b, &o, &n) < 0);
	assert_null(o);
	assert_null(n);
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void what_is_made_is_in_memory_only(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	struct script s = {.next = "a"};
	const struct luks_begin_params p = params_for(&s);
	struct luks_header *header;
	struct meta_io *io;
	uint8_t before[32], after[32];

	(void)state;
	image_format("");
	image_hash(before);
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(luks_begin_make(b, &header, &io), 0);
	assert_json(header->json, "/config/requirements/mandatory", "[\"online-reencrypt-v2\"]");
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

/* Of all that @changes does, nothing may be lost, not even where the same numbers come out. */
static void assert_stale_after(const char *changes)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *o = NULL, *n = NULL;
	struct script s = {.next = "a"};
	const struct luks_begin_params p = params_for(&s);
	struct luks_header *header;
	struct meta_io *io;
	uint8_t before[32], after[32];

	image_format("");
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(luks_begin_make(b, &header, &io), 0);
	must_run("%s", changes);
	image_hash(before);
	assert_int_equal(luks_begin_commit(b, &o, &n), -ERROR_HEADER_CHANGED);
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void a_header_that_changed_meanwhile_is_not_written(void **state)
{
	(void)state;
	assert_stale_after("cryptsetup token add --key-description none:such image");
	assert_stale_after("cryptsetup luksAddKey -q " FAST_PBKDF "--key-file pass-a image pass-b");
	assert_stale_after("cryptsetup luksHeaderBackup image --header-backup-file backup; "
			   "cryptsetup luksFormat -q " FAST_PBKDF "image pass-b");
	assert_stale_after("cryptsetup reencrypt -q --init-only --force-offline-reencrypt "
			   "--key-file pass-a image");
}

/* As if libcryptsetup had taken a part of the area of a keyslot that is on the disk. */
static void an_area_in_use_is_not_written(void **state)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	_cleanup_(secret_freep) struct secret *o = NULL, *n = NULL;
	struct script s = {.next = "a"};
	const struct luks_begin_params p = params_for(&s);
	struct luks_header *header;
	struct meta_io *io;
	char said[1024] = "";
	uint8_t before[32], after[32];

	(void)state;
	image_format("");
	image_hash(before);
	assert_int_equal(luks_begin_plan(&p, &b), 0);
	assert_int_equal(luks_begin_make(b, &header, &io), 0);
	assert_int_equal(json_pointer_set(&header->json, "/keyslots/1/area/offset",
					  json_object_new_string("36864")),
			 0);
	log_capture(said, sizeof(said));
	assert_int_equal(luks_begin_commit(b, &o, &n), -EUCLEAN);
	log_capture(NULL, 0);
	assert_non_null(strstr(said, "cannot write the areas of new keyslots"));
	assert_non_null(strstr(said, "the LUKS2 header is unchanged"));
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_leave_every_byte_as_it_was),
		cmocka_unit_test(keyslots_are_never_left_behind_for_want_of_passphrases),
		cmocka_unit_test(volumes_that_cannot_be_done_are_refused),
		cmocka_unit_test(content_under_the_volume_key_is_not_locked_away),
		cmocka_unit_test(what_cannot_be_made_leaves_every_byte_as_it_was),
		cmocka_unit_test(what_is_made_is_in_memory_only),
		cmocka_unit_test(a_header_that_changed_meanwhile_is_not_written),
		cmocka_unit_test(an_area_in_use_is_not_written),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-begin-refuse", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
