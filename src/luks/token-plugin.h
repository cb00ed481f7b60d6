/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The passphrase that a token's plugin gives. libcryptsetup hands it to a keyslot only, and so
 * would ask the plugin again for each keyslot that is opened or made with it, in the process that
 * does so. Here it is asked once, in a process that may be killed for it.
 */
#pragma once

#include <libcryptsetup.h>

#include "util/secret.h"

/* -ENOENT: no such token or no plugin for it; else what the plugin says (-ENOANO: wants a PIN). */
int luks_token_plugin_passphrase(struct crypt_device *cd, int token, struct secret **ret);
