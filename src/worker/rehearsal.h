/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rehearsal of a re-encryption, before the commit that begins it: all that happens between that
 * commit and the first hotzone is done with the header that will be, and taken back. What fails
 * there would leave a volume on which a re-encryption is begun that cannot be continued.
 */
#pragma once

#include "luks/begin.h"
#include "worker/volume.h"

/*
 * @header, over @io: what luks_begin_make() gave for @v. With --device-size the size is put into
 * @header. Writes nothing. Logs what is wrong.
 */
int rehearse(const struct volume *v, const struct luks_begin *b, struct luks_header *header,
	     struct meta_io *io);
