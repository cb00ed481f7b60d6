/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sector ciphers against published vectors (IEEE 1619-2007 annex B, NIST SP 800-38A), and
 * against chains of single blocks put together here. test-stock.c compares with cryptsetup.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypto/cipher.h"
#include "crypto/cipher-spec.h"
#include "crypto/misfit.h"
#include "util/checked.h"

#define BLOCK 16

/* Allocations that OpenSSL made, through the functions that main() gave it. */
static unsigned long allocations;

static void *count_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static size_t unhex(const char *hex, uint8_t *ret)
{
	const size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		ret[i] = (uint8_t)v;
	}
	return n;
}

static struct secret *key_of(const char *hex)
{
	struct secret *key;

	assert_int_equal(secret_new(strlen(hex) / 2, &key), 0);
	(void)unhex(hex, key->data);
	return key;
}

/* A key of @size bytes, no two of its 32-byte parts equal. */
static struct secret *key_sized(size_t size)
{
	struct secret *key;

	assert_int_equal(secret_new(size, &key), 0);
	for (size_t i = 0; i < size; i++)
		key->data[i] = (uint8_t)(3 * i + 1);
	return key;
}

static struct cipher *cipher_of(const char *spec, const struct secret *key, uint32_t sector_size)
{
	struct cipher *c;

	assert_int_equal(cipher_new(spec, key, sector_size, 1, &c), 0);
	return c;
}

static void fill(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i + (i >> 8) * 7);
}

/* Of aes-xts: what was there when this was configured has to work. */
#if HAVE_GCRYPT_H
#define LIBRARIES 2U
#else
#define LIBRARIES 1U
#endif

#define PI "31415926535897932384626433832795"
#define KEY_256                                                                                    \
	"2718281828459045235360287471352662497757247093699959574966967627"                         \
	"3141592653589793238462643383279502884197169399375105820974944592"
#define KEY_128 "27182818284590452353602874713526" PI

/* Vectors 4 and 10 to 14: a data unit of 512 bytes is a sector, its number the sector's. */
static void xts_matches_the_vectors_of_ieee_1619(void **state)
{
	static const struct {
		const char *spec, *key;
		uint64_t sector;
		const char *head, *tail;
	} v[] = {
		{"aes-xts-plain64", KEY_128, 0, "27a7479befa1d476489f308cd4cfa6e2",
		 "eabe421ee5319d0568"},
		{"aes-xts-plain64", KEY_256, 0xff, "1c3b3a102f770386e4836c99e370cf9b",
		 "ea70b9c6e693e148c151"},
		{"aes-xts-plain64", KEY_256, 0xffff, "77a31251618a15e6b92d1d66dffe7b50",
		 "cb9d59cef9645803"},
		{"aes-xts-plain", KEY_256, 0xffffff, "e387aaa58ba483afa7e8eb469778317e",
		 "888c309f5a7d712826"},
		{"aes-xts-plain", KEY_256, 0xffffffff, "bf53d2dade78e822a4d949a9bc6766b0",
		 "abb152c4a93411373aaa8220"},
		{"aes-xts-plain64", KEY_256, UINT64_C(0xffffffffff),
		 "64497e5a831e4a932c09be3e5393376d", "73ad5b0d59631c531f6a0a57b9"},
		/* The low 32 bits are those of vector 13. */
		{"aes-xts-plain", KEY_256, UINT64_C(0xffffffffff),
		 "bf53d2dade78e822a4d949a9bc6766b0", "abb152c4a93411373aaa8220"},
	};

	(void)state;
	for (size_t i = 0; i < LIBRARIES * ARRAY_SIZE(v); i++) {
		const size_t t = i / LIBRARIES;
		_cleanup_(secret_freep) struct secret *key = key_of(v[t].key);
		_cleanup_(cipher_freep) struct cipher *c = cipher_of(v[t].spec, key, 512);
		uint8_t data[512], want[64];
		size_t n;

		assert_int_equal(cipher_use(c, i % LIBRARIES), 0);
		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)j;
		assert_int_equal(cipher_encrypt(c, 0, v[t].sector, data, sizeof(data)), 0);
		n = unhex(v[t].head, want);
		assert_memory_equal(data, want, n);
		n = unhex(v[t].tail, want);
		assert_memory_equal(data + sizeof(data) - n, want, n);
		assert_int_equal(cipher_decrypt(c, 0, v[t].sector, data, sizeof(data)), 0);
		for (size_t j = 0; j < sizeof(data); j++)
			assert_int_equal(data[j], (uint8_t)j);
	}
}

