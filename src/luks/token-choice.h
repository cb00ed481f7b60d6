/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tokens may open keyslots, where somebody has chosen (--token-id, --token-type, ...). */
#pragma once

#include <libcryptsetup.h>
#include <stdbool.h>
#include <stdint.h>

#define LUKS_ANY_TOKEN (-1)

struct luks_token_choice {
	int id;           /* only this one, or LUKS_ANY_TOKEN */
	const char *type; /* only those of this type; NULL: any */
	bool only;        /* no passphrase is asked for */
};

/*
 * The tokens that @c allows, one bit each; with @c NULL all of them, whether they exist or not.
 * -ENOENT: no such token exists, which is logged with the name @device.
 */
int luks_tokens_find(struct crypt_device *cd, const char *device, const struct luks_token_choice *c,
		     uint32_t *ret);
