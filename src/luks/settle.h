/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Both copies of a header whole and on the disk, before anybody writes to it. With one good copy
 * alone, a power cut during its next write leaves no header.
 */
#pragma once

#include "luks/header.h"
#include "util/file.h"

/*
 * Writes a bad copy of @h anew, if there is one, and reads it back. Under the exclusive metadata
 * lock, with @h as it was read. Logs; nothing else is written.
 */
int luks_settle_copies(struct luks_header *h, struct meta_io *io);

/*
 * Makes what was written to the header on @f durable, and repairs a bad copy. A file without a
 * LUKS2 header is left alone, without an error. Takes the metadata lock. Logs its failures: -EINVAL
 * neither copy can be used, else why the device cannot be read or written.
 */
int luks_settle(const struct found_file *f);