/* SP 800-38A F.1.5, eight times to fill a sector. */
static void ecb_matches_the_vectors_of_sp800_38a(void **state)
{
	_cleanup_(secret_freep) struct secret *key =
		key_of("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
	_cleanup_(cipher_freep) struct cipher *c = cipher_of("aes-ecb", key, 512);
	uint8_t data[512], plain[64], want[64];

	(void)state;
	(void)unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
		    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
		    plain);
	(void)unhex("f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
		    "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
		    want);
	for (size_t i = 0; i < sizeof(data); i += 64)
		memcpy(data + i, plain, 64);
	assert_int_equal(cipher_encrypt(c, 0, 5, data, sizeof(data)), 0);
	for (size_t i = 0; i < sizeof(data); i += 64)
		assert_memory_equal(data + i, want, 64);
	assert_int_equal(cipher_decrypt(c, 0, 5, data, sizeof(data)), 0);
	for (size_t i = 0; i < sizeof(data); i += 64)
		assert_memory_equal(data + i, plain, 64);
}

/* One block of @name under @key. */
static void one_block(const char *name, const uint8_t *key, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, evp, key, NULL, NULL), 1);
	assert_int_equal(EVP_CIPHER_CTX_set_padding(ctx, 0), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, BLOCK), 1);
	assert_int_equal(n, BLOCK);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(evp);
}

/* C(i) = E(P(i) xor C(i - 1)), C(-1) the IV. */
static void cbc_by_hand(const char *ecb, const uint8_t *key, const uint8_t *iv, uint8_t *data,
			size_t size)
{
	for (size_t i = 0; i < size; i += BLOCK) {
		for (size_t j = 0; j < BLOCK; j++)
			data[i + j] ^= i == 0 ? iv[j] : data[i - BLOCK + j];
		one_block(ecb, key, data + i, data + i);
	}
}

/* Three sectors from sector 2^32 + 17 on: numbers that "plain" cuts. */
#define FIRST (UINT64_C(0x100000000) + 17)

typedef void (*iv_fn)(uint64_t sector, const struct secret *key, uint8_t *iv);

static void iv_plain(uint64_t sector, const struct secret *key, uint8_t *iv)
{
	const uint32_t le = htole32((uint32_t)sector);

	(void)key;
	memcpy(iv, &le, sizeof(le));
}

static void iv_plain64(uint64_t sector, const struct secret *key, uint8_t *iv)
{
	const uint64_t le = htole64(sector);

	(void)key;
	memcpy(iv, &le, sizeof(le));
}

static void iv_plain64be(uint64_t sector, const struct secret *key, uint8_t *iv)
{
	const uint64_t be = htobe64(sector);

	(void)key;
	memcpy(iv + 8, &be, sizeof(be));
}

static void iv_essiv_aes(uint64_t sector, const struct secret *key, uint8_t *iv)
{
	uint8_t salt[32];
	size_t n;

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, key->data, key->size, salt, &n), 1);
	iv_plain64(sector, NULL, iv);
	one_block("AES-256-ECB", salt, iv, iv);
}

static void iv_essiv_camellia(uint64_t sector, const struct secret *key, uint8_t *iv)
{
	uint8_t salt[32];
	size_t n;

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, key->data, key->size, salt, &n), 1);
	iv_plain64(sector, NULL, iv);
	one_block("CAMELLIA-256-ECB", salt, iv, iv);
}

