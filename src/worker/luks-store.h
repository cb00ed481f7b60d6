/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine's header store over a real LUKS2 header: every commit under the metadata lock, after a
 * look whether somebody else moved the header on.
 */
#pragma once

#include <stdbool.h>

#include "engine/header-store.h"
#include "luks/header.h"
#include "luks/lock.h"
#include "luks/record.h"
#include "luks/reencrypt.h"

struct luks_store {
	struct header_store store;
	struct meta_io *io;
	struct luks_header *header;
	struct luks_reenc *reenc;
	int lock_fd; /* the open metadata device; -1: no lock (simulation) */
	bool held;   /* between luks_store_hold() and luks_store_release() */
	struct luks_lock *lock;
	uint64_t held_since;     /* microseconds */
	struct luks_areas freed; /* by finish(): to be wiped once the devices are in order */
	uint64_t flushes;
};

/* All pointers stay the caller's. Nothing is allocated, then or later, but JSON. */
void luks_store_init(struct luks_store *s, struct meta_io *io, struct luks_header *header,
		     struct luks_reenc *reenc, int lock_fd, bool on_data_disk);

/*
 * Puts the record @text into the header as luks_record_set() does, and commits it; durable on
 * return. Between hotzones, with the header clean.
 */
int luks_store_set_record(struct luks_store *s, const char *text, const struct record_keys *keys,
			  struct luks_reason *why);

/*
 * Takes the metadata lock and looks at the header once for all commits until the release, unless it
 * is held already; -ERROR_HEADER_CHANGED: somebody else moved it on. While a range is frozen nobody
 * may be waited for: who has the lock could himself be waiting for I/O to that range, if only for a
 * page of his program. The release pauses for a moment (2 % of the time that the lock was held, at
 * least 200 us, at most 10 ms), since flock(2) is not fair and others want to read the header as
 * well.
 */
int luks_store_hold(struct luks_store *s);
void luks_store_release(struct luks_store *s);
