/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compares our ciphers with dm-crypt's: what the mapping reads must be what we decrypt from the
 * sectors below it.
 *
 *   cipher-vectors MAPPING DEVICE OFFSET SPEC SECTOR-SIZE IV-OFFSET < key
 *
 * OFFSET is where the mapping's data begins on DEVICE, IV-OFFSET what dm-crypt adds to the sector
 * number; both in 512-byte sectors. The key comes in hexadecimal digits on standard input. Exits
 * with 0 when all bytes agree, 1 when not, 2 when it could not compare.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "crypto/cipher.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"
#include "util/secret.h"

#define CHUNK   ((size_t)1 << 20)
#define MAX_KEY ((size_t)128)

struct comparison {
	const char *mapping, *device, *spec;
	uint64_t offset, iv_offset; /* 512-byte sectors */
	uint64_t sector_size;       /* bytes */
	int mapping_fd, device_fd;
	uint64_t size; /* bytes of the mapping */
	struct cipher *cipher;
	uint8_t *expected, *data;
};

static int parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int read_hex_key(struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	size_t digits = 0;
	int c, r;

	r = secret_new(MAX_KEY, &key);
	if (r < 0)
		return r;
	while ((c = getchar()) != EOF && c != '\n') {
		const char lower = (char)tolower(c);

		if (!isxdigit(c) || digits == 2 * MAX_KEY)
			return -EINVAL;
		key->data[digits / 2] = (uint8_t)(key->data[digits / 2] << 4 |
						  (lower <= '9' ? lower - '0' : lower - 'a' + 10));
		digits++;
	}
	if (digits == 0 || digits % 2)
		return -EINVAL;
	secret_truncate(key, digits / 2);
	*ret = TAKE_PTR(key);
	return 0;
}

static int compare_at(struct comparison *c, uint64_t at, size_t size)
{
	const uint64_t below = at + (c->offset << SECTOR_SHIFT);
	int r = pread_full(c->mapping_fd, c->expected, size, at);

	if (r < 0)
		return log_error_errno(r, "%s: cannot read %zu bytes at %" PRIu64, c->mapping, size,
				       at);
	r = pread_full(c->device_fd, c->data, size, below);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read %zu bytes at %" PRIu64, c->device, size,
				       below);
	r = cipher_decrypt(c->cipher, 0, (at >> SECTOR_SHIFT) + c->iv_offset, c->data, size);
	if (r < 0)
		return log_error_errno(r, "cannot decrypt with %s", c->spec);
	for (size_t i = 0; i < size; i += c->sector_size)
		if (memcmp(c->data + i, c->expected + i, c->sector_size) != 0) {
			log_error("%s: the sector at byte %" PRIu64 " is not what %s decrypts to",
				  c->mapping, at + i, c->spec);
			return -EBADMSG;
		}
	return 0;
}

static int prepare(struct comparison *c, const struct secret *key)
{
	int r;

	c->mapping_fd = open(c->mapping, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (c->mapping_fd < 0 || ioctl(c->mapping_fd, BLKGETSIZE64, &c->size) < 0)
		return log_error_errno(-errno, "%s: cannot open the mapping", c->mapping);
	c->device_fd = open(c->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (c->device_fd < 0)
		return log_error_errno(-errno, "%s: cannot open the device", c->device);
	if (posix_memalign((void **)&c->expected, 4096, CHUNK) != 0 ||
	    posix_memalign((void **)&c->data, 4096, CHUNK) != 0)
		return log_error_errno(-ENOMEM, "cannot compare %s", c->mapping);
	r = cipher_new(c->spec, key, (uint32_t)c->sector_size, 1, &c->cipher);
	return r < 0 ? log_error_errno(r, "cannot decrypt with %s", c->spec) : 0;
}

static int compare_all(struct comparison *c)
{
	for (uint64_t at = 0; at < c->size; at += CHUNK) {
		int r = compare_at(c, at, (size_t)MIN(CHUNK, c->size - at));

		if (r < 0)
			return r;
	}
	return 0;
}

static void release(struct comparison *c)
{
	(void)cipher_free(c->cipher);
	free(c->expected);
	free(c->data);
	if (c->mapping_fd >= 0)
		(void)close(c->mapping_fd);
	if (c->device_fd >= 0)
		(void)close(c->device_fd);
}

int main(int argc, char **argv)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	struct comparison c = {.mapping_fd = -1, .device_fd = -1};
	int r;

	log_init("cipher-vectors", LOG_INFO);
	if (argc != 7 || parse_number(argv[3], &c.offset) < 0 ||
	    parse_number(argv[5], &c.sector_size) < 0 || parse_number(argv[6], &c.iv_offset) < 0) {
		log_error("usage: cipher-vectors MAPPING DEVICE OFFSET SPEC SECTOR-SIZE IV-OFFSET "
			  "< key");
		return 2;
	}
	c.mapping = argv[1];
	c.device = argv[2];
	c.spec = argv[4];
	r = read_hex_key(&key);
	if (r < 0) {
		log_error_errno(r, "no key in hexadecimal digits on standard input");
		return 2;
	}
	r = prepare(&c, key);
	if (r == 0)
		r = compare_all(&c);
	/* By the other library as well, where there is one for it. */
	if (r == 0 && cipher_use(c.cipher, CIPHER_GCRYPT) == 0)
		r = compare_all(&c);
	if (r == 0)
		log_info("%s: %" PRIu64 " bytes are as %s decrypts them, the last time by %s",
			 c.mapping, c.size, c.spec, cipher_library_name(c.cipher));
	release(&c);
	return r == 0 ? 0 : r == -EBADMSG ? 1 : 2;
}
