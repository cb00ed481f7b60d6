/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What crypttab(5) says of volumes: where they are. How they are opened is none of our business. */
#pragma once

struct crypttab_entry {
	const char *name;
	const char *device; /* a path: tags as UUID= are those below /dev/disk */
	const char *header; /* path, or NULL */
};

/*
 * Calls @fn for each entry; what it returns other than 0 ends it. A file that is not there is
 * empty.
 */
int crypttab_read(const char *path, int (*fn)(const struct crypttab_entry *e, void *userdata),
		  void *userdata);
