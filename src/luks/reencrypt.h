/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The re-encryption that a LUKS2 header describes, and the edits of the header that move it on.
 *
 *            NONE --(begin)--> CLEAN <--> HOT
 *                                 \       /
 *                                  v     v
 *              NONE <--finish-- (all converted)   FINISH: cryptsetup left the header between the
 *                                                 last hotzone and its end; only finish is left
 *
 * All positions are bytes from the start of the data (the segment offset D of backup-final). Edits
 * are in memory; luks_header_commit() makes them real. An edit that fails changed nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "luks/header.h"
#include "luks/reason.h"
#include "util/secret.h"

enum luks_reenc_state {
	LUKS_REENC_NONE,   /* no re-encryption */
	LUKS_REENC_CLEAN,  /* between hotzones */
	LUKS_REENC_HOT,    /* a hotzone is in re-encryption: recover it first */
	LUKS_REENC_FINISH, /* everything is converted, the header does not say so yet */
};

enum luks_reenc_mode { LUKS_REENCRYPT, LUKS_ENCRYPT, LUKS_DECRYPT };
enum luks_direction { LUKS_FORWARD, LUKS_BACKWARD };

enum luks_resilience {
	LUKS_RESILIENCE_NONE,
	LUKS_RESILIENCE_CHECKSUM,
	LUKS_RESILIENCE_JOURNAL,
	/* The three that move the data: read and reported, never worked on. */
	LUKS_RESILIENCE_DATASHIFT,
	LUKS_RESILIENCE_DATASHIFT_CHECKSUM,
	LUKS_RESILIENCE_DATASHIFT_JOURNAL,
};

/* Parameters of one side of the conversion: backup-previous, or backup-final. */
struct luks_side {
	bool crypt;           /* false: linear, plaintext */
	uint64_t offset;      /* bytes on the data device */
	uint64_t size;        /* bytes that the header fixes it to; 0: to the end of the device */
	char cipher[65];      /* "aes-xts-plain64"; empty when linear */
	uint32_t sector_size; /* bytes; 512 when linear */
	int digest;           /* LUKS2 digest id, -1 when linear */
};

struct luks_reenc {
	enum luks_reenc_state state;
	/*
	 * With NONE both sides are what the volume has now, data_offset and data_size are set, and
	 * nothing else below is.
	 */
	struct luks_side old_side, new_side;
	uint64_t data_offset; /* D, bytes on the data device */
	uint64_t data_size;   /* DS, bytes */
	bool fixed_size;      /* data_size is part of the header or was given, not the device's */

	enum luks_reenc_mode mode;
	enum luks_direction direction;
	unsigned version; /* of the requirement: 2 or 3 */
	unsigned keyslot; /* number of the reencrypt keyslot */
	int digest;       /* id of the verification digest */
	/*
	 * Set by the caller where the digest could not be verified, as the old key is gone: what
	 * ends a FINISH then leaves the keyslots of the old key, which somebody may need yet.
	 */
	bool unverified;
	bool keep_key;      /* both sides have one digest, so one key */
	bool moved_segment; /* there is a backup-moved-segment */

	enum luks_resilience resilience;
	char hash[33];        /* of the checksums; empty otherwise */
	uint32_t block_size;  /* bytes that a checksum covers; of no say in where positions are */
	uint64_t area_offset; /* bytes on the metadata device */
	uint64_t area_size;   /* bytes */
	uint64_t shift_size;  /* bytes; 0 without data shift */
	uint64_t capacity; /* longest hotzone that the area can protect, a multiple of block_size */

	/*
	 * The edge between converted and unconverted data, and the hotzone on its unconverted side:
	 * forward [boundary, boundary + hot_size), backward [boundary - hot_size, boundary).
	 * With FINISH the boundary is where the conversion ends: data_size forward, 0 backward.
	 */
	uint64_t boundary;
	uint64_t hot_size; /* 0: not hot */
};

