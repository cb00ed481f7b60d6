/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The LUKS2 header as the engine sees it: a place for resilience data, and a position that is
 * committed. Implemented over the real metadata in src/worker, used by the engine only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where the conversion stands, in bytes from the start of the data. The boundary is the edge
 * between converted and unconverted data; the hotzone lies on its unconverted side.
 *
 *   forward    | converted      |boundary  hotzone |      not converted |
 *   backward   | not converted      | hotzone  boundary|      converted |
 */
struct position {
	uint64_t boundary;
	uint64_t hotzone_size; /* 0: clean */
};

struct header_store {
	const struct header_store_ops *ops;
	uint64_t area_size; /* bytes that fit into the resilience area */
	bool on_data_disk;  /* header and data share a disk: each flush saves both */
};

/*
 * All return 0 or a negative errno. -ERROR_HEADER_CHANGED: somebody else moved the header on, and
 * nothing was written. After any other failure of commit() either position may be what the disk
 * has.
 */
struct header_store_ops {
	/*
	 * Nobody else may write the header from here to release(), and it is still the one that is
	 * known: the calls in between need not look. May be called again; both may be NULL.
	 */
	int (*hold)(struct header_store *s);
	void (*release)(struct header_store *s);
	/*
	 * Writes resilience data (4096-aligned memory, checksums a multiple of 4096 bytes where the
	 * area has room for that) and flushes it; a commit that was made before is whole on disk
	 * (both copies) afterwards. Must only be called when the header on disk does not need what
	 * the area holds.
	 */
	int (*protect)(struct header_store *s, const void *data, size_t size);
	/*
	 * The same at @offset, bytes from the start of the area and a multiple of 4096, but the
	 * flush is left to the caller, who makes one of the data disk. NULL: never possible.
	 */
	int (*protect_ahead)(struct header_store *s, uint64_t offset, const void *data,
			     size_t size);
	/* @offset is in bytes from the start of the area. */
	int (*read_area)(struct header_store *s, uint64_t offset, void *data, size_t size);
	/*
	 * Commits a position: the primary copy is durable when this returns. The secondary may be
	 * left to copy(), which is the next call then, before release().
	 */
	int (*commit)(struct header_store *s, const struct position *p);
	/*
	 * Writes the secondary, if that is still to be done, and leaves it to the next flush().
	 * After a failure no commit succeeds. NULL: commit() leaves nothing.
	 */
	int (*copy)(struct header_store *s);
	/* Makes durable what commit() left. */
	int (*flush)(struct header_store *s);
	/* The data disk was flushed after the last commit: on one disk, so was the header. */
	void (*data_flushed)(struct header_store *s);
	/* A flush of the data disk failed: on one disk, what commit() left is written again. */
	void (*data_flush_failed)(struct header_store *s);
	/* The one atomic commit that ends the re-encryption; both copies durable on return. */
	int (*finish)(struct header_store *s);
};