static void cbc_is_a_chain_from_the_iv_of_the_sector(void **state)
{
	static const struct {
		const char *spec, *ecb;
		size_t key_size;
		iv_fn iv;
	} v[] = {
		{"aes-cbc-plain", "AES-256-ECB", 32, iv_plain},
		{"aes-cbc-plain64", "AES-128-ECB", 16, iv_plain64},
		{"aes-cbc-plain64be", "AES-192-ECB", 24, iv_plain64be},
		{"aes-cbc-essiv:sha256", "AES-256-ECB", 32, iv_essiv_aes},
		{"aes-cbc-essiv:sha256", "AES-128-ECB", 16, iv_essiv_aes},
		{"camellia-cbc-essiv:sha256", "CAMELLIA-128-ECB", 16, iv_essiv_camellia},
		{"aria-cbc-plain64", "ARIA-256-ECB", 32, iv_plain64},
		{"sm4-cbc-plain64", "SM4-ECB", 16, iv_plain64},
	};
	static const uint32_t sizes[] = {512, 1024, 2048, 4096};
	uint8_t data[3 * 4096], want[sizeof(data)], iv[BLOCK];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v) * ARRAY_SIZE(sizes); i++) {
		const uint32_t size = sizes[i % ARRAY_SIZE(sizes)];
		const size_t t = i / ARRAY_SIZE(sizes);
		_cleanup_(secret_freep) struct secret *key = key_sized(v[t].key_size);
		_cleanup_(cipher_freep) struct cipher *c = cipher_of(v[t].spec, key, size);

		fill(data, sizeof(data));
		fill(want, sizeof(want));
		for (unsigned s = 0; s < 3; s++) {
			memset(iv, 0, sizeof(iv));
			/* Counted in 512 bytes also where a sector is larger. */
			v[t].iv(FIRST + (uint64_t)s * (size / 512), key, iv);
			cbc_by_hand(v[t].ecb, key->data, iv, want + (size_t)s * size, size);
		}
		assert_int_equal(cipher_encrypt(c, 0, FIRST, data, (size_t)3 * size), 0);
		assert_memory_equal(data, want, sizeof(data));
		assert_int_equal(cipher_decrypt(c, 0, FIRST, data, (size_t)3 * size), 0);
		fill(want, sizeof(want));
		assert_memory_equal(data, want, sizeof(data));
	}
}

/* With both halves of the key hashed; the tweak of the xts sector is then the essiv IV. */
static void xts_takes_an_essiv_iv(void **state)
{
	_cleanup_(secret_freep) struct secret *key = key_sized(64);
	_cleanup_(cipher_freep) struct cipher *c = cipher_of("aes-xts-essiv:sha256", key, 512);
	EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, "AES-256-XTS", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t data[512], want[512], iv[BLOCK] = {0};
	int n;

	(void)state;
	fill(data, sizeof(data));
	iv_essiv_aes(FIRST, key, iv);
	assert_int_equal(EVP_EncryptInit_ex2(ctx, evp, key->data, iv, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, want, &n, data, sizeof(data)), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(evp);
	assert_int_equal(cipher_encrypt(c, 0, FIRST, data, sizeof(data)), 0);
	assert_memory_equal(data, want, sizeof(data));
}

#if HAVE_GCRYPT_H
/* Many sectors of each size: each library has ways of its own for long and for short runs. */
static void both_libraries_make_the_same_sectors(void **state)
{
	static const char *const specs[] = {"aes-xts-plain64", "aes-xts-plain", "aes-xts-plain64be",
					    "aes-xts-essiv:sha256"};
	static uint8_t data[2][17 * 4096];
	static const uint8_t *const one = data[CIPHER_OPENSSL], *const other = data[CIPHER_GCRYPT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs) * 8; i++) {
		_cleanup_(secret_freep) struct secret *key = key_sized(i % 2 ? 64 : 32);
		_cleanup_(cipher_freep) struct cipher *c =
			cipher_of(specs[i / 8], key, 512U << i / 2 % 4);

		for (unsigned l = 0; l < LIBRARIES; l++) {
			assert_int_equal(cipher_use(c, l), 0);
			assert_string_equal(cipher_library_name(c), l ? "libgcrypt" : "OpenSSL");
			fill(data[l], sizeof(data[l]));
			assert_int_equal(cipher_encrypt(c, 0, FIRST, data[l], sizeof(data[l])), 0);
		}
		assert_memory_equal(one, other, sizeof(data[0]));
		for (unsigned l = 0; l < LIBRARIES; l++) {
			assert_int_equal(cipher_use(c, l), 0);
			assert_int_equal(cipher_decrypt(c, 0, 1, data[l], sizeof(data[l])), 0);
		}
		assert_memory_equal(one, other, sizeof(data[0]));
	}
}

