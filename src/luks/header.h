/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two copies of the LUKS2 header: which one counts, and how a new one is committed.
 *
 *     0             size            2 * size
 *     | primary     | secondary     | keyslot areas ...
 *
 * A copy is a 4096-byte binary header and a JSON area. The copy with the higher sequence number
 * wins. A commit writes the primary, flushes, and then writes the secondary, so that one whole copy
 * is on the disk at any instant. LUKS2 On-Disk Format Specification 1.1.1, sections 2 and 3.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "luks/meta-io.h"
#include "luks/reason.h"
#include "util/cleanup.h"

#define LUKS_HEADER_BINARY_SIZE UINT64_C(4096)
#define LUKS_HEADER_MIN_SIZE    UINT64_C(0x4000)
#define LUKS_HEADER_MAX_SIZE    UINT64_C(0x400000)
/* Bytes of one copy at most where looking at both takes one read. */
#define LUKS_HEADER_LOOK_MAX UINT64_C(0x10000)

enum luks_copy { LUKS_PRIMARY, LUKS_SECONDARY };

struct luks_header {
	uint64_t size;  /* bytes of one copy, the JSON area included */
	uint64_t seqid; /* of the newest copy that may be on the disk whole */
	char label[49];
	char subsystem[49];
	char uuid[41];
	uint8_t salt[2][64]; /* by enum luks_copy */
	json_object *json;   /* validated when read; edited in place before a commit */
	/* Copies that are torn, older than the winner, or whose write failed. */
	bool bad[2];
	bool primary_foreign;   /* the bad primary holds something that is not LUKS2's */
	bool secondary_pending; /* written and not known to be flushed */
	uint8_t *buffer;        /* one copy, 4096-aligned: commits allocate nothing for I/O */
	bool buffered;          /* @buffer has the JSON of the last commit */
	bool copy_due;          /* the same, and luks_header_copy() is to come */
	uint8_t *look; /* the primary and 4096 bytes of the secondary, 4096-aligned; or NULL */
};

/*
 * Reads both copies, picks the winner and validates it. A caller that will write holds the metadata
 * lock. Errors, with @why (may be NULL) saying more:
 *   -ENOENT           no LUKS header here
 *   -EPROTONOSUPPORT  a LUKS header of another version (1)
 *   -EBADMSG          a LUKS2 header, but neither copy is whole and valid
 *   -EFBIG            the header is larger than the device
 *   -ENOMEM           no memory for one of the copies, whatever is in it
 *   anything else     the device could not be read
 * A header with an unknown requirement is read: see luks_unknown_requirement() in validate.h.
 */
int luks_header_read(struct meta_io *io, struct luks_header **ret, struct luks_reason *why);

struct luks_header *luks_header_free(struct luks_header *h);
DEFINE_CLEANUP(struct luks_header, luks_header_free)

/* One copy is bad: luks_header_repair() comes before the first commit. */
static inline bool luks_header_needs_repair(const struct luks_header *h)
{
	return h->bad[LUKS_PRIMARY] || h->bad[LUKS_SECONDARY];
}

/*
 * Rewrites the bad copy from the winner: same sequence number, new salt; durable on return, and
 * read back. @h must be as it was read, under the exclusive metadata lock. -EEXIST: the primary
 * holds something that is neither LUKS2 nor zeros, and is left alone.
 */
int luks_header_repair(struct luks_header *h, struct meta_io *io);

/*
 * Commits h->json with the next sequence number, under the exclusive metadata lock. The primary is
 * durable on return, the secondary written and left to the next flush: luks_header_flush(), or a
 * flush of the same disk that the caller makes and tells by luks_header_flushed(). A commit that
 * finds the secondary of the last one still pending flushes first.
 *
 * Before anything is written: -EINVAL (@why: does not validate), -ENOSPC (the JSON does not fit),
 * -EUCLEAN (the secondary is bad, so the primary must not be touched), -EOVERFLOW (sequence
 * number). Afterwards the errno of the device, and h->bad tells the copy: primary    the disk may
 * hold the old state or the new one. The secondary has the old one, so the same commit may be tried
 * again; h->seqid is still the old one. secondary  the new state is durable in the primary;
 * h->seqid is the new one. No further commit is accepted on this header: stop, read it anew and
 * repair.
 */
int luks_header_commit(struct luks_header *h, struct meta_io *io, struct luks_reason *why);

/*
 * The two halves of a commit, for who has something to do that needs but a durable primary. The
 * lock is held until the second one, and no other function here is called in between: the secondary
 * counts as bad until then. luks_header_copy() does nothing where no copy is due.
 */
int luks_header_commit_primary(struct luks_header *h, struct meta_io *io, struct luks_reason *why);
int luks_header_copy(struct luks_header *h, struct meta_io *io);

/*
 * Makes the secondary durable; after a failed flush it is written again and flushed once more.
 * Where that fails too it counts as bad.
 */
int luks_header_flush(struct luks_header *h, struct meta_io *io);
void luks_header_flushed(struct luks_header *h);

/*
 * A flush of the header's disk failed: the secondary, where it was pending, may be lost, and no
 * later flush would bring it back. Writes it again, under the exclusive metadata lock; where that
 * cannot be done it counts as bad. -ERROR_HEADER_CHANGED: as luks_header_check_unmoved().
 */
int luks_header_flush_failed(struct luks_header *h, struct meta_io *io);

/*
 * -ERROR_HEADER_CHANGED when a copy on the disk has another sequence number or UUID than @h, or is
 * no LUKS2 header any more: another tool wrote it. 4096 bytes of each copy count, which are had in
 * one read where that is a short one; copies known bad are not looked at.
 */
int luks_header_check_unmoved(struct luks_header *h, struct meta_io *io);
