/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/key-file.h"

#include <errno.h>
#include <libcryptsetup.h>

#include "luks/context.h"

static void crypt_safe_freep(char **p)
{
	crypt_safe_free(*p);
}

static int read_key(const char *path, uint64_t offset, size_t size, uint32_t flags,
		    struct secret **ret)
{
	_cleanup_(crypt_safe_freep) char *key = NULL;
	size_t got = 0;
	int r;

	luks_context_capture_log();
	r = crypt_keyfile_device_read(NULL, path, &key, &got, offset, size, flags);
	if (r < 0)
		return r == -EPIPE ? -ENODATA : r;
	return secret_copy(key ? key : "", got, ret);
}

int luks_key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret)
{
	return read_key(path, offset, size, 0, ret);
}

int luks_key_line_read(struct secret **ret)
{
	return read_key(NULL, 0, 0, CRYPT_KEYFILE_STOP_EOL, ret);
}