static void the_other_library_is_for_aes_xts_only(void **state)
{
	static const char *const specs[] = {"aes-cbc-plain64", "aes-ecb", "cipher_null-ecb"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_(secret_freep) struct secret *key = key_sized(32);
		_cleanup_(cipher_freep) struct cipher *c = cipher_of(specs[i], key, 512);

		assert_int_equal(cipher_use(c, CIPHER_GCRYPT), -EOPNOTSUPP);
		assert_int_equal(cipher_use_fastest(c), 0);
		assert_string_equal(cipher_library_name(c), "OpenSSL");
	}
}
#endif

static void cipher_null_changes_nothing(void **state)
{
	_cleanup_(secret_freep) struct secret *key = key_sized(32);
	_cleanup_(cipher_freep) struct cipher *c = cipher_of("cipher_null-ecb", key, 512);
	uint8_t data[1024], want[1024];

	(void)state;
	fill(data, sizeof(data));
	fill(want, sizeof(want));
	assert_int_equal(cipher_encrypt(c, 0, 1, data, sizeof(data)), 0);
	assert_memory_equal(data, want, sizeof(data));
	assert_int_equal(cipher_decrypt(c, 0, 1, data, sizeof(data)), 0);
	assert_memory_equal(data, want, sizeof(data));
}

