/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is in a volume, without device-mapper.
 *
 *     plaintext volume IMAGE KEYFILE OUT         the whole data of a volume that is not in
 *                                                reencryption, opened with a passphrase
 *     plaintext stream CIPHER SECTOR_SIZE VOLUMEKEYFILE   <pieces >their plaintext
 *
 * A piece is two native 64-bit numbers (the IV of its first sector in 512-byte units, its length in
 * bytes) and the ciphertext. Exit code 2: the volume cannot be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <libcryptsetup.h>

#include "crypto/cipher.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"
#include "util/secret.h"

#define EXIT_UNUSABLE 2

static void free_context(struct crypt_device **cd)
{
	crypt_free(*cd);
}

/* A whole file, which holds a key. */
static int read_key(const char *path, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return log_error_errno(-errno, "%s: cannot open", path);
	r = secret_new((size_t)st.st_size, &s);
	if (r < 0)
		return log_error_errno(r, "%s: no memory for the key", path);
	r = pread_full(fd, s->data, s->size, 0);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read", path);
	*ret = TAKE_PTR(s);
	return 0;
}

/* The volume key of the default segment. -ESTALE where the volume is in reencryption. */
static int open_volume(struct crypt_device *cd, const struct secret *passphrase,
		       struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r, slot;

	r = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (r < 0)
		return r;
	if (crypt_reencrypt_status(cd, NULL) != CRYPT_REENCRYPT_NONE)
		return -ESTALE;
	/* Which keyslot it is: the only one that opens what open would activate. */
	slot = crypt_activate_by_passphrase(cd, NULL, CRYPT_ANY_SLOT,
					    (const char *)passphrase->data, passphrase->size, 0);
	if (slot < 0)
		return slot;
	r = secret_new((size_t)crypt_get_volume_key_size(cd), &key);
	if (r < 0)
		return r;
	r = crypt_volume_key_get(cd, slot, (char *)key->data, &key->size,
				 (const char *)passphrase->data, passphrase->size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(key);
	return 0;
}

static int decrypt_file(const char *image, uint64_t offset, struct cipher *cipher, const char *out)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const size_t step = 1U << 20;
	_cleanup_free_ uint8_t *buffer = malloc(step);
	struct stat st;
	int r;

	if (fd < 0 || out_fd < 0 || fstat(fd, &st) < 0)
		return log_error_errno(-errno, "cannot open %s or %s", image, out);
	if (!buffer)
		return log_error_errno(-ENOMEM, "no memory");
	for (uint64_t at = 0; at < (uint64_t)st.st_size - offset; at += step) {
		size_t size = (size_t)MIN((uint64_t)step, (uint64_t)st.st_size - offset - at);

		r = pread_full(fd, buffer, size, offset + at);
		if (r == 0)
			r = cipher_decrypt(cipher, 0, at >> SECTOR_SHIFT, buffer, size);
		if (r == 0)
			r = pwrite_full(out_fd, buffer, size, at);
		if (r < 0)
			return log_error_errno(r, "%s: offset %" PRIu64, image, offset + at);
	}
	return 0;
}

static int plaintext_of_volume(const char *image, const char *key_path, const char *out)
{
	_cleanup_(free_context) struct crypt_device *cd = NULL;
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	_cleanup_(secret_freep) struct secret *key = NULL;
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;
	char spec[128];
	int r;

	r = read_key(key_path, &passphrase);
	if (r < 0)
		return 1;
	r = crypt_init(&cd, image);
	if (r == 0)
		r = open_volume(cd, passphrase, &key);
	if (r < 0) {
		log_error_errno(r, "%s: cannot be opened", image);
		return EXIT_UNUSABLE;
	}
	(void)snprintf(spec, sizeof(spec), "%s-%s", crypt_get_cipher(cd),
		       crypt_get_cipher_mode(cd));
	r = cipher_new(spec, key, (uint32_t)crypt_get_sector_size(cd), 1, &cipher);
	if (r < 0) {
		log_error_errno(r, "%s: cipher %s", image, spec);
		return 1;
	}
	r = decrypt_file(image, crypt_get_data_offset(cd) << SECTOR_SHIFT, cipher, out);
	return r < 0 ? 1 : 0;
}

static int plaintext_of_stream(const char *spec, uint32_t sector_size, const char *key_path)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;
	uint64_t head[2];
	int r;

	if (read_key(key_path, &key) < 0)
		return 1;
	r = cipher_new(spec, key, sector_size, 1, &cipher);
	if (r < 0) {
		log_error_errno(r, "cipher %s", spec);
		return 1;
	}
	while (fread(head, sizeof(head), 1, stdin) == 1) {
		_cleanup_free_ uint8_t *data = malloc(head[1]);

		if (!data || fread(data, head[1], 1, stdin) != 1) {
			log_error("the stream ends within a piece");
			return 1;
		}
		r = cipher_decrypt(cipher, 0, head[0], data, head[1]);
		if (r < 0 || fwrite(data, head[1], 1, stdout) != 1) {
			log_error_errno(r, "cannot decrypt or write");
			return 1;
		}
	}
	return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}

static void no_message(int level, const char *message, void *data)
{
	(void)level;
	(void)message;
	(void)data;
}

int main(int argc, char **argv)
{
	log_init("plaintext", LOG_INFO);
	crypt_set_log_callback(NULL, no_message, NULL);
	if (argc == 5 && strcmp(argv[1], "volume") == 0)
		return plaintext_of_volume(argv[2], argv[3], argv[4]);
	if (argc == 5 && strcmp(argv[1], "stream") == 0)
		return plaintext_of_stream(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), argv[4]);
	(void)fputs("usage: plaintext volume IMAGE KEYFILE OUT\n"
		    "       plaintext stream CIPHER SECTOR_SIZE VOLUMEKEYFILE\n",
		    stderr);
	return 1;
}
