/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A second library that encrypts or decrypts otherwise than OpenSSL, or fails, is not used: one
 * that is wrong would destroy the volume. It stands here in place of gcrypt-xts.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "crypto/cipher.h"
#include "crypto/gcrypt-xts.h"

static enum fault { NONE, WRONG_ENCRYPTION, WRONG_DECRYPTION, FAILURE } fault;

struct gcrypt_xts {
	EVP_CIPHER_CTX *encrypt, *decrypt;
};

int gcrypt_xts_new(const struct secret *key, struct gcrypt_xts **ret)
{
	struct gcrypt_xts *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->encrypt = EVP_CIPHER_CTX_new();
	x->decrypt = EVP_CIPHER_CTX_new();
	assert_int_equal(EVP_EncryptInit_ex(x->encrypt, EVP_aes_256_xts(), NULL, key->data, NULL),
			 1);
	assert_int_equal(EVP_DecryptInit_ex(x->decrypt, EVP_aes_256_xts(), NULL, key->data, NULL),
			 1);
	*ret = x;
	return 0;
}

struct gcrypt_xts *gcrypt_xts_free(struct gcrypt_xts *x)
{
	if (!x)
		return NULL;
	EVP_CIPHER_CTX_free(x->encrypt);
	EVP_CIPHER_CTX_free(x->decrypt);
	free(x);
	return NULL;
}

static int transform(EVP_CIPHER_CTX *ctx, const uint8_t *iv, uint8_t *data, size_t size, bool wrong)
{
	int n;

	assert_int_equal(EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, -1), 1);
	assert_int_equal(EVP_CipherUpdate(ctx, data, &n, data, (int)size), 1);
	/* The last bit of one sector of many: no more is needed. */
	if (wrong && iv[0] == 0xf8)
		data[size - 1] ^= 1;
	return fault == FAILURE ? -EIO : 0;
}

int gcrypt_xts_encrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	return transform(x->encrypt, iv, data, size, fault == WRONG_ENCRYPTION);
}

int gcrypt_xts_decrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	return transform(x->decrypt, iv, data, size, fault == WRONG_DECRYPTION);
}

static void a_library_that_is_wrong_is_not_used(void **state)
{
	static const struct {
		enum fault fault;
		int error;
	} v[] = {{NONE, 0},
		 {WRONG_ENCRYPTION, -EBADMSG},
		 {WRONG_DECRYPTION, -EBADMSG},
		 {FAILURE, -EBADMSG}};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		_cleanup_(secret_freep) struct secret *key = NULL;
		_cleanup_(cipher_freep) struct cipher *c = NULL;

		assert_int_equal(secret_new(64, &key), 0);
		for (size_t n = 0; n < key->size; n++)
			key->data[n] = (uint8_t)n;
		fault = v[i].fault;
		assert_int_equal(cipher_new("aes-xts-plain64", key, 512, 2, &c), 0);
		assert_int_equal(cipher_use(c, CIPHER_GCRYPT), v[i].error);
		assert_string_equal(cipher_library_name(c), v[i].error ? "OpenSSL" : "libgcrypt");
		assert_int_equal(cipher_use_fastest(c), 0);
		if (v[i].error)
			assert_string_equal(cipher_library_name(c), "OpenSSL");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_library_that_is_wrong_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
