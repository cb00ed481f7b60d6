/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Passphrases and keys from the terminal, standard input or a file, straight into secret memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/unlock.h"
#include "util/secret.h"

#define KEY_FILE_MAX   ((size_t)8 << 20) /* bytes, as cryptsetup's compiled-in limit */
#define PASSPHRASE_MAX ((size_t)512)     /* bytes of a line that is typed or piped in */

/*
 * @size bytes at @offset of a key file ("-": standard input), all of it with @size 0, newlines
 * included. Logs failures. -EFBIG: longer than KEY_FILE_MAX; -ENODATA: shorter than asked, or
 * empty.
 */
int key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret);

/* Where the passphrases of one run come from. */
struct passphrase_source {
	const char *key_file; /* NULL: the terminal, or a line a passphrase from standard input */
	uint64_t keyfile_offset;
	size_t keyfile_size;
	const char *device; /* named in prompts */
	unsigned timeout;   /* seconds at the terminal, 0: none */
	/* Of the source itself. */
	bool exhausted;
};

/*
 * luks_passphrases.ask(), @arg a struct passphrase_source. A key file is one passphrase; after it,
 * at the end of standard input, and where nothing is typed, -ENOKEY. -EINTR: Ctrl-C at the prompt,
 * -ETIMEDOUT.
 */
int passphrase_ask(void *arg, int keyslot, struct secret **ret);

/*
 * A line from /dev/tty without echo, which is restored also when a signal ends the process.
 * -ENOTTY: there is no terminal.
 */
int terminal_read(const char *prompt, unsigned timeout, struct secret **ret);

/* Asks "... (Type 'yes' in capital letters): " on the terminal. 1 yes, 0 no, -ENOTTY. */
int terminal_confirm(const char *question);
