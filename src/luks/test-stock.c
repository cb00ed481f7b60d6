/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Against the installed cryptsetup, on image files: its digests verify here, what we commit it
 * reads, resumes and finishes, and the locks keep both apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/header.h"
#include "luks/lock.h"
#include "luks/meta-io.h"
#include "luks/reencrypt.h"
#include "luks/test-image.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/secret.h"

#define MIB       UINT64_C(1048576)
#define DISK_SIZE (24 * MIB)
#define REENCRYPT                                                                                  \
	"cryptsetup reencrypt -q --force-offline-reencrypt " FAST_PBKDF "--key-file pass-a "

/* A volume of 8 MiB of data with a re-encryption begun; @options of the begin. */
static void begin(const char *options)
{
	image_format("--sector-size 4096");
	must_run(REENCRYPT "--init-only %s image", options);
}

static void get_key(int digest_keyslot, struct secret **ret)
{
	struct crypt_device *cd;
	char key[512];
	size_t size = sizeof(key);

	assert_int_equal(crypt_init(&cd, image), 0);
	assert_int_equal(crypt_load(cd, CRYPT_LUKS2, NULL), 0);
	assert_true(crypt_volume_key_get(cd, digest_keyslot, key, &size, "a", 1) >= 0);
	assert_int_equal(secret_copy(key, size, ret), 0);
	crypt_free(cd);
}

struct volume {
	struct meta_io *io;
	struct luks_header *h;
	struct luks_reenc r;
	struct secret *old_key, *new_key;
	struct luks_reenc_keys keys;
};

static void volume_open(struct volume *v)
{
	const int fd = open(image, O_RDWR | O_CLOEXEC);
	struct luks_reason why = {""};

	assert_true(fd >= 0);
	get_key(0, &v->old_key);
	get_key(1, &v->new_key);
	v->keys = (struct luks_reenc_keys){v->old_key, v->new_key};
	assert_int_equal(meta_io_file_new(fd, image, &v->io), 0);
	if (luks_header_read(v->io, &v->h, &why) < 0 ||
	    luks_reenc_load(v->h, DISK_SIZE, 0, 4096, &v->r, &why) < 0)
		fail_msg("%s", why.text);
}

static void volume_close(struct volume *v)
{
	luks_header_free(v->h);
	meta_io_free(v->io);
	secret_free(v->old_key);
	secret_free(v->new_key);
}

static void commit(struct volume *v)
{
	struct luks_reason why = {""};

	if (luks_header_commit(v->h, v->io, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(luks_header_flush(v->h, v->io), 0);
}

static void digests_of_cryptsetup_verify(void **state)
{
	static const char *const options[] = {"", "--resilience journal",
					      "--resilience-hash sha512",
					      "--cipher aes-cbc-essiv:sha256 --key-size 256"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct volume v;

		begin(options[i]);
		volume_open(&v);
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.old_side.digest, v.old_key), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.new_side.digest, v.new_key), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.new_side.digest, v.old_key),
				 -ERROR_OTHER_KEY);
		assert_int_equal(luks_volume_key_verify(v.h, 7, v.old_key), -ENOENT);

		/* What it covers must not change. */
		v.r.area_size -= 4096;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -ERROR_OTHER_KEY);
		v.r.area_size += 4096;
		v.r.direction = LUKS_BACKWARD;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -ERROR_OTHER_KEY);
		v.r.direction = LUKS_FORWARD;
		v.keys.old_key = v.new_key;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -ERROR_OTHER_KEY);
		v.keys.old_key = NULL;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -ENOKEY);
		volume_close(&v);
	}
}

static void our_digest_is_accepted_by_cryptsetup(void **state)
{
	struct volume v;

	(void)state;
	begin("");
	volume_open(&v);
	assert_int_equal(luks_reenc_digest_make(v.h, &v.r, &v.keys), 0);
	assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), 0);
	commit(&v);
	volume_close(&v);
	must_run("cryptsetup luksDump image");
	must_run(REENCRYPT "--resume-only image");
	must_run("cryptsetup luksDump image | grep -c crypt$ | grep -qx 1");
	must_run("cryptsetup open --test-passphrase --key-file pass-a image");
}