/* Volume keys of both sides. With one digest for both (keep_key) either may be NULL. */
struct luks_reenc_keys {
	const struct secret *old_key;
	const struct secret *new_key;
};

/*
 * Understands what @h says. @device_size: bytes of the data device. @fixed_size: bytes that are
 * re-encrypted where an option or the active mapping limits them, else 0. @block_size is the
 * logical block size of the data device in bytes; it counts for A with journal. Errors, with @why:
 *   -EOPNOTSUPP  unknown requirement, requirement of version 1, offline re-encryption, integrity
 *   -EBADMSG     the metadata contradict each other: damaged, or tampered with
 *   -EFBIG       the data device is smaller than the header says
 *   -EINVAL      @fixed_size contradicts the header or the device, a size is no multiple of the
 *                sector size, or the position cannot be one
 *
 * A re-encryption with data shift loads for a report, with the position as far as it is known;
 * every edit of it fails with -EOPNOTSUPP. luks_reenc_digest_verify() checks the keys: callers must
 * not act on the result before.
 */
int luks_reenc_load(const struct luks_header *h, uint64_t device_size, uint64_t fixed_size,
		    uint32_t block_size, struct luks_reenc *ret, struct luks_reason *why);

/*
 * For a volume whose open mapping shows only the first @size bytes, since its device has grown: the
 * position of @r, with the last segment still up to the end of the device. Good for recovering the
 * hotzone, and for a reversed re-encryption: at its end the bytes behind the mapping have the same
 * key as now. The end of a forward re-encryption would remove that key. -EINVAL: the position is
 * not inside the mapping, the header fixes the size, or @size is no multiple of the sector size; @r
 * is unchanged.
 */
int luks_reenc_limit(struct luks_reenc *r, uint64_t size);

/*
 * Puts the edge at @boundary with a hotzone of @hot_size bytes on its unconverted side (0: clean)
 * into h->json and @r. -EINVAL: no whole sectors, or with checksums no whole blocks in the hotzone;
 * outside the data, beyond the capacity, or the state that must never be written: clean with
 * nothing left to convert (use luks_reenc_finish()).
 */
int luks_reenc_set_position(struct luks_header *h, struct luks_reenc *r, uint64_t boundary,
			    uint64_t hot_size);

/* The keyslots that hold the key of digest @digest, a bit each. */
uint32_t luks_reenc_keyslots(const struct luks_header *h, int digest);

/* Byte ranges of the metadata device that finishing freed and that want wiping. */
struct luks_areas {
	unsigned count;
	struct {
		uint64_t offset, size;
	} area[32];
};

/*
 * The edit that ends the re-encryption: one segment as backup-final says, of a fixed size where the
 * data had one, the old key's digest and keyslots gone (unless kept), the requirement gone, @r
 * NONE. What it frees is noted in the
 * header, to be wiped (luks/freed.h). To be committed right after the data of the last hotzone is
 * durable, from HOT, from FINISH, or from a reversal with nothing to undo. -EINVAL: something is
 * left to convert.
 */
int luks_reenc_finish(struct luks_header *h, struct luks_reenc *r, struct luks_areas *ret);

/*
 * Has the JSON area of @h, which is clean, room for the longest that a position can become?
 * -ENOSPC; *ret_size is what the area has, *ret_used what is used now, bytes.
 */
int luks_reenc_check_room(const struct luks_header *h, const struct luks_reenc *r,
			  uint64_t *ret_used, uint64_t *ret_size);

/*
 * Turns a clean or FINISH re-encryption around: what was converted goes back. The sides change
 * roles, the direction flips and the verification digest is made anew with @keys; the boundary
 * stays. The area is cut down to what a hotzone of @hotzone_size bytes needs, which makes
 * cryptsetup's backward recovery come out right (luks_reenc_stock_safe()); 0 leaves it as it is.
 * Where nothing was converted yet @r is FINISH afterwards, and must not be committed: finish it.
 * -EBUSY: hot, recover first. -ENOKEY: a key is missing. -EOPNOTSUPP: not of mode reencrypt.
 */
