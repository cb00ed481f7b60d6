/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/gcrypt-xts.h"

#include <errno.h>

#if HAVE_GCRYPT_H

#include <dlfcn.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/algorithm.h"
#include "util/checked.h"

/* The ABI that the header of this file describes: it is that of all versions from 1.6 on. */
#define LIBRARY "libgcrypt.so.20"

static struct {
	const char *(*check_version)(const char *oldest);
	gcry_error_t (*control)(enum gcry_ctl_cmds what, ...);
	gcry_error_t (*open)(gcry_cipher_hd_t *ret, int cipher, int mode, unsigned flags);
	gcry_error_t (*set_key)(gcry_cipher_hd_t h, const void *key, size_t size);
	gcry_error_t (*set_iv)(gcry_cipher_hd_t h, const void *iv, size_t size);
	gcry_error_t (*encrypt)(gcry_cipher_hd_t h, void *out, size_t out_size, const void *in,
				size_t in_size);
	gcry_error_t (*decrypt)(gcry_cipher_hd_t h, void *out, size_t out_size, const void *in,
				size_t in_size);
	void (*close)(gcry_cipher_hd_t h);
} library;

static int library_error = -EOPNOTSUPP;

/* The library is another's as well, who may have set it up: libcryptsetup can be built with it. */
static bool set_up_library(void)
{
	if (library.control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return true;
	if (!library.check_version(NULL))
		return false;
	/* All memory of the process is locked already. */
	return library.control(GCRYCTL_DISABLE_SECMEM) == 0 &&
	       library.control(GCRYCTL_INITIALIZATION_FINISHED) == 0;
}

static void load_library(void)
{
	const struct {
		const char *name;
		void **function;
	} symbols[] = {
		{"gcry_check_version", (void **)&library.check_version},
		{"gcry_control", (void **)&library.control},
		{"gcry_cipher_open", (void **)&library.open},
		{"gcry_cipher_setkey", (void **)&library.set_key},
		{"gcry_cipher_setiv", (void **)&library.set_iv},
		{"gcry_cipher_encrypt", (void **)&library.encrypt},
		{"gcry_cipher_decrypt", (void **)&library.decrypt},
		{"gcry_cipher_close", (void **)&library.close},
	};
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!handle)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		*symbols[i].function = dlsym(handle, symbols[i].name);
		if (!*symbols[i].function)
			return;
	}
	if (set_up_library())
		library_error = 0;
}

struct gcrypt_xts {
	gcry_cipher_hd_t handle;
};

int gcrypt_xts_new(const struct secret *key, struct gcrypt_xts **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(gcrypt_xts_freep) struct gcrypt_xts *x = NULL;
	const int cipher = key->size == 64   ? GCRY_CIPHER_AES256
			   : key->size == 32 ? GCRY_CIPHER_AES128
					     : GCRY_CIPHER_NONE;

	(void)pthread_once(&once, load_library);
	if (library_error < 0 || cipher == GCRY_CIPHER_NONE)
		return -EOPNOTSUPP;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	/* A library in FIPS mode, or without AES, refuses what OpenSSL has taken. */
	if (library.open(&x->handle, cipher, GCRY_CIPHER_MODE_XTS, 0) != 0 ||
	    library.set_key(x->handle, key->data, key->size) != 0)
		return -EOPNOTSUPP;
	*ret = TAKE_PTR(x);
	return 0;
}

struct gcrypt_xts *gcrypt_xts_free(struct gcrypt_xts *x)
{
	if (!x)
		return NULL;
	if (x->handle)
		library.close(x->handle);
	free(x);
	return NULL;
}

int gcrypt_xts_encrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	return library.set_iv(x->handle, iv, CIPHER_BLOCK) == 0 &&
			       library.encrypt(x->handle, data, size, NULL, 0) == 0
		       ? 0
		       : -EIO;
}

int gcrypt_xts_decrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	return library.set_iv(x->handle, iv, CIPHER_BLOCK) == 0 &&
			       library.decrypt(x->handle, data, size, NULL, 0) == 0
		       ? 0
		       : -EIO;
}

#else

int gcrypt_xts_new(const struct secret *key, struct gcrypt_xts **ret)
{
	(void)key;
	(void)ret;
	return -EOPNOTSUPP;
}

struct gcrypt_xts *gcrypt_xts_free(struct gcrypt_xts *x)
{
	(void)x;
	return NULL;
}

int gcrypt_xts_encrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	(void)x;
	(void)iv;
	(void)data;
	(void)size;
	return -EOPNOTSUPP;
}

int gcrypt_xts_decrypt(struct gcrypt_xts *x, const uint8_t *iv, void *data, size_t size)
{
	return gcrypt_xts_encrypt(x, iv, data, size);
}

#endif