static void finished_header_is_accepted_by_cryptsetup(void **state)
{
	struct luks_areas freed;
	struct volume v;

	(void)state;
	begin("");
	volume_open(&v);
	assert_int_equal(luks_reenc_set_position(v.h, &v.r, 0, 8 * MIB), 0);
	commit(&v);
	assert_int_equal(luks_reenc_finish(v.h, &v.r, &freed), 0);
	commit(&v);
	volume_close(&v);
	must_run("cryptsetup open --test-passphrase --key-file pass-a image");
	/* And it is a volume like any other. */
	must_run(REENCRYPT "image");
}

static void turned_around_header_is_finished_by_cryptsetup(void **state)
{
	struct volume v;

	(void)state;
	begin("");
	volume_open(&v);
	assert_int_equal(luks_reenc_set_position(v.h, &v.r, 4 * MIB, 0), 0);
	commit(&v);
	assert_int_equal(luks_reenc_reverse(v.h, &v.r, &v.keys, MIB), 0);
	assert_int_equal(v.r.direction, LUKS_BACKWARD);
	assert_true(v.r.boundary == 4 * MIB && v.r.capacity == MIB);
	v.keys = (struct luks_reenc_keys){v.new_key, v.old_key};
	assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), 0);
	commit(&v);
	/* Ours understands it again. */
	assert_int_equal(luks_reenc_load(v.h, DISK_SIZE, 0, 4096, &v.r, NULL), 0);
	assert_int_equal(v.r.state, LUKS_REENC_CLEAN);
	volume_close(&v);
	must_run(REENCRYPT "--resume-only image");
	/* The keyslot of the first key is the one that is left. */
	must_run("cryptsetup luksDump image | grep -q '^  0: luks2'");
	must_run("! cryptsetup luksDump image | grep -q '^  1: luks2'");
}

static void reversal_of_nothing_is_finished_at_once(void **state)
{
	struct luks_areas freed;
	struct volume v;

	(void)state;
	begin("");
	volume_open(&v);
	assert_int_equal(luks_reenc_reverse(v.h, &v.r, &v.keys, 0), 0);
	assert_int_equal(v.r.state, LUKS_REENC_FINISH);
	assert_int_equal(luks_reenc_finish(v.h, &v.r, &freed), 0);
	commit(&v);
	volume_close(&v);
	must_run("cryptsetup open --test-passphrase --key-slot 0 --key-file pass-a image");
	must_run("! cryptsetup luksDump image | grep -q '^  1: luks2'");
}

static void locks_keep_cryptsetup_out(void **state)
{
	struct luks_lock *lock;
	struct volume v;
	int fd;

	(void)state;
	begin("");
	volume_open(&v);
	assert_int_equal(luks_lock_reencryption(v.h->uuid, &lock), 0);
	assert_int_not_equal(shell(REENCRYPT "--resume-only image"), 0);
	must_run("cryptsetup luksDump image");
	luks_lock_free(lock);

	/* Its command waits while we hold the metadata. */
	fd = open(image, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(luks_lock_metadata(fd, LUKS_LOCK_EXCLUSIVE, &lock), 0);
	(void)close(fd);
	assert_int_equal(shell("timeout 1 cryptsetup luksDump image"), 124);
	luks_lock_free(lock);
	must_run("cryptsetup luksDump image");
	volume_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_of_cryptsetup_verify),
		cmocka_unit_test(our_digest_is_accepted_by_cryptsetup),
		cmocka_unit_test(finished_header_is_accepted_by_cryptsetup),
		cmocka_unit_test(turned_around_header_is_finished_by_cryptsetup),
		cmocka_unit_test(reversal_of_nothing_is_finished_at_once),
		cmocka_unit_test(locks_keep_cryptsetup_out),
	};

	if (!image_is_possible())
		return 77;
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