int luks_reenc_reverse(struct luks_header *h, struct luks_reenc *r,
		       const struct luks_reenc_keys *keys, uint64_t hotzone_size);

/*
 * Not 0: the blocks of the checksums are too large for the size of the data or for the boundary, so
 * that none will cover the last bytes; then luks_reenc_cover() is needed before the next hotzone.
 * Bytes. Of the hotzone that there is hot_size says whether it is covered.
 */
uint32_t luks_reenc_uncovered(const struct luks_reenc *r);

/*
 * Makes the blocks of the checksums of a clean re-encryption so small that they cover all data from
 * the boundary on, either way, and the verification digest anew with @keys. To be committed.
 * -ENOKEY: a key is missing; -EINVAL: not clean, or no checksums.
 */
int luks_reenc_cover(struct luks_header *h, struct luks_reenc *r,
		     const struct luks_reenc_keys *keys);

/* How the hotzones to come are protected. */
struct luks_protection {
	enum luks_resilience resilience; /* checksum or journal */
	const char *hash;                /* of checksum */
	uint32_t wanted_block;           /* bytes, a power of two; less where the data needs that */
	uint64_t hotzone_size;           /* bytes; as for luks_reenc_reverse() */
};

/*
 * Changes the resilience of a clean re-encryption that was begun with none, checksum or journal,
 * and makes the verification digest anew with @keys. -EBUSY: hot, recover first; -EOPNOTSUPP:
 * another state, mode or resilience; -ENOENT: an unknown hash; -ENOSPC: the area protects not even
 * one block.
 */
int luks_reenc_set_protection(struct luks_header *h, struct luks_reenc *r,
			      const struct luks_reenc_keys *keys, const struct luks_protection *p);

/*
 * Is the metadata what somebody with both volume keys wrote? 0, or -ERROR_OTHER_KEY: tampered with,
 * or wrong keys. -ENOKEY: a key is missing.
 */
int luks_reenc_digest_verify(const struct luks_header *h, const struct luks_reenc *r,
			     const struct luks_reenc_keys *keys);

/* Replaces the verification digest after an edit of what it covers. */
int luks_reenc_digest_make(struct luks_header *h, const struct luks_reenc *r,
			   const struct luks_reenc_keys *keys);

/*
 * Does @key belong to digest @digest? 0, -ERROR_OTHER_KEY, -ENOENT (no such digest), -EOPNOTSUPP (a
 * digest type or hash that we do not know).
 */
int luks_volume_key_verify(const struct luks_header *h, int digest, const struct secret *key);

/*
 * Would cryptsetup (2.6.1 to 2.8.7, any machine) recover this hotzone rightly after a crash?
 * Forward always. Backward its progress is DS - off - Lc + len, with off and len of the hotzone and
 * Lc = min(its own hotzone size on that machine, DS - off), and it ends the whole job when that
 * reaches DS. So:
 *   off == 0  must end:     len >= Lc,       which holds everywhere if len >= min(capacity, 1 GiB,
 * DS) off > 0   must not end: len < off + Lc,  which holds everywhere if len <= off A last hotzone
 * that it recovers without ending leaves a header that its next resume takes for "nothing converted
 * yet", and destroys the data.
 */
bool luks_reenc_stock_safe(const struct luks_reenc *r, uint64_t boundary, uint64_t hot_size);

/*
 * The longest hotzone of at most @wanted bytes that may follow at @boundary (a multiple of
 * block_size except for the tail of the data; 0 at the end) without leaving the path on which every
 * backward hotzone to come is stock-safe, where there is such a path: the odd remainder comes
 * first, the last one has the full capacity. Else just what fits.
 */
uint64_t luks_reenc_next_hotzone(const struct luks_reenc *r, uint64_t boundary, uint64_t wanted);
