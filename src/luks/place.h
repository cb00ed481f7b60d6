/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a volume is: the device or image with its data, and what holds its header. Both are found
 * by their names once, and opened only through what was found, by us and by libcryptsetup.
 */
#pragma once

#include <stdbool.h>

#include "util/file.h"

struct luks_place {
	struct found_file data, header; /* the same one twice, unless a header was named */
	bool detached;                  /* a header was named */
};

#define LUKS_PLACE_NONE                                                                            \
	{                                                                                          \
		.data = FOUND_FILE_NONE, .header = FOUND_FILE_NONE                                 \
	}

/*
 * @header: the name of a detached header, or NULL. Logs what cannot be found: -ENODEV; -ENOTSUP: a
 * link on the way that others control; -ENOTBLK: not a block device or a regular file.
 */
int luks_place_find(const char *device, const char *header, struct luks_place *ret);
/*
 * What a parent process has found and handed on: the descriptors, which the place owns from now on
 * in any case, and the names. @header_path is NULL for a header on the data's device.
 */
int luks_place_adopt(int data_fd, const char *data_path, int header_fd, const char *header_path,
		     struct luks_place *ret);

void luks_place_clear(struct luks_place *p);

/* Logs who else can change or replace data or header, with what to do: -ENOTSUP. */
int luks_place_check_private(const struct luks_place *p);

/* Has the kernel put another disk in the place of what was found? Logs -ERROR_HEADER_CHANGED, with
 * both. */
int luks_place_check_same(const struct luks_place *p);
