/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/token-plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

/* The type is of the header, and becomes part of a path: as libcryptsetup allows it. */
static bool is_plugin_name(const char *type)
{
	const size_t n = strnlen(type, 65);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)type[i]) && type[i] != '-' && type[i] != '_')
			return false;
	return n > 0 && n <= 64;
}

static void close_plugin(void **plugin)
{
	if (*plugin)
		(void)dlclose(*plugin);
}

/* @ret: a pointer to a function pointer. */
static int find_function(void *plugin, const char *name, void *ret)
{
	void *symbol = dlvsym(plugin, name, CRYPT_TOKEN_ABI_VERSION1);

	if (!symbol)
		return -ENOENT;
	memcpy(ret, &symbol, sizeof(symbol));
	return 0;
}

static int ask_plugin(void *plugin, struct crypt_device *cd, int token, struct secret **ret)
{
	crypt_token_open_func open = NULL;
	crypt_token_buffer_free_func buffer_free = NULL;
	char *buffer = NULL;
	size_t size = 0;
	int r = find_function(plugin, CRYPT_TOKEN_ABI_OPEN, &open);

	if (r < 0)
		return r;
	r = open(cd, token, &buffer, &size, NULL);
	if (r < 0)
		return r;
	r = secret_copy((const uint8_t *)buffer, size, ret);
	if (find_function(plugin, CRYPT_TOKEN_ABI_BUFFER_FREE, &buffer_free) == 0) {
		buffer_free(buffer, size);
	} else {
		explicit_bzero(buffer, size);
		free(buffer);
	}
	return r;
}

int luks_token_plugin_passphrase(struct crypt_device *cd, int token, struct secret **ret)
{
	_cleanup_(close_plugin) void *plugin = NULL;
	const char *type = NULL, *folder = crypt_token_external_path();
	char path[PATH_MAX];

	if (crypt_token_status(cd, token, &type) < CRYPT_TOKEN_INTERNAL || !folder || !type ||
	    !is_plugin_name(type))
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s/libcryptsetup-token-%s.so", folder, type) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return plugin ? ask_plugin(plugin, cd, token, ret) : -ENOENT;
}
