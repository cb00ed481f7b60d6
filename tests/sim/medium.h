/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A simulated disk with a volatile write cache, as a struct disk for the engine and a struct
 * meta_io for the header, over the same medium. It keeps a log of everything that reached it:
 *
 *     submit write ... complete write ... submit flush ... complete flush
 *
 * At any instant a write is durable when it had completed before the submission of a flush that has
 * completed; every other submitted write may be on the medium whole, in part (each 512-byte sector
 * by itself, within a data block all or nothing), or not at all. medium_crash() makes such images.
 * What was unflushed when a flush failed stays so: a later flush that succeeds does not save it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/disk.h"
#include "luks/meta-io.h"

enum event_kind {
	EVENT_SUBMIT_WRITE,
	EVENT_COMPLETE_WRITE,
	EVENT_SUBMIT_FLUSH,
	EVENT_COMPLETE_FLUSH
};

struct medium;

/* @image (@size bytes) is what is on the disk at first; copied. */
struct medium *medium_new(const void *image, size_t size, uint32_t block_size, uint64_t seed);
struct medium *medium_free(struct medium *m);

struct disk *medium_disk(struct medium *m);
struct meta_io *medium_meta_io(struct medium *m);

/* What a reader sees now: all completed writes. */
const uint8_t *medium_content(const struct medium *m);

/* A write of the application: complete at once, durable after the next flush. */
void medium_write(struct medium *m, uint64_t offset, const void *data, size_t size);
void medium_flush(struct medium *m);
void medium_flush_header(struct medium *m);

/*
 * A detached header: the first @size bytes are a disk of their own, with a cache of its own. The
 * metadata's flushes are for that one, those of the engine and the application for the other.
 */
void medium_detach_header(struct medium *m, uint64_t size);

/*
 * Does the disk say where nothing is stored, which is wherever it holds zeros: not at all, as it is
 * when it is asked, or as it was at the last look?
 */
enum medium_holes { HOLES_HIDDEN, HOLES_SEEN, HOLES_LOOKED_FOR };
void medium_show_holes(struct medium *m, enum medium_holes how);

/* The @n-th look fails, counted from 0. */
void medium_fail_look(struct medium *m, unsigned n);
unsigned medium_looks(const struct medium *m);

/* The event at which a failed flush first lost something; medium_events() where none did. */
unsigned medium_first_loss(const struct medium *m);

/* Nothing of the engine's is in flight. */
bool medium_is_idle(const struct medium *m);

/* Test of the tests: flushes of the engine's disk, or of the metadata, do nothing. */
void medium_drop_flushes(struct medium *m, bool data, bool metadata);
/* Test of the tests: flushes of the metadata do nothing until something is written. */
void medium_drop_flushes_before_write(struct medium *m);

/* Requests with numbers from @first to @last (counted from 0, reads, writes and flushes each) fail.
 */
void medium_fail(struct medium *m, enum disk_op op, uint64_t first, uint64_t last);
/* The same for one request, with this error. */
void medium_fail_once(struct medium *m, enum disk_op op, uint64_t number, int error);
uint64_t medium_requests(const struct medium *m, enum disk_op op);
/* Reads or writes that touch this range of bytes fail. */
void medium_fail_range(struct medium *m, enum disk_op op, uint64_t offset, uint64_t size);

/*
 * Sectors rot, for good: until they are written anew reads of them fail, or return garbage. An
 * image of a crash has the rot in it, and so has a medium that is made from it.
 */
void medium_rot(struct medium *m, uint64_t offset, size_t size);
void medium_rot_is_error(struct medium *m, bool error);
/* The same in an image. */
void image_rot(uint8_t *image, uint64_t offset, size_t size);

/* The medium rots there as soon as it has seen @event events. */
void medium_rot_at(struct medium *m, unsigned event, uint64_t offset, size_t size);

/* Writes of the engine's number @first to @last are stored with one bit wrong, and say nothing. */
void medium_corrupt(struct medium *m, uint64_t first, uint64_t last);

unsigned medium_events(const struct medium *m);
enum event_kind medium_event(const struct medium *m, unsigned event);
/* Where a write that was submitted or completed goes; UINT64_MAX for flushes. */
uint64_t medium_event_offset(const struct medium *m, unsigned event);

/* Number of writes that may or may not be on the medium right before @event. */
unsigned medium_pending(const struct medium *m, unsigned event);

enum crash_mode {
	CRASH_SUBSET, /* bit i of @choice: is pending write i (oldest first) on the medium? */
	CRASH_DISKS,  /* the seed @choice draws for each disk: none, all, or a subset of its own */
	CRASH_TORN,   /* each sector by itself, drawn from the seed @choice */
};

/*
 * The medium as a program finds it that starts after another one was killed right before @event:
 * all that had come back is in the cache, of the writes in flight those that the seed @choice
 * draws. The log goes on from there.
 */
struct medium *medium_kill(const struct medium *m, unsigned event, uint64_t choice);

/*
 * The image after a crash right before @event, fastest in ascending order, into @image (the size
 * of the medium). Torn writes to data (from @data_offset on) tear between blocks of @block_size
 * bytes, all others between sectors.
 */
void medium_crash(struct medium *m, unsigned event, enum crash_mode mode, uint64_t choice,
		  uint64_t data_offset, uint32_t block_size, uint8_t *image);
