/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names and UUIDs of the stack's devices; see stack.h. */
#pragma once

#include <stdbool.h>

#include "dm/task.h"

#define SUFFIX_OLD     "-old"
#define SUFFIX_NEW     "-new"
#define SUFFIX_PIECES  "-pieces-overlay"
#define SUFFIX_HOTZONE "-hotzone-overlay" /* the longest */

#define UUID_VOLUME "CRYPT-LUKS2-"
#define UUID_HELPER "CRYPT-SUBDEV-"

/*
 * Are these characters that device-mapper's tools never escape, and is there room for the longest
 * helper's name and UUID? -EINVAL, -ENAMETOOLONG.
 */
int name_check(const char *name);

/* @ret: DM_NAME_MAX + 1 bytes. @name has passed name_check(). */
void name_helper(const char *name, const char *suffix, char *ret);

/* "<prefix><LUKS2 UUID without dashes>-<name>" in @ret: DM_UUID_MAX + 1 bytes. -EINVAL,
 * -ENAMETOOLONG. */
int name_uuid(const char *prefix, const char *luks_uuid, const char *name, char *ret);

/*
 * Does @dm_uuid begin with @prefix of name_uuid()? In either case of the letters: a mapping keeps
 * the digits that the header had when it was made.
 */
bool name_has_prefix(const char *dm_uuid, const char *prefix);

/* Is @dm_uuid that of an active volume with this LUKS2 UUID, whatever its name? */
bool name_is_volume(const char *dm_uuid, const char *luks_uuid);
