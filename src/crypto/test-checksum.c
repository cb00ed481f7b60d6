/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digests of blocks against the published ones of FIPS 180-4's examples and others. */
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
#include <openssl/provider.h>

#include "crypto/checksum.h"
#include "util/checked.h"

/* What OpenSSL holds now and has held at most, through the functions that main() gave it. */
static long held, most_held;

static void *count_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	held++;
	most_held = MAX(most_held, held);
	return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
	if (!p)
		return count_malloc(n, file, line);
	return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p)
		held--;
	free(p);
}

static void digests_are_the_published_ones(void **state)
{
	static const struct {
		const char *hash, *message, *digest;
	} v[] = {
		{"sha256", "abc",
		 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha256", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha512", "abc",
		 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"sha3-256", "abc",
		 "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
		/* Of OpenSSL's legacy provider, where that is installed: */
		{"whirlpool", "abc",
		 "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
		 "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5"},
		{"md4", "abc", "a448017aaf21d8525fc10ae87aa6729d"},
	};
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
	const size_t n_here = ARRAY_SIZE(v) - (legacy ? 0 : 2);

	(void)state;
	(void)OSSL_PROVIDER_unload(legacy);
	for (size_t i = 0; i < n_here; i++) {
		_cleanup_(checksum_freep) struct checksum *c = NULL;
		const size_t n = strlen(v[i].message);
		uint8_t digest[EVP_MAX_MD_SIZE];
		char hex[2 * EVP_MAX_MD_SIZE + 1];

		assert_int_equal(checksum_new(v[i].hash, 1, &c), 0);
		assert_int_equal(checksum_size(c), strlen(v[i].digest) / 2);
		assert_int_equal(checksum_blocks(c, 0, v[i].message, n, n, digest), 0);
		for (size_t j = 0; j < checksum_size(c); j++)
			(void)snprintf(hex + 2 * j, 3, "%02x", digest[j]);
		assert_string_equal(hex, v[i].digest);
	}
}

static void each_block_has_its_own_digest_back_to_back(void **state)
{
	_cleanup_(checksum_freep) struct checksum *c = NULL;
	uint8_t data[8 * 512], digests[8 * 32 + 1], want[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + (i >> 9));
	digests[sizeof(digests) - 1] = 0x5a;
	assert_int_equal(checksum_new("sha256", 3, &c), 0);
	assert_int_equal(checksum_blocks(c, 2, data, sizeof(data), 512, digests), 0);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, data + 512 * i, 512, want, &n),
				 1);
		assert_memory_equal(digests + 32 * i, want, 32);
	}
	assert_int_equal(digests[sizeof(digests) - 1], 0x5a);
}

static void what_cannot_be_done_is_refused(void **state)
{
	_cleanup_(checksum_freep) struct checksum *c = NULL;
	struct checksum *none = NULL;
	uint8_t data[1024] = {0}, digest[EVP_MAX_MD_SIZE];

	(void)state;
	assert_int_equal(checksum_new("nohash", 1, &none), -EOPNOTSUPP);
	assert_int_equal(checksum_new("", 1, &none), -EOPNOTSUPP);
	assert_int_equal(checksum_new("sha256", 0, &none), -EINVAL);
	assert_null(none);
	assert_int_equal(checksum_new("sha256", 1, &c), 0);
	assert_int_equal(checksum_blocks(c, 0, data, 1000, 512, digest), -EINVAL);
	assert_int_equal(checksum_blocks(c, 0, data, 1024, 0, digest), -EINVAL);
}

/*
 * OpenSSL 3.0 gives its state back and takes it anew for each digest; never more than one at once
 * means that the heap cannot grow.
 */
static void the_heap_does_not_grow_per_block(void **state)
{
	static const char *const hashes[] = {"sha256", "sha1", "sha512"};
	static uint8_t data[16 * 4096], digests[128 * EVP_MAX_MD_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		const long start = held;
		_cleanup_(checksum_freep) struct checksum *c = NULL;
		long before;

		assert_int_equal(checksum_new(hashes[i], 1, &c), 0);
		before = held;
		assert_true(before > start); /* else the count does not count */
		most_held = held;
		assert_int_equal(checksum_blocks(c, 0, data, sizeof(data), 512, digests), 0);
		assert_int_equal(held, before);
		assert_int_equal(most_held, before);
	}
}

/* Blocks of each size a sector or checksum may have, in numbers that fill no vector evenly. */
static void both_libraries_make_the_same_digests(void **state)
{
	static const char *const hashes[] = {"sha1", "sha224", "sha256", "sha384", "sha512"};
	static uint8_t data[37 * 4096], digests[2][37 * EVP_MAX_MD_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 13));
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		_cleanup_(checksum_freep) struct checksum *c = NULL;

		assert_int_equal(checksum_new(hashes[i], 2, &c), 0);
		assert_string_equal(checksum_library_name(c), "OpenSSL");
		for (size_t size = 512; size <= 4096; size *= 2) {
			for (size_t n = 1; n <= 37; n += 6) {
				assert_int_equal(checksum_use(c, CHECKSUM_OPENSSL), 0);
				assert_int_equal(
					checksum_blocks(c, 1, data, n * size, size, digests[0]), 0);
				if (checksum_use(c, CHECKSUM_MULTI_BUFFER) == -EOPNOTSUPP)
					skip();
				assert_string_equal(checksum_library_name(c), "multi-buffer");
				memset(digests[1], 0, sizeof(digests[1]));
				assert_int_equal(
					checksum_blocks(c, 1, data, n * size, size, digests[1]), 0);
				assert_memory_equal(digests[0], digests[1], n * checksum_size(c));
			}
		}
	}
}

static void the_fastest_is_one_of_the_two(void **state)
{
	static const char *const hashes[] = {"sha256", "sha3-256"};
	uint8_t block[512] = {1}, digest[2][EVP_MAX_MD_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		_cleanup_(checksum_freep) struct checksum *c = NULL;

		assert_int_equal(checksum_new(hashes[i], 1, &c), 0);
		assert_int_equal(checksum_blocks(c, 0, block, 512, 512, digest[0]), 0);
		assert_int_equal(checksum_use_fastest(c, 4096), 0);
		assert_int_equal(checksum_blocks(c, 0, block, 512, 512, digest[1]), 0);
		assert_memory_equal(digest[0], digest[1], checksum_size(c));
	}
}

static void a_hash_that_only_openssl_has_stays_with_it(void **state)
{
	_cleanup_(checksum_freep) struct checksum *c = NULL;

	(void)state;
	assert_int_equal(checksum_new("sha3-256", 1, &c), 0);
	assert_int_equal(checksum_use(c, CHECKSUM_MULTI_BUFFER), -EOPNOTSUPP);
	assert_string_equal(checksum_library_name(c), "OpenSSL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_the_published_ones),
		cmocka_unit_test(each_block_has_its_own_digest_back_to_back),
		cmocka_unit_test(what_cannot_be_done_is_refused),
		cmocka_unit_test(the_heap_does_not_grow_per_block),
		cmocka_unit_test(both_libraries_make_the_same_digests),
		cmocka_unit_test(the_fastest_is_one_of_the_two),
		cmocka_unit_test(a_hash_that_only_openssl_has_stays_with_it),
	};

	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
