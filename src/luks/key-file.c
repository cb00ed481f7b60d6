/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/key-file.h"

#include <errno.h>
#include <libcryptsetup.h>

#include "luks/context.h"

static int read_key(const char *path, uint64_t offset, size_t size, uint32_t flags,
		    struct secret **ret)
{
	char *key = NULL;
	size_t got = 0;
	int r;

	luks_context_capture_log();
	r = crypt_keyfile_device_read(NULL, path, &key, &got, offset, size, flags);
	if (r == 0)
		r = secret_copy(key ? key : "", got, ret);
	else if (r == -EPIPE)
		r = -ENODATA;
	crypt_safe_free(key);
	return r;
}

int luks_key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret)
{
	return read_key(path, offset, size, 0, ret);
}

int luks_key_line_read(struct secret **ret)
{
	return read_key(NULL, 0, 0, CRYPT_KEYFILE_STOP_EOL, ret);
}
