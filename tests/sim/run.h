/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run: the real engine and metadata code over a simulated disk that holds a volume. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "luks/header.h"
#include "luks/reencrypt.h"
#include "medium.h"
#include "volume.h"
#include "worker/luks-store.h"

/* The worker in small: everything that converts the volume on one medium. */
struct run {
	const struct volume *volume;
	struct medium *medium;
	struct luks_header *header;
	struct luks_reenc reenc;
	struct luks_store store;
	struct engine *engine;
	uint64_t hotzone_size;
	struct freezer *freezer;
	bool thawed;         /* the hot hotzone was let go before the worker died */
	unsigned stop_after; /* hotzones, 0: never */
	unsigned hotzones;
	bool skip;                      /* unwritten blocks */
	void (*on_progress)(void *arg); /* or NULL */
	void *on_progress_arg;
	/* After every hotzone, and what the next ones shall have, bytes; or NULL. */
	uint64_t (*on_pause)(struct run *r);
	unsigned pauses;
	uint64_t stall_target; /* microseconds, from the first pause on */
};

/*
 * Loads the header from @image on a new medium. 0 also when nothing is left to do: then there is no
 * engine. @freezer NULL: offline.
 */
int run_open(struct run *r, const struct volume *v, const uint8_t *image, uint64_t hotzone_size,
	     struct freezer *freezer, uint64_t seed);
/* The same on a medium that there is already; the run owns it, whatever is returned. */
int run_open_on(struct run *r, const struct volume *v, struct medium *m, uint64_t hotzone_size,
		struct freezer *freezer, uint64_t seed);
void run_close(struct run *r);

/* Puts another header store in front of the engine: for tests that break things. */
void run_set_header_store(struct run *r, struct header_store *store);

/* Recovery if it is hot, and on to the end or the wanted stop. */
int run_all(struct run *r, enum engine_outcome *ret);

/* Turns a clean re-encryption around in memory and commits that. */
int run_reverse(struct run *r, uint64_t hotzone_size);

/* All plaintext of a finished volume; NULL (with a word on stderr) when it is not finished. */
uint8_t *volume_decrypt_finished(const struct volume *v, const uint8_t *image);

/* Is the whole data of the finished volume in @image right? Says what is wrong on stderr. */
bool volume_check_finished(const struct volume *v, const uint8_t *image, const uint8_t *plain);
