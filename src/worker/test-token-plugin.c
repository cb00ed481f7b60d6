/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A token plugin for test-service-keys.c, as libcryptsetup loads it for tokens of type
 * "recryptd-test": its passphrase is the member "passphrase" of the token, one letter; with "?" it
 * waits for ever, as a plugin does whose server is gone.
 */
#include <errno.h>
#include <libcryptsetup.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char member[] = "\"passphrase\":\"";

const char *cryptsetup_token_version(void)
{
	return "1.0";
}

int cryptsetup_token_open(struct crypt_device *cd, int token, char **buffer, size_t *buffer_len,
			  void *usrptr)
{
	const char *json, *found;

	(void)usrptr;
	if (crypt_token_json_get(cd, token, &json) < 0)
		return -EINVAL;
	found = strstr(json, member);
	if (!found)
		return -EINVAL;
	while (found[strlen(member)] == '?')
		(void)pause();
	*buffer = malloc(1);
	if (!*buffer)
		return -ENOMEM;
	**buffer = found[strlen(member)];
	*buffer_len = 1;
	return 0;
}

void cryptsetup_token_buffer_free(void *buffer, size_t buffer_len)
{
	(void)buffer_len;
	free(buffer);
}
