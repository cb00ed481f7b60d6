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

/* Can the kernel have a device of this name? -EINVAL, -ENAMETOOLONG. */
int name_check(const char *name);

/*
 * The name of the helper with @suffix of the volume @name, as the kernel has it; @ret: DM_NAME_MAX
 * + 1 bytes. "<name><suffix>" where that is no longer than a helper's name and UUID may be, and of
 * characters that device-mapper's tools never escape. Else "<begin of the name>-<hash><suffix>", so
 * that cryptsetup and dmsetup can name, and close, the helper of any volume.
 */
void name_helper(const char *name, const char *suffix, char *ret);

/* The same for cryptsetup's own helpers: always the whole name. -ENAMETOOLONG: it can have none. */
int name_stock_helper(const char *name, const char *suffix, char *ret);

/*
 * What libdevmapper makes of a name that somebody gives it, "a b", for the kernel: "a\x20b". @ret:
 * DM_NAME_MAX + 1 bytes. -ENAMETOOLONG.
 */
int name_escape(const char *name, char *ret);

enum name_match {
	NAME_OTHER,   /* another device */
	NAME_ESCAPED, /* as device-mapper's tools take it */
	NAME_EXACT,   /* in the kernel's bytes, which are preferred to the other way */
};

/* Does @given mean the device @name? */
enum name_match name_match(const char *given, const char *name);

/* "<prefix><LUKS2 UUID without dashes>-<name>" in @ret: DM_UUID_MAX + 1 bytes. -EINVAL,
 * -ENAMETOOLONG. */
int name_uuid(const char *prefix, const char *luks_uuid, const char *name, char *ret);

/*
 * The UUID of cryptsetup's helper @name in @ret: DM_UUID_MAX + 1 bytes. cryptsetup cuts what is too
 * long, says so, and makes the device. -EINVAL.
 */
int name_stock_uuid(const char *luks_uuid, const char *name, char *ret);

/*
 * Does @dm_uuid begin with @prefix of name_uuid()? In either case of the letters: a mapping keeps
 * the digits that the header had when it was made.
 */
bool name_has_prefix(const char *dm_uuid, const char *prefix);

/* Is @dm_uuid that of an active volume with this LUKS2 UUID, whatever its name? */
bool name_is_volume(const char *dm_uuid, const char *luks_uuid);
