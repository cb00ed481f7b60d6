/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A cipher that OpenSSL lacks and dm-crypt has: the plaintext comes and goes through a private
 * mapping of the data. Slower than our own way, and only for block devices.
 */
#pragma once

#include "dm/stack.h"
#include "io/disk.h"
#include "worker/volume.h"

struct kernel_cipher;

/*
 * Maps @size bytes at @offset of the volume's data device. The device's exclusive claim, if there
 * is one, passes to the mapping, and ends with it: see volume_claim_device(). Logs failures with
 * what to do.
 */
int kernel_cipher_new(struct work_volume *v, uint64_t offset, uint64_t size,
		      const struct stack_side *side, struct kernel_cipher **ret);
struct kernel_cipher *kernel_cipher_free(struct kernel_cipher *k);
DEFINE_CLEANUP(struct kernel_cipher, kernel_cipher_free)

/* Plaintext, from the start of what is mapped; belongs to @k. */
struct disk *kernel_cipher_disk(const struct kernel_cipher *k);

/* Can OpenSSL or this kernel do it, and of an open volume this kernel in any case? Tried with a
 * random key; changes nothing. Logs -EOPNOTSUPP. */
int cipher_check(struct work_volume *v, const char *cipher, uint32_t key_size,
		 uint32_t sector_size);
