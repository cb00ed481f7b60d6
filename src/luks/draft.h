/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A draft of a header: a copy in memory, on which libcryptsetup prepares the next state, and which
 * then goes to the disk by our own writer, all of it or nothing.
 *
 *     disk     | header copies | keyslot areas |  <-- 1. still what was read?
 *                 |      |                            2. areas of added keyslots, flush
 *                 v      v                            3. one commit
 *     memory   | header copies | areas in use  |  --> libcryptsetup adds keyslots, begins
 *
 * The memory is a file without a name (memfd) that libcryptsetup takes for a detached header. It
 * holds what the disk holds, keyslot areas as encrypted as there. Its pages may get to swap, where
 * they tell what a header backup tells.
 */
#pragma once

#include "luks/header.h"
#include "luks/place.h"

struct luks_draft;

/*
 * Copies the header of @place, whose copies are both good, under the shared metadata lock. A
 * keyslot area that the disk cannot read is zeros in the draft. Logs failures.
 */
int luks_draft_new(const struct luks_place *place, struct luks_draft **ret);
struct luks_draft *luks_draft_free(struct luks_draft *d);
DEFINE_CLEANUP(struct luks_draft, luks_draft_free)

/* The data's device, and the draft as a detached header; belongs to @d. */
const struct luks_place *luks_draft_place(const struct luks_draft *d);

/*
 * What the draft says by now becomes a state of its own, which luks_draft_put() commits first. For
 * keyslots that have to be gone before others take their areas. Before luks_draft_read(). Logs
 * failures.
 */
int luks_draft_stage(struct luks_draft *d);

/*
 * Reads what the draft says by now. Both results belong to @d; what the caller changes in the
 * header's JSON is put to the disk as well. Logs failures.
 */
int luks_draft_read(struct luks_draft *d, struct luks_header **ret, struct meta_io **ret_io);

/*
 * Puts what luks_draft_read() gave on the disk. Takes the exclusive metadata lock.
 * -ERROR_HEADER_CHANGED: the header on the disk is not the one that was copied; -EUCLEAN: a keyslot
 * of it, or of the stage, is not the same in the draft, or is gone. In both cases nothing is
 * written. Logs failures; unless the message says otherwise the header is as it was.
 */
int luks_draft_put(struct luks_draft *d);
