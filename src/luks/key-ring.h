/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys and passphrases out of the kernel keyrings that this process can search. */
#pragma once

#include "util/secret.h"

/*
 * The key that @text names in the way of keyctl(1): "%TYPE:NAME", "NAME" (of type "user"), or a
 * number. -ENOKEY: not there; -EINVAL: @text names no key; -EACCES: it may not be read, as those of
 * type "logon" never may; -EOPNOTSUPP: this kernel has no keyrings.
 */
int luks_keyring_key(const char *text, struct secret **ret);

/* The key of type "user" with this name. Errors as above. */
int luks_keyring_passphrase(const char *description, struct secret **ret);
