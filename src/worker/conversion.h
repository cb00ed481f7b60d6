/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume on which the engine is at work: ciphers, disk, header store and (online) the device
 * stack, put together, and taken apart in the one order that is safe.
 */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"
#include "util/secret.h"
#include "worker/luks-store.h"
#include "worker/volume.h"

/*
 * Bytes. Online an application may have to wait for all of one, so these are the most. Offline
 * nobody waits, and half the flushes made it 1.2 to 1.4 times as fast as 16 MiB (bench/offline).
 */
#define HOTZONE_ONLINE  (UINT64_C(32) << 20)
#define HOTZONE_OFFLINE ENGINE_HOTZONE_MAX
/*
 * Where little may be to be done, getting and locking memory takes longer than it saves, unless the
 * volume is large: this at least, and so much of the volume.
 */
#define HOTZONE_SPARSE       (UINT64_C(8) << 20)
#define HOTZONE_SPARSE_SHARE 512

/* The hotzone that the options or these defaults want. */
uint64_t conversion_hotzone_size(const struct work_volume *v);

struct conversion_keys {
	const struct secret *old_key, *new_key; /* of v->reenc's sides */
};

/*
 * Who looks after a conversion while it runs; all calls come from the thread that converts, between
 * hotzones. As in struct engine_config, with the header store for a pause() that writes the header.
 * ended() comes before anything is said of how it ended. All but stop() may be NULL.
 */
struct conversion_watch {
	bool (*stop)(void *arg);
	void (*progress)(void *arg, const struct engine_progress *p);
	void (*ended)(void *arg);
	bool (*pause_due)(void *arg, uint64_t converted);
	int (*pause)(void *arg, struct luks_store *store, uint64_t converted,
		     struct engine_limits *limits);
	void *arg;
};

/*
 * Before anybody is asked for a passphrase: has the kernel what conversion_run() needs, and can the
 * live table of an active volume be stacked? Changes nothing. Logs what is wrong.
 */
int conversion_check(const struct work_volume *v);

/*
 * Could conversion_run() stack the devices under the active volume @v as it is now, and has the
 * mapping the keys of the header? Changes nothing. Logs what is wrong; -ERROR_HEADER_CHANGED: other
 * keys.
 */
int conversion_try_stack(struct work_volume *v, const struct conversion_keys *keys);

/*
 * Sets up all that conversion_run() sets up, but for the device stack, and takes it down again:
 * ciphers, checksums, I/O, memory. @v: as it will be. Changes nothing. Logs what is wrong.
 */
int conversion_rehearse(struct work_volume *v, const struct conversion_keys *keys);

/*
 * Can unwritten blocks be told from data, if the options want them to be left as they are? Logs
 * -ENOTSUP.
 */
int conversion_check_skip(const struct work_volume *v, const char *old_cipher,
			  const char *new_cipher);

/*
 * Makes the one commit that is left when all is converted (LUKS_REENC_FINISH), and wipes what it
 * frees. No data is touched.
 */
int conversion_finish(struct work_volume *v);

/*
 * Recovers a hot header, and converts to the end unless @recover_only, or until a stop. Afterwards
 * the live table is what `cryptsetup open` would make. @v is locked and claimed, and still is after
 * success unless the re-encryption is over; its header and v->reenc are current on return. Logs
 * failures with what to do.
 */
int conversion_run(struct work_volume *v, const struct conversion_keys *keys, bool recover_only,
		   const struct conversion_watch *watch, enum engine_outcome *ret);

/*
 * For a volume that is not in re-encryption, but has the stack of a worker that died after its
 * final commit, perhaps with I/O waiting in it: makes its live table what `cryptsetup open` would
 * make.
 * @key: of its only segment. @v is locked. Logs failures.
 */
int conversion_settle(struct work_volume *v, const struct secret *key);
