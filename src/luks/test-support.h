/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the tests of this layer: headers from recorded states, and a disk in memory with a volatile
 * cache that can fail or lose power at any write.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/meta-io.h"

#define TEST_HEADER_SIZE 16384

/* A recorded state of tests/data/luks2-states, without ".json". Fails the test where it cannot. */
json_object *state_json(const char *name);

/* A header as luks_header_read() makes it, of @size bytes with @json, which is taken over. */
struct luks_header *header_with(json_object *json, uint64_t size);

/* Compact text of a member, for comparisons byte by byte; the caller frees it. */
char *member_text(json_object *object, const char *key);

#define SIM_MAX_PENDING 8

struct sim_disk {
	struct meta_io io;
	uint8_t *stable; /* what survives a power cut */
	uint8_t *seen;   /* what a read shows */
	struct {
		uint64_t offset;
		size_t size;
		uint8_t *data;
	} pending[SIM_MAX_PENDING]; /* written, not flushed */
	unsigned pending_count;
	unsigned writes, flushes;
	/* The power goes before this operation (write or flush, counted from 0); -1: never. */
	int power_cut;
	/* From this write or flush on, counted from 0, that operation fails with EIO; -1: none. */
	int fail_write, fail_flush;
};

struct sim_disk *sim_new(uint64_t size);
struct sim_disk *sim_free(struct sim_disk *d);

/*
 * Power is back: of each 512-byte sector of what was pending, what @keep decides is there.
 * Afterwards the disk works again.
 */
void sim_restart(struct sim_disk *d, bool (*keep)(void *arg, unsigned write, size_t sector),
		 void *arg);

/* Puts @h on the disk, both copies whole and stable. */
void sim_put_header(struct sim_disk *d, struct luks_header *h);

/* A header that is on @d: a re-encryption that was begun. */
struct luks_header *sim_header(struct sim_disk *d);

/* The header that is read from @d now. */
struct luks_header *sim_reread(struct sim_disk *d);

/* A copy on @d as a read shows it, where the header is of TEST_HEADER_SIZE; to be spoiled. */
struct luks_header_disk *sim_copy(struct sim_disk *d, enum luks_copy copy);

/* A number in the JSON by which commits can be told apart; 0 where there is none. */
void set_mark(struct luks_header *h, int mark);
int get_mark(const struct luks_header *h);
