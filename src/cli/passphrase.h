/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the passphrases of one run come from: a key file, or else the terminal, or else standard
 * input, a line each. All of them end up in secret memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/bindings.h"
#include "luks/unlock.h"
#include "util/secret.h"

/*
 * @size bytes at @offset of a key file ("-": standard input), all of it with @size 0, newlines
 * included; an empty file is the empty passphrase. Logs failures. -ENODATA: a pipe or device that
 * ends at once; -EINVAL: fewer than @size bytes, or too many.
 */
int key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret);

/*
 * A volume key from @file (its first @size bytes, or with 0 all of it), or else from the kernel
 * keyring, by its name @keyring; with both NULL nothing is read. Logs failures. -EINVAL: among
 * others, the file is empty.
 */
int volume_key_read(const char *file, size_t size, const char *keyring, struct secret **ret);

struct passphrase_source {
	const char *key_file;        /* NULL: the terminal or standard input */
	const char *key_description; /* of a user key in a kernel keyring; NULL: none */
	uint64_t keyfile_offset;
	size_t keyfile_size;
	const char *device; /* named in prompts */
	/* What opens each keyslot, for prompts; NULL: not known. The caller's. */
	const struct luks_bindings *bindings;
	unsigned timeout;     /* seconds at the terminal, 0: none */
	bool exhausted;       /* the source's own */
	struct secret *first; /* a line read early by passphrase_is_given(); the caller frees it */
};

/*
 * Can a passphrase be had at all: from a file or keyring, by asking at the terminal, or from a line
 * of standard input? Only such a line is read, and is the answer to the next passphrase_ask().
 */
bool passphrase_is_given(struct passphrase_source *s);

/*
 * luks_passphrases.ask(), @arg a struct passphrase_source. A key file is one passphrase, and so is
 * a key of a keyring; after it, and at the end of standard input, -ENODATA. -EINTR, -ETIME as of
 * terminal_read(); these and other failures are logged.
 */
int passphrase_ask(void *arg, int keyslot, bool again, struct secret **ret);

/* Does passphrase_ask() ask at the terminal? See luks_passphrases.empty_gives_up. */
bool passphrase_is_typed(const struct passphrase_source *s);
