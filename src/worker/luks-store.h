/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine's header store over a real LUKS2 header: every commit under the metadata lock, after a
 * look whether somebody else moved the header on.
 */
#pragma once

#include <stdbool.h>

#include "engine/header-store.h"
#include "luks/header.h"
#include "luks/reencrypt.h"

struct luks_store {
	struct header_store store;
	struct meta_io *io;
	struct luks_header *header;
	struct luks_reenc *reenc;
	/* The open metadata device and its path, for the lock; -1: no lock (simulation). */
	int lock_fd;
	const char *lock_path;
	bool on_data_disk;       /* header and data share a disk, so they share flushes */
	struct luks_areas freed; /* by finish(): to be wiped once the devices are in order */
	uint64_t flushes;
};

/* All pointers stay the caller's. Nothing is allocated, then or later, but JSON. */
void luks_store_init(struct luks_store *s, struct meta_io *io, struct luks_header *header,
		     struct luks_reenc *reenc, int lock_fd, const char *lock_path,
		     bool on_data_disk);
