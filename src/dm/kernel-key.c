/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/kernel-key.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/cipher-spec.h"

/* What dm-crypt has for a key of no bytes. */
#define NO_KEY "-"

static int hex_text(const struct secret *key, struct secret **ret)
{
	static const char digits[] = "0123456789abcdef";
	_cleanup_(secret_freep) struct secret *text = NULL;
	int r = secret_new(2 * key->size + 1, &text);

	if (r < 0)
		return r;
	for (size_t i = 0; i < key->size; i++) {
		text->data[2 * i] = (uint8_t)digits[key->data[i] >> 4];
		text->data[2 * i + 1] = (uint8_t)digits[key->data[i] & 15];
	}
	secret_truncate(text, 2 * key->size);
	*ret = TAKE_PTR(text);
	return 0;
}

bool kernel_key_is_named(const char *text, size_t size)
{
	return size > 0 && text[0] == ':';
}

bool kernel_key_is_none(const char *text, size_t size)
{
	return size == strlen(NO_KEY) && memcmp(text, NO_KEY, size) == 0;
}

bool kernel_key_has_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0) >= 0 ||
	       errno != ENOSYS;
}

int kernel_key_text(const char *cipher, const char *uuid, unsigned digest, const struct secret *key,
		    bool keyring, struct secret **ret)
{
	char text[128];
	int n;

	if (cipher_is_null(cipher))
		return secret_copy(NO_KEY, strlen(NO_KEY), ret);
	if (!keyring)
		return hex_text(key, ret);
	n = snprintf(text, sizeof(text), ":%zu:logon:cryptsetup:%s-d%u", key->size, uuid, digest);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -EINVAL;
	return secret_copy(text, (size_t)n, ret);
}

int kernel_key_add(const struct secret *text, const struct secret *key, int32_t *ret)
{
	static const char type[] = "logon";
	char description[128];
	const char *p = memmem(text->data, text->size, ":logon:", 7);
	long serial;
	int n;

	assert(kernel_key_is_named((const char *)text->data, text->size));
	if (!p)
		return -EINVAL;
	p += 7;
	n = snprintf(description, sizeof(description), "%.*s",
		     (int)(text->size - (size_t)(p - (const char *)text->data)), p);
	if (n < 0 || (size_t)n >= sizeof(description))
		return -EINVAL;
	serial = syscall(SYS_add_key, type, description, key->data, key->size,
			 KEY_SPEC_THREAD_KEYRING);
	if (serial < 0)
		return -errno;
	*ret = (int32_t)serial;
	return 0;
}

int kernel_key_drop(int32_t serial)
{
	if (syscall(SYS_keyctl, KEYCTL_REVOKE, serial) < 0)
		return -errno;
	if (syscall(SYS_keyctl, KEYCTL_UNLINK, serial, KEY_SPEC_THREAD_KEYRING) < 0)
		return -errno;
	return 0;
}
