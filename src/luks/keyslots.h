/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which keyslot belongs to which digest and where its area lies: what libcryptsetup shows of a
 * header only as JSON. Works at any moment of a re-encryption.
 */
#pragma once

#include <libcryptsetup.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/fields.h"
#include "util/secret.h"

/* Bytes of a digest that libcryptsetup compares: it takes any key for that of a shorter one (md5).
 */
#define LUKS_DIGEST_MIN 20

struct luks_keyslot {
	int id, digest;                  /* digest -1: none */
	uint32_t tokens;                 /* bit n: token n is assigned */
	uint64_t area_offset, area_size; /* bytes in the metadata device */
};

struct luks_keyslots {
	size_t n;
	struct luks_keyslot slots[LUKS_MAX_KEYSLOTS];
	int data_digest;                 /* of segment 0; -1: none */
	uint64_t data_size;              /* bytes of segment 0; 0: up to the end of the device */
	uint64_t areas_start, areas_end; /* where areas may lie, bytes */
};

/* The metadata in the header; the tree is the caller's. */
int luks_dump_json(struct crypt_device *cd, json_object **ret);

/* The requirements of the header, comma-separated, cut to @size. */
int luks_requirements(struct crypt_device *cd, char *buf, size_t size);

/* -EINVAL: the JSON is not as the LUKS2 spec has it. */
int luks_keyslots_read(struct crypt_device *cd, struct luks_keyslots *ret);

/*
 * What libcryptsetup will do for one more keyslot: the first free number, the first gap of @size
 * bytes. -ENOSPC: neither. @ks then has the keyslot, without a digest.
 */
int luks_keyslots_place(struct luks_keyslots *ks, uint64_t size);

/* Bytes of the largest gap: what a re-encryption gets for its resilience data. */
uint64_t luks_keyslots_largest_gap(const struct luks_keyslots *ks);

/*
 * Does @key belong to @digest? 0, -ERROR_KEY_REJECTED if not, -ENOENT: no such digest. It may give
 * up, see luks/derive.h.
 */
int luks_digest_verify(struct crypt_device *cd, int digest, const struct secret *key);

/*
 * Does @key, which libcryptsetup took from @keyslot, belong to a digest of the keyslot that is
 * shorter than LUKS_DIGEST_MIN? Results as above; 0, without a derivation, where there is no such
 * digest.
 */
int luks_keyslot_check_key(struct crypt_device *cd, int keyslot, const struct secret *key);
