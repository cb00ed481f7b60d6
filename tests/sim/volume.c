/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcryptsetup.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ahead.h"
#include "random.h"
#include "util/checked.h"
#include "util/io.h"

#define BLOCK            UINT64_C(4096)  /* of the checksums */
#define HOTZONE          UINT64_C(16384) /* bytes */
#define PASSPHRASE       "simulated"
#define PBKDF            "--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
#define CHECK(condition) volume_check(condition, __FILE__, __LINE__, #condition)

void volume_check(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s failed\n", file, line, what);
	exit(1);
}

/* Runs a shell command in the volume's directory; its output is shown where it fails. */
__attribute__((format(printf, 2, 3))) static int shell(const struct volume *v, const char *format,
						       ...)
{
	char command[4352], line[4608];
	va_list ap;
	int r;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	(void)snprintf(line, sizeof(line), "cd %s && { %s; } >log 2>&1", v->dir, command);
	r = system(line);
	return r;
}

static uint8_t *read_image(const struct volume *v, size_t *ret_size)
{
	char path[96];
	struct stat st;
	uint8_t *image;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	image = malloc((size_t)st.st_size);
	CHECK(image && pread_full(fd, image, (size_t)st.st_size, 0) == 0);
	(void)close(fd);
	*ret_size = (size_t)st.st_size;
	return image;
}

static void write_image(const struct volume *v, const uint8_t *image)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)v->size) == 0);
	CHECK(pwrite_full(fd, image, v->size, 0) == 0);
	(void)close(fd);
}

static struct secret *read_key(struct crypt_device *cd, int keyslot)
{
	struct secret *key;
	size_t size = 64;

	CHECK(secret_new(size, &key) == 0);
	CHECK(crypt_volume_key_get(cd, keyslot, (char *)key->data, &size, PASSPHRASE,
				   strlen(PASSPHRASE)) >= 0);
	secret_truncate(key, size);
	return key;
}

/* Keyslot 0 has the old key; the new one is in 1, unless the key is kept. */
static void read_keys(struct volume *v)
{
	struct crypt_device *cd;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	CHECK(crypt_init(&cd, path) == 0 && crypt_load(cd, CRYPT_LUKS2, NULL) == 0);
	v->key[0] = read_key(cd, 0);
	v->key[1] = read_key(cd, v->kind->keep_key ? 0 : 1);
	v->data_offset = crypt_get_data_offset(cd) * SECTOR_SIZE;
	crypt_free(cd);
}

static void make_ciphers(struct volume *v)
{
	const struct volume_kind *k = v->kind;

	(void)snprintf(v->cipher_name[0], sizeof(v->cipher_name[0]), "aes-xts-plain64");
	(void)snprintf(v->cipher_name[1], sizeof(v->cipher_name[1]), "%s",
		       k->new_cipher ? k->new_cipher : "aes-xts-plain64");
	v->sector_size[0] = k->old_sector;
	v->sector_size[1] = k->new_sector;
	for (int i = 0; i < 2; i++)
		CHECK(cipher_new(v->cipher_name[i], v->key[i], v->sector_size[i], 1,
				 &v->cipher[i]) == 0);
	CHECK(checksum_new("sha256", 1, &v->checksum) == 0);
}

static void no_wake(void *arg)
{
	(void)arg;
}

static bool is_zero(const struct volume *v, uint64_t offset)
{
	const char block = v->kind->blocks ? v->kind->blocks[offset / BLOCK] : 'w';

	if (block == 'p' && v->sector_size[0] < BLOCK)
		return offset % BLOCK / v->sector_size[0] != BLOCK / v->sector_size[0] / 2;
	return block == 'z';
}

/* In a block that is converted, zeros are data like any other. */
static bool is_unwritten(const struct volume *v, uint64_t offset)
{
	const bool small = strcmp(v->kind->resilience, "checksum") != 0 &&
			   v->sector_size[0] < BLOCK && v->sector_size[1] < BLOCK;

	return is_zero(v, offset) && (small || v->kind->blocks[offset / BLOCK] == 'z');
}

/* What was never written is zero on the disk, and reads as whatever the key makes of that. */
static void punch_holes(struct volume *v)
{
	v->zeros = calloc(1, v->data_size);
	CHECK(v->zeros && cipher_decrypt(v->cipher[1], 0, 0, v->zeros, v->data_size) == 0);
	for (uint64_t at = 0; at < v->data_size; at += v->sector_size[0]) {
		if (!is_zero(v, at))
			continue;
		memset(v->image + v->data_offset + at, 0, v->sector_size[0]);
		memset(v->plain + at, 0, v->sector_size[0]);
		CHECK(cipher_decrypt(v->cipher[0], 0, at >> SECTOR_SHIFT, v->plain + at,
				     v->sector_size[0]) == 0);
	}
}

static bool is_ahead(const struct volume_kind *k)
{
	return strcmp(k->resilience, "ahead") == 0;
}

