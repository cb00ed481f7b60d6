/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rehearsal of a re-encryption, before the first commit of a command: all that happens between
 * that commit and the first hotzone is done with a copy of the header, and taken back. What fails
 * there would leave a header that was changed for nothing, or a volume on which a re-encryption is
 * begun that cannot be continued.
 */
#pragma once

#include "luks/begin.h"
#include "worker/steps.h"

/*
 * @header, over @io: what luks_begin_make() gave for @v. With --device-size the size is put into
 * @header. Writes nothing. Where the ciphers take a private mapping, the claim of the device is
 * gone afterwards (volume-use.h). Logs what is wrong.
 */
int rehearse(struct work_volume *v, const struct luks_begin *b, struct luks_header *header,
	     struct meta_io *io);

/*
 * After steps_take_over(): tries out the commits that come before the next hotzone is converted
 * (another resilience, checksums that cover the last bytes, and with @back steps_turn_around()),
 * behind the recovery of a hot header. Nothing is tried where there are none, since a conversion
 * checks by itself before its first commit. Writes nothing. Logs what is wrong; -EINVAL: with
 * @back, only the last hotzone is left, and hot.
 */
int rehearse_rest(struct steps *s, bool back);