static void what_cannot_be_done_is_refused(void **state)
{
	static const struct {
		const char *spec;
		size_t key_size;
		uint32_t sector_size;
		int error;
	} v[] = {
		{"serpent-xts-plain64", 64, 512, -EOPNOTSUPP},
		{"twofish-cbc-essiv:sha256", 32, 512, -EOPNOTSUPP},
		{"aes-lrw-benbi", 32, 512, -EOPNOTSUPP},
		{"aes-cbc-benbi", 32, 512, -EOPNOTSUPP},
		{"aes-xts-random", 64, 512, -EOPNOTSUPP},
		{"xchacha12,aes-adiantum-plain64", 32, 512, -EOPNOTSUPP},
		{"aes:64-cbc-lmk", 64, 512, -EOPNOTSUPP},
		{"cipher_null-cbc-plain64", 32, 512, -EOPNOTSUPP},
		{"aes-xts-eboiv", 64, 512, -EOPNOTSUPP},
		{"camellia-xts-plain64", 64, 512, -EOPNOTSUPP},
		{"capi:xts(ecb(aes))-plain64", 64, 512, -EOPNOTSUPP},
		{"capi:xts(aes)", 64, 512, -EOPNOTSUPP},
		{"capi:essiv(cbc(aes),sha256)-plain", 32, 512, -EOPNOTSUPP},
		{"aes-xts-plain64", 48, 512, -EOPNOTSUPP}, /* AES-192: the kernel has it */
		{"aes-cbc-essiv:nohash", 32, 512, -EOPNOTSUPP},
		{"aes-cbc-essiv:", 32, 512, -EOPNOTSUPP},
		{"aes-cbc-essiv:sha512", 32, 512, -EOPNOTSUPP}, /* no AES key has 64 bytes */
		{"aes-cbc-plain64 ", 32, 512, -EOPNOTSUPP},
		{"aes-xts-plain64", 16, 512, -EINVAL},
		{"aes-xts-plain64", 63, 512, -EINVAL},
		{"aes-xts-plain64", 128, 512, -EINVAL},
		{"aes-cbc-plain64", 20, 512, -EINVAL},
		{"aes-xts-plain64", 64, 256, -EINVAL},
		{"aes-xts-plain64", 64, 8192, -EINVAL},
		{"aes-xts-plain64", 64, 1536, -EINVAL},
		{"aes-xts-plain64", 64, 0, -EINVAL},
		{"", 64, 512, -EINVAL},
		{"aes", 64, 512, -EINVAL},
		{"aes-", 64, 512, -EINVAL},
		{"aes-xts", 64, 512, -EINVAL},
		{"aes-xts-", 64, 512, -EINVAL},
		{"-xts-plain64", 64, 512, -EINVAL},
		{"aes--plain64", 64, 512, -EINVAL},
		{"a\xffs-xts-plain64", 64, 512, -EINVAL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-xts-plain64", 64, 512, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		_cleanup_(secret_freep) struct secret *key = key_sized(v[i].key_size);
		struct cipher *c = NULL;

		assert_int_equal(cipher_new(v[i].spec, key, v[i].sector_size, 1, &c), v[i].error);
		assert_null(c);
	}
}

static void names_are_completed_as_cryptsetup_does(void **state)
{
	static const struct {
		const char *given, *whole;
	} v[] = {
		{"null", "cipher_null-ecb"},
		{"cipher_null", "cipher_null-ecb"},
		{"aes", "aes-cbc-plain"},
		{"aes-plain", "aes-cbc-plain"},
		{"aes-xts-plain64", "aes-xts-plain64"},
		{"aes-cbc-essiv:sha3-256", "aes-cbc-essiv:sha3-256"},
		{"aes-xts-plain", "aes-xts-plain"},
		{"capi:xts(aes)-plain64", "aes-xts-plain64"},
		{"capi:cbc(aes)-essiv:sha3-256", "aes-cbc-essiv:sha3-256"},
		{"capi:adiantum(xchacha12,aes)-plain64", "xchacha12,aes-adiantum-plain64"},
		{"capi:essiv(cbc(aes),sha256)-plain64", "aes-cbc-essiv:sha256"},
		{"capi:essiv(cbc(aes),sha256)-plain", "capi:essiv(cbc(aes),sha256)-plain"},
		{"capi:xts(ecb(aes))-plain64", "capi:xts(ecb(aes))-plain64"},
		{"capi:xts(aes)", "capi:xts(aes)"},
		{"capi:ecb(aes)-null", "aes-ecb"},
		{"capi:ecb(cipher_null)-plain64", "cipher_null-ecb"},
	};
	char whole[160], small[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		assert_int_equal(cipher_spec_complete(v[i].given, whole, sizeof(whole)), 0);
		assert_string_equal(whole, v[i].whole);
		assert_true(cipher_spec_same(v[i].given, v[i].whole));
	}
	assert_true(cipher_is_null("capi:ecb(cipher_null)-null"));
	assert_false(cipher_is_null("capi:ecb(aes)-null"));
	assert_int_equal(cipher_spec_complete("aes", small, sizeof(small)), -ENAMETOOLONG);
	assert_false(cipher_spec_same("aes", "aes-xts-plain64"));
}

static void what_no_module_would_help_is_told(void **state)
{
	static const struct {
		const char *spec, *says; /* NULL: nothing is said */
	} ivs[] = {
		{"aes-xts-random", "a random IV cannot be computed again"},
		{"capi:cbc(aes)-random", "a random IV cannot be computed again"},
		{"aes-cbc-essiv:sha1",
		 "the digest of sha1 for a key of aes, which cannot have 160 bits"},
		{"aes-cbc-essiv:sha512", "cannot have 512 bits"},
		{"serpent-xts-essiv:sha512", "cannot have 512 bits"},
		{"des3_ede-cbc-essiv:sha256", "cannot have 256 bits"},
		{"aes:64-cbc-lmk", "of loop-AES"},
		{"aes-cbc-tcw", "of TrueCrypt"},
		{"aes-cbc-essiv:sha256", NULL},
		{"serpent-cbc-essiv:sha1", NULL}, /* the kernel's takes a key of any size */
		{"cast6-cbc-essiv:sha1", NULL},
		{"aes-cbc-essiv:nohash", NULL},
		{"newcipher-cbc-essiv:sha512", NULL},
		{"aes-xts-plain64", NULL},
		{"aes-", NULL},
	};
	static const struct {
		const char *spec;
		size_t bits;
		const char *sizes;
	} keys[] = {
		{"serpent-xts-plain64", 576, "128, 192, 256, 320, 384 or 512"},
		{"twofish-xts-plain64", 320, "256, 384 or 512"},
		{"aes-lrw-benbi", 512, "256, 320 or 384"},
		{"aes-lrw-benbi", 128, "256, 320 or 384"},
		{"cast6-cbc-plain64", 512, "128, 192 or 256"},
		{"des3_ede-cbc-plain64", 256, "192"},
		{"aes-xts-eboiv", 512, "256"},
		{"aes-xts-eboiv", 256, NULL},
		{"aes-cbc-eboiv", 192, NULL},
		{"xchacha12,aes-adiantum-plain64", 512, "256"},
		{"xchacha12,aes-adiantum-plain64", 256, NULL},
		{"aes-lrw-benbi", 384, NULL},
		{"aes-xts-plain64", 384, NULL},
		{"serpent-xts-plain64", 320, NULL},
		{"newcipher-xts-plain64", 8, NULL},
		{"aes-newmode-plain64", 8, NULL},
		{"aes-", 8, NULL},
	};
	char buf[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ivs); i++) {
		assert_int_equal(cipher_iv_misfits(ivs[i].spec, buf, sizeof(buf)), !!ivs[i].says);
		if (ivs[i].says)
			assert_non_null(strstr(buf, ivs[i].says));
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_int_equal(
			cipher_key_misfits(keys[i].spec, keys[i].bits / 8, buf, sizeof(buf)),
			!!keys[i].sizes);
		if (keys[i].sizes)
			assert_string_equal(buf, keys[i].sizes);
	}
}

