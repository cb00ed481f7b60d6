/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Against the installed cryptsetup, on image files: its digests verify here, what we commit it
 * reads, resumes and finishes, and the locks keep both apart. Needs root, as cryptsetup's lock
 * directory does.
 */
#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/header.h"
#include "luks/lock.h"
#include "luks/meta-io.h"
#include "luks/reencrypt.h"
#include "util/cleanup.h"
#include "util/secret.h"

#define MIB       UINT64_C(1048576)
#define DISK_SIZE (24 * MIB)
#define FAST      "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
#define REENCRYPT "cryptsetup reencrypt -q --force-offline-reencrypt " FAST "--key-file pass "

static char dir[] = "/tmp/test-stock-XXXXXX";
static char image[64];

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit code of a shell command in the test's directory; its messages go to "said" there. */
static int run(const char *format, ...)
{
	char args[1024], command[1200];
	va_list ap;
	int status;

	va_start(ap, format);
	(void)vsnprintf(args, sizeof(args), format, ap);
	va_end(ap);
	(void)snprintf(command, sizeof(command), "cd %s && { %s; } >said 2>&1", dir, args);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void must_run(const char *command)
{
	if (run("%s", command) != 0)
		fail_msg("%s", command);
}

/* A volume of 8 MiB of data with a re-encryption begun; @options of the begin. */
static void begin(const char *options)
{
	char command[512];

	must_run("rm -f image; truncate -s 24M image; printf secret >pass;"
		 "cryptsetup luksFormat -q --type luks2 --sector-size 4096 " FAST "image pass");
	(void)snprintf(command, sizeof(command), REENCRYPT "--init-only %s image", options);
	must_run(command);
}

static void get_key(int digest_keyslot, struct secret **ret)
{
	struct crypt_device *cd;
	char key[512];
	size_t size = sizeof(key);

	assert_int_equal(crypt_init(&cd, image), 0);
	assert_int_equal(crypt_load(cd, CRYPT_LUKS2, NULL), 0);
	assert_true(crypt_volume_key_get(cd, digest_keyslot, key, &size, "secret", 6) >= 0);
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
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct volume v;

		begin(options[i]);
		volume_open(&v);
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.old_side.digest, v.old_key), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.new_side.digest, v.new_key), 0);
		assert_int_equal(luks_volume_key_verify(v.h, v.r.new_side.digest, v.old_key),
				 -EKEYREJECTED);
		assert_int_equal(luks_volume_key_verify(v.h, 7, v.old_key), -ENOENT);

		/* What it covers must not change. */
		v.r.area_size -= 4096;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -EKEYREJECTED);
		v.r.area_size += 4096;
		v.r.direction = LUKS_BACKWARD;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -EKEYREJECTED);
		v.r.direction = LUKS_FORWARD;
		v.keys.old_key = v.new_key;
		assert_int_equal(luks_reenc_digest_verify(v.h, &v.r, &v.keys), -EKEYREJECTED);
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
	must_run("cryptsetup open --test-passphrase --key-file pass image");
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
	must_run("cryptsetup open --test-passphrase --key-file pass image");
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
	must_run("cryptsetup open --test-passphrase --key-slot 0 --key-file pass image");
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
	assert_int_not_equal(run("%s", REENCRYPT "--resume-only image"), 0);
	must_run("cryptsetup luksDump image");
	luks_lock_free(lock);

	/* Its command waits while we hold the metadata. */
	fd = open(image, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(luks_lock_metadata(fd, image, LUKS_LOCK_EXCLUSIVE, &lock), 0);
	(void)close(fd);
	assert_int_equal(run("timeout 1 cryptsetup luksDump image"), 124);
	luks_lock_free(lock);
	must_run("cryptsetup luksDump image");
	volume_close(&v);
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
	(void)state;
	return run("rm -rf %s", dir) == 0 || access(dir, F_OK) < 0 ? 0 : -1;
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

	if (geteuid() != 0) {
		(void)fputs("needs root\n", stderr);
		return 77;
	}
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
