# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/crypto/librcrypto.a
src_crypto_librcrypto_a_SOURCES = \
	src/crypto/algorithm.c src/crypto/algorithm.h \
	src/crypto/checksum.c src/crypto/checksum.h \
	src/crypto/cipher.c src/crypto/cipher.h \
	src/crypto/cipher-spec.c src/crypto/cipher-spec.h \
	src/crypto/key-sizes.c src/crypto/key-sizes.h \
	src/crypto/gcrypt-xts.c src/crypto/gcrypt-xts.h \
	src/crypto/hash.c src/crypto/hash.h \
	src/crypto/iv.c src/crypto/iv.h \
	src/crypto/misfit.c src/crypto/misfit.h \
	src/crypto/multi-buffer.c src/crypto/multi-buffer.h \
	src/crypto/pool.c src/crypto/pool.h

CRYPTO_TEST_LIBS = src/crypto/librcrypto.a src/util/libutil.a \
	$(LIBCRYPTO_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/crypto/test-cipher src/crypto/test-checksum src/crypto/test-distrust \
	src/crypto/test-pool src/crypto/test-stock
src_crypto_test_cipher_SOURCES = src/crypto/test-cipher.c
src_crypto_test_cipher_LDADD = $(CRYPTO_TEST_LIBS)
src_crypto_test_checksum_SOURCES = src/crypto/test-checksum.c
src_crypto_test_checksum_LDADD = $(CRYPTO_TEST_LIBS)
# Its own object comes before that of the library, of which it stands in place of a part.
src_crypto_test_distrust_SOURCES = src/crypto/test-distrust.c
src_crypto_test_distrust_LDADD = $(CRYPTO_TEST_LIBS)
src_crypto_test_pool_SOURCES = src/crypto/test-pool.c
src_crypto_test_pool_LDADD = $(CRYPTO_TEST_LIBS)
src_crypto_test_stock_SOURCES = src/crypto/test-stock.c
src_crypto_test_stock_LDADD = $(CRYPTO_TEST_LIBS) $(CRYPTSETUP_LIBS)

# Compares with a kernel's dm-crypt; the tests in virtual machines run it.
check_PROGRAMS += tests/vm/cipher-vectors
tests_vm_cipher_vectors_SOURCES = tests/vm/cipher-vectors.c
tests_vm_cipher_vectors_LDADD = src/crypto/librcrypto.a src/util/libutil.a \
	$(LIBCRYPTO_LIBS) $(LIBSYSTEMD_LIBS)