static void an_xts_key_of_equal_halves_is_refused(void **state)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	struct cipher *c = NULL;

	(void)state;
	assert_int_equal(secret_new(64, &key), 0);
	assert_int_equal(cipher_new("aes-xts-plain64", key, 512, 1, &c), -EINVAL);
	assert_null(c);
}

static void zeros_tell_of_unwritten_sectors_where_each_has_its_own_iv(void **state)
{
	static const char *const yes[] = {"aes-xts-plain64", "aes-xts-plain", "serpent-xts-plain64",
					  "aes-cbc-essiv:sha256", "twofish-cbc-plain64"};
	static const char *const no[] = {"cipher_null-ecb", "cipher_null-xts-plain64", "aes-ecb",
					 "aes-cbc-null",    "aes-ctr-plain64",         "aes",
					 "aes-xts-random",  "capi:lrw(aes)-plain64",   ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(cipher_tells_unwritten(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(cipher_tells_unwritten(no[i]));
}

static void part_of_a_sector_is_refused(void **state)
{
	_cleanup_(secret_freep) struct secret *key = key_sized(64);
	_cleanup_(cipher_freep) struct cipher *c = cipher_of("aes-xts-plain64", key, 4096);
	uint8_t data[4096] = {0};

	(void)state;
	assert_int_equal(cipher_encrypt(c, 0, 0, data, 512), -EINVAL);
	assert_int_equal(cipher_decrypt(c, 0, 0, data, 4095), -EINVAL);
	for (size_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
}

/* The process runs with its memory locked and, at times, the root file system frozen. */
static void nothing_is_allocated_after_cipher_new(void **state)
{
	static const char *const specs[] = {"aes-xts-plain64", "aes-cbc-essiv:sha256", "aes-ecb"};
	uint8_t data[4096];

	(void)state;
	fill(data, sizeof(data));
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_(secret_freep) struct secret *key = key_sized(32);
		const unsigned long start = allocations;
		_cleanup_(cipher_freep) struct cipher *c = cipher_of(specs[i], key, 512);
		const unsigned long before = allocations;

		assert_true(before > start); /* else the count does not count */
		for (unsigned n = 0; n < 100; n++) {
			assert_int_equal(cipher_encrypt(c, 0, n, data, sizeof(data)), 0);
			assert_int_equal(cipher_decrypt(c, 0, n, data, sizeof(data)), 0);
		}
		assert_int_equal(allocations, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xts_matches_the_vectors_of_ieee_1619),
		cmocka_unit_test(ecb_matches_the_vectors_of_sp800_38a),
		cmocka_unit_test(cbc_is_a_chain_from_the_iv_of_the_sector),
		cmocka_unit_test(xts_takes_an_essiv_iv),
#if HAVE_GCRYPT_H
		cmocka_unit_test(both_libraries_make_the_same_sectors),
		cmocka_unit_test(the_other_library_is_for_aes_xts_only),
#endif
		cmocka_unit_test(cipher_null_changes_nothing),
		cmocka_unit_test(what_cannot_be_done_is_refused),
		cmocka_unit_test(names_are_completed_as_cryptsetup_does),
		cmocka_unit_test(what_no_module_would_help_is_told),
		cmocka_unit_test(an_xts_key_of_equal_halves_is_refused),
		cmocka_unit_test(part_of_a_sector_is_refused),
		cmocka_unit_test(zeros_tell_of_unwritten_sectors_where_each_has_its_own_iv),
		cmocka_unit_test(nothing_is_allocated_after_cipher_new),
	};

	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