struct volume *volume_new(const struct volume_kind *k, uint64_t seed)
{
	const uint64_t data_size = is_ahead(k) ? AHEAD_DATA_SIZE : DATA_SIZE;
	struct volume *v = calloc(1, sizeof(*v));
	struct random rnd = {.state = seed};
	char extra[128] = "";

	CHECK(v);
	/*
	 * Images come and go by the thousand: do not fault their pages in each time. The
	 * sanitizer's allocator knows no such options, and goes without.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 16 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	v->kind = k;
	(void)snprintf(v->dir, sizeof(v->dir), "/tmp/recryptd-sim-XXXXXX");
	CHECK(mkdtemp(v->dir));
	if (k->keep_key)
		(void)snprintf(extra, sizeof(extra), "--keep-key");
	else if (k->new_cipher)
		(void)snprintf(extra, sizeof(extra), "--cipher %s", k->new_cipher);
	if (shell(v,
		  "printf " PASSPHRASE " >key && truncate -s %" PRIu64
		  " image && cryptsetup luksFormat -q --type luks2 " PBKDF
		  " --luks2-metadata-size 16k --luks2-keyslots-size 768k --sector-size %u image key"
		  " && cryptsetup reencrypt -q --init-only --force-offline-reencrypt " PBKDF
		  " --resilience %s --sector-size %u %s --key-file key image",
		  (UINT64_C(1) << 20) + data_size, k->old_sector,
		  is_ahead(k) ? "journal" : k->resilience, k->new_sector, extra) != 0) {
		fprintf(stderr, "%s: cryptsetup failed, see %s/log\n", k->name, v->dir);
		exit(1);
	}
	v->image = read_image(v, &v->size);
	read_keys(v);
	v->data_size = v->size - v->data_offset;
	CHECK(v->data_size == data_size);
	make_ciphers(v);
	CHECK(pool_new("crypto", 0, 0, no_wake, NULL, &v->pool) == 0 &&
	      pool_new("header", 0, 0, no_wake, NULL, &v->header_lane) == 0);
	v->plain = malloc(data_size);
	CHECK(v->plain);
	for (uint64_t i = 0; i < data_size; i += 8) {
		const uint64_t word = random_next(&rnd);

		memcpy(v->plain + i, &word, 8);
	}
	memcpy(v->image + v->data_offset, v->plain, data_size);
	CHECK(cipher_encrypt(v->cipher[0], 0, 0, v->image + v->data_offset, data_size) == 0);
	punch_holes(v);
	v->hotzone_size = HOTZONE;
	if (is_ahead(k))
		ahead_make(v);
	return v;
}

struct volume *volume_free(struct volume *v)
{
	char line[128];

	if (!v)
		return NULL;
	for (int i = 0; i < 2; i++) {
		cipher_free(v->cipher[i]);
		secret_free(v->key[i]);
	}
	checksum_free(v->checksum);
	pool_free(v->pool);
	pool_free(v->header_lane);
	free(v->plain);
	free(v->zeros);
	free(v->image);
	(void)snprintf(line, sizeof(line), "rm -rf %s", v->dir);
	CHECK(system(line) == 0);
	free(v);
	return NULL;
}

struct cipher *volume_cipher(const struct volume *v, const struct luks_side *side)
{
	/* With two keys the old one has digest 0: luksFormat made it. */
	const bool new_key = v->kind->keep_key || side->digest != 0;

	if (new_key && side->sector_size == v->sector_size[1] &&
	    strcmp(side->cipher, v->cipher_name[1]) == 0)
		return v->cipher[1];
	CHECK(side->sector_size == v->sector_size[0]);
	return v->cipher[0];
}

bool volume_accepts_untouched(const struct volume *v, uint64_t offset, const uint8_t *found)
{
	return memcmp(found, v->plain + offset, SECTOR_SIZE) == 0 ||
	       (is_unwritten(v, offset) && memcmp(found, v->zeros + offset, SECTOR_SIZE) == 0);
}

bool volume_is_still_sparse(const struct volume *v, const uint8_t *image)
{
	for (uint64_t at = 0; at < v->data_size; at++)
		if (is_unwritten(v, at) && image[v->data_offset + at] != 0) {
			fprintf(stderr, "# written at offset %" PRIu64 "\n", at);
			return false;
		}
	return true;
}

bool volume_finish_by_stock(const struct volume *v, uint8_t *image)
{
	_cleanup_free_ uint8_t *after = NULL;
	char program[4096];
	const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t size;

	/* This program is tests/sim/test-x of the build tree. */
	CHECK(n > 0);
	program[n] = '\0';
	*strrchr(program, '/') = '\0';
	write_image(v, image);
	if (shell(v,
		  "cryptsetup luksDump --dump-json-metadata image | grep -q online-reencrypt || "
		  "exit 0; %s/../crash/stock-recover image key",
		  program) != 0) {
		fprintf(stderr, "# cryptsetup failed, see %s/log\n", v->dir);
		return false;
	}
	after = read_image(v, &size);
	CHECK(size == v->size);
	memcpy(image, after, size);
	return true;
}
