/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/key-ring.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#define TYPE_SIZE 32 /* bytes, with the end; longer than the name of any type of the kernel */

/* keyctl(KEYCTL_READ): copies what fits and returns the whole size. */
static long read_key(long key, void *buf, size_t size)
{
	return syscall(SYS_keyctl, (unsigned long)KEYCTL_READ, key, buf, size, 0UL);
}

/* A key of type "logon" has nothing that reads it. */
static int error_of_read(void)
{
	return errno == EOPNOTSUPP ? -EACCES : errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int take_key(long key, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	const long size = read_key(key, NULL, 0);
	int r;

	if (size < 0)
		return error_of_read();
	if (size == 0)
		return -ENOKEY;
	r = secret_new((size_t)size, &s);
	if (r < 0)
		return r;
	if (read_key(key, s->data, s->size) != size)
		return -EAGAIN;
	*ret = TAKE_PTR(s);
	return 0;
}

static int find_key(const char *type, const char *description, struct secret **ret)
{
	const long key = syscall(SYS_request_key, type, description, NULL, 0L);

	if (key < 0)
		return errno == ENOSYS ? -EOPNOTSUPP : errno == EACCES ? -EACCES : -ENOKEY;
	return take_key(key, ret);
}

int luks_keyring_passphrase(const char *description, struct secret **ret)
{
	return find_key("user", description, ret);
}

static int key_by_number(const char *text, struct secret **ret)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (errno != 0 || *end || n == 0 || n > INT32_MAX)
		return -EINVAL;
	return take_key((long)n, ret);
}

int luks_keyring_key(const char *text, struct secret **ret)
{
	const char *colon = strchr(text, ':');
	char type[TYPE_SIZE];
	int n;

	if (isdigit((unsigned char)*text) && text[strspn(text, "0123456789abcdefABCDEFxX")] == '\0')
		return key_by_number(text, ret);
	if (*text != '%')
		return *text ? luks_keyring_passphrase(text, ret) : -EINVAL;
	if (!colon || colon == text + 1 || !colon[1])
		return -EINVAL;
	n = snprintf(type, sizeof(type), "%.*s", (int)(colon - text - 1), text + 1);
	if (n < 0 || (size_t)n >= sizeof(type))
		return -EINVAL;
	return find_key(type, colon + 1, ret);
}
