/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/kernel-cipher.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "crypto/cipher.h"
#include "crypto/key-sizes.h"
#include "dm/crypt-map.h"
#include "io/device.h"
#include "io/disk-uring.h"
#include "util/file.h"
#include "util/log.h"

struct kernel_cipher {
	struct crypt_map *map;
	struct device device;
	struct disk *disk;
};

/* dm-crypt needs a block device. */
static int refuse_image(const struct work_volume *v, const struct stack_side *side, bool may_choose)
{
	char sizes[64];

	cipher_key_sizes(side->cipher, side->sector_size, sizes, sizeof(sizes));
	if (*sizes)
		return log_refusal(-EOPNOTSUPP,
				   "%s: OpenSSL has %s only with keys of %s bits; %sattach the "
				   "image with losetup, so that dm-crypt does the work",
				   v->data_path, side->cipher, sizes,
				   may_choose ? "choose one with --key-size, or " : "");
	return log_refusal(-EOPNOTSUPP,
			   "%s: OpenSSL has no cipher %s; attach the image with losetup, so that "
			   "dm-crypt does the work",
			   v->data_path, side->cipher);
}

static int refuse_missing(const struct work_volume *v, const struct stack_side *side,
			  bool may_choose)
{
	return log_refusal(-EOPNOTSUPP,
			   "%s: %s cipher %s with a key of %zu bits; load the kernel's module%s",
			   v->data_path,
			   v->name ? "this kernel has no" : "OpenSSL and this kernel do not have",
			   side->cipher, side->key->size * 8,
			   may_choose ? " or choose another cipher with --cipher" : "");
}

/* dm-crypt has the same error for a device that has become smaller and for a missing cipher. */
static int refuse_smaller(const struct work_volume *v, uint64_t device_size, uint64_t end)
{
	return log_refusal(-ENOTBLK,
			   "%s: the device has become smaller: it has %" PRIu64
			   " bytes, and the data end at byte %" PRIu64 "; give it its size back",
			   v->data_path, device_size, end);
}

/* An error of crypt_map_new() for data that end at @end of the device. */
static int refuse_mapping(const struct work_volume *v, uint64_t end, const struct stack_side *side,
			  int error)
{
	/* Once a re-encryption is begun, both ciphers are fixed. */
	const bool may_choose = v->reenc.state == LUKS_REENC_NONE;
	struct geometry now;

	if (!v->data.geometry.is_block)
		return refuse_image(v, side, may_choose);
	if (error == -EINVAL && geometry_get(v->data.fd, &now) == 0 && now.size < end)
		return refuse_smaller(v, now.size, end);
	switch (error) {
	case -ENOENT:
	case -EINVAL:
		return refuse_missing(v, side, may_choose);
	case -EOPNOTSUPP:
		return log_refusal(error,
				   "%s: cipher %s needs dm-crypt, which this kernel does not have; "
				   "load the module dm_crypt%s",
				   v->data_path, side->cipher,
				   may_choose ? " or choose another cipher with --cipher" : "");
	case -EBUSY:
		return log_refusal(error,
				   "%s: dm-crypt cannot map the device: another program uses it "
				   "(mounted, or part of something); end that use and try again",
				   v->data_path);
	default:
		return log_error_errno(error, "%s: cannot set up dm-crypt with cipher %s",
				       v->data_path, side->cipher);
	}
}

/* Something else may have made, or removed, the node meanwhile. */
static int open_map(struct kernel_cipher *k)
{
	_cleanup_(found_file_clear) struct found_file f = FOUND_FILE_NONE;
	struct file_doubt why;
	int r = file_find(crypt_map_path(k->map), &f, &why);

	if (r < 0)
		return r;
	if (file_block_device(&f.identity) != crypt_map_device(k->map))
		return -ENODEV;
	return device_open(f.fd, false, &k->device);
}

/* Nobody else finds the mapping any more once it is detached, and its node is needed before. */
static int open_disk(struct kernel_cipher *k, const char *name)
{
	int r = open_map(k);

	if (r < 0)
		return r;
	r = crypt_map_detach(k->map);
	return r < 0 ? r : disk_uring_new(k->device.fd, name, &k->disk);
}

int kernel_cipher_new(struct work_volume *v, uint64_t offset, uint64_t size,
		      const struct stack_side *side, struct kernel_cipher **ret)
{
	_cleanup_(kernel_cipher_freep) struct kernel_cipher *k = calloc(1, sizeof(*k));
	int r;

	assert(!v->name || v->exclusive_fd < 0);
	if (!k)
		return -ENOMEM;
	k->device.fd = -1;
	/* The mapping claims the device for itself, which it cannot while we do. */
	cleanup_close(&v->exclusive_fd);
	v->exclusive_fd = -1;
	r = crypt_map_new(volume_data_device(v), offset, size, side, &k->map);
	if (r < 0)
		return refuse_mapping(v, offset + size, side, r);
	r = open_disk(k, v->data_path);
	if (r < 0)
		return log_error_errno(r, "%s: cannot do I/O through dm-crypt", v->data_path);
	log_debug("%s: %s through a private dm-crypt mapping", v->data_path, side->cipher);
	*ret = TAKE_PTR(k);
	return 0;
}

struct kernel_cipher *kernel_cipher_free(struct kernel_cipher *k)
{
	if (!k)
		return NULL;
	disk_free(k->disk);
	cleanup_close(&k->device.fd);
	crypt_map_free(k->map);
	free(k);
	return NULL;
}

struct disk *kernel_cipher_disk(const struct kernel_cipher *k)
{
	return k->disk;
}

int cipher_check(struct work_volume *v, const char *cipher, uint32_t key_size, uint32_t sector_size)
{
	_cleanup_(kernel_cipher_freep) struct kernel_cipher *k = NULL;
	_cleanup_(cipher_freep) struct cipher *c = NULL;
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r = secret_new(key_size, &key);

	if (r < 0)
		return r;
	if (getrandom(key->data, key->size, 0) != (ssize_t)key->size)
		return -EIO;
	r = cipher_new(cipher, key, sector_size, 1, &c);
	/* Under an open volume dm-crypt does it as well. */
	if (r == -EOPNOTSUPP || (r == 0 && v->name)) {
		const struct stack_side side = {
			.cipher = cipher,
			.key = key,
			.sector_size = sector_size,
		};

		return kernel_cipher_new(v, v->reenc.data_offset, v->reenc.data_size, &side, &k);
	}
	if (r < 0)
		return log_error_errno(r, "%s: cipher %s cannot be used with a key of %u bits",
				       v->data_path, cipher, key_size * 8);
	return 0;
}
