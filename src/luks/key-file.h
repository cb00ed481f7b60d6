/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys and passphrases from files and standard input, through libcryptsetup. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/secret.h"

/*
 * @size bytes at @offset of @path (NULL: standard input), newlines included; with @size 0 all of
 * it, up to the 8 MiB that cryptsetup has as its limit. An empty file is the empty passphrase, as
 * for cryptsetup. -ENODATA: a pipe or device that ends at once; -EINVAL: fewer than @size bytes, or
 * too many. Logs nothing: luks_context_error() has the reason.
 */
int luks_key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret);

/*
 * The next line of standard input without its newline, which may be empty; what follows it is left
 * there. -ENODATA: end.
 */
int luks_key_line_read(struct secret **ret);
