/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What crypttab(5) says of volumes: where they are. How they are opened is none of our business. */
#pragma once

#include <stddef.h>

struct crypttab_entry {
	const char *name;
	const char *device; /* a path: tags as UUID= are those below /dev/disk */
	const char *header; /* path, or NULL */
};

/*
 * Calls @fn for each entry of a file's @text, which is spoiled: @size bytes and a '\0' behind them.
 * What @fn returns other than 0 ends it, and is returned.
 */
int crypttab_parse(char *text, size_t size,
		   int (*fn)(const struct crypttab_entry *e, void *userdata), void *userdata);
