/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ciphers against the installed cryptsetup: it encrypts an image file offline, which needs no
 * device-mapper, and the volume key that it made must give us the same bytes, both ways.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <libcryptsetup.h>

#include "crypto/cipher.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"

#define DATA_SIZE  ((size_t)1 << 20)
#define PASSPHRASE "stock"

extern char **environ;

/* Where the files of one test are; the names are made by path_in(). */
static char dir[] = "/tmp/recryptd-stock-XXXXXX";
static const char *const files[] = {"data", "header", "passphrase"};

static const char *path_in(const char *name, char path[64])
{
	(void)snprintf(path, 64, "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
	char path[64];
	_cleanup_close_ int fd =
		open(path_in(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite_full(fd, data, size, 0), 0);
}

static void remove_files(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[64];

		(void)unlink(path_in(files[i], path));
	}
}

/* Runs cryptsetup and returns its exit code; 127 where there is none. */
static int cryptsetup(char *const argv[])
{
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return 127;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void encrypt_with_stock(const char *spec, size_t key_size, uint32_t sector_size)
{
	char data[64], header[64], passphrase[64];
	char cipher_arg[80], key_arg[32], sector_arg[32], header_arg[80], file_arg[80];
	char *const argv[] = {
		(char[]){"cryptsetup"},
		(char[]){"reencrypt"},
		(char[]){"--encrypt"},
		(char[]){"--batch-mode"},
		(char[]){"--pbkdf=pbkdf2"},
		(char[]){"--pbkdf-force-iterations=1000"},
		cipher_arg,
		key_arg,
		sector_arg,
		header_arg,
		file_arg,
		data,
		NULL,
	};

	(void)path_in("data", data);
	(void)path_in("header", header);
	(void)path_in("passphrase", passphrase);
	(void)snprintf(cipher_arg, sizeof(cipher_arg), "--cipher=%s", spec);
	(void)snprintf(key_arg, sizeof(key_arg), "--key-size=%zu", key_size * 8);
	(void)snprintf(sector_arg, sizeof(sector_arg), "--sector-size=%u", sector_size);
	(void)snprintf(header_arg, sizeof(header_arg), "--header=%s", header);
	(void)snprintf(file_arg, sizeof(file_arg), "--key-file=%s", passphrase);
	assert_int_equal(cryptsetup(argv), 0);
}

static struct secret *volume_key(size_t size)
{
	struct crypt_device *cd;
	struct secret *key;
	char header[64];

	assert_int_equal(crypt_init(&cd, path_in("header", header)), 0);
	assert_int_equal(crypt_load(cd, CRYPT_LUKS2, NULL), 0);
	assert_int_equal(secret_new(size, &key), 0);
	assert_true(crypt_volume_key_get(cd, CRYPT_ANY_SLOT, (char *)key->data, &key->size,
					 PASSPHRASE, strlen(PASSPHRASE)) >= 0);
	assert_int_equal(key->size, size);
	crypt_free(cd);
	return key;
}

/* @ours is for what comes out. */
static void compare_both_ways(struct cipher *c, const uint8_t *plain, const uint8_t *stock,
			      uint8_t *ours)
{
	const size_t half = DATA_SIZE / 2;

	memcpy(ours, plain, DATA_SIZE);
	assert_int_equal(cipher_encrypt(c, 0, 0, ours, DATA_SIZE), 0);
	assert_memory_equal(ours, stock, DATA_SIZE);
	/* From the middle, so that the number of the first sector counts. */
	assert_int_equal(cipher_decrypt(c, 0, half >> SECTOR_SHIFT, ours + half, half), 0);
	assert_memory_equal(ours + half, plain + half, half);
	assert_int_equal(cipher_decrypt(c, 0, 0, ours, half), 0);
	assert_memory_equal(ours, plain, half);
}

static void compare(const char *spec, size_t key_size, uint32_t sector_size)
{
	_cleanup_free_ uint8_t *plain = malloc(DATA_SIZE), *stock = malloc(DATA_SIZE);
	_cleanup_free_ uint8_t *ours = malloc(DATA_SIZE);
	_cleanup_(secret_freep) struct secret *key = NULL;
	_cleanup_(cipher_freep) struct cipher *c = NULL;
	_cleanup_close_ int fd = -1;
	char path[64];

	print_message("%s, key of %zu bytes, sectors of %u\n", spec, key_size, sector_size);
	assert_true(plain && stock && ours);
	for (size_t i = 0; i < DATA_SIZE; i++)
		plain[i] = (uint8_t)(i * 31 + (i >> 9));
	write_file("data", plain, DATA_SIZE);
	write_file("passphrase", PASSPHRASE, strlen(PASSPHRASE));
	encrypt_with_stock(spec, key_size, sector_size);

	key = volume_key(key_size);
	fd = open(path_in("data", path), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread_full(fd, stock, DATA_SIZE, 0), 0);
	assert_int_equal(cipher_new(spec, key, sector_size, 1, &c), 0);
	compare_both_ways(c, plain, stock, ours);
	if (cipher_use(c, CIPHER_GCRYPT) == 0)
		compare_both_ways(c, plain, stock, ours);
	remove_files();
}

static void every_cipher_is_that_of_cryptsetup(void **state)
{
	static const struct {
		const char *spec;
		size_t key_size;
	} v[] = {
		{"aes-xts-plain64", 64},      {"aes-xts-plain64", 32},
		{"aes-xts-plain", 64},        {"aes-xts-essiv:sha256", 64},
		{"aes-cbc-essiv:sha256", 32}, {"aes-cbc-plain64", 32},
		{"aes-cbc-plain", 16},        {"aes-cbc-plain64be", 32},
		{"camellia-cbc-plain64", 32}, {"aes-ecb", 32},
	};
	char *const version[] = {(char[]){"cryptsetup"}, (char[]){"--version"}, NULL};

	(void)state;
	if (cryptsetup(version) == 127) {
		print_message("cryptsetup is not installed\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		compare(v[i].spec, v[i].key_size, 512);
		compare(v[i].spec, v[i].key_size, 4096);
	}
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	remove_files();
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cipher_is_that_of_cryptsetup),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
