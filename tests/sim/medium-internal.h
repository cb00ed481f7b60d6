/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log of a simulated disk, between what writes it (medium.c) and what reads it (power.c). */
#pragma once

#include "medium.h"
#include "random.h"

#define DEPTH 8
#define NEVER UINT32_MAX

/* The disks that a write goes to, or that a flush is for. */
#define DATA_DISK   1U
#define HEADER_DISK 2U

struct write {
	uint64_t offset;
	size_t size;
	uint8_t *data;
	unsigned submitted, completed; /* events, or NEVER */
	unsigned lost;                 /* from this event on no flush saves it any more, or NEVER */
	bool durable;                  /* in the durable image already */
	bool rot;                      /* of the medium itself, past every cache */
};

struct event {
	enum event_kind kind;
	/* of the write; of a submitted flush: its disks; of a completed one: the event that
	 * submitted it */
	unsigned index;
};

struct fault {
	bool armed;
	uint64_t first, last;  /* request numbers */
	uint64_t offset, size; /* bytes, where size is not 0 */
	int error;             /* 0: -EIO */
};

struct in_flight {
	struct disk_request *rq;
	unsigned write; /* index of a write, event of a flush */
	int result;
};

struct medium {
	struct disk disk;
	struct meta_io meta;
	struct random random;
	size_t size;
	uint8_t *content;
	struct write *writes;
	unsigned n_writes;
	struct event *events;
	unsigned n_events;
	struct in_flight in_flight[DEPTH];
	unsigned n_in_flight;
	enum medium_holes holes;
	bool *seen_zero; /* by 512 bytes, at the last look */
	unsigned looks, look_fails;
	uint64_t lies_first, lies_last; /* numbers of writes, where @lies */
	uint64_t data_writes;
	bool lies;
	bool woken, drop_data_flushes, drop_meta_flushes;
	bool drop_before_write;
	bool rot_is_error;
	struct {
		unsigned event; /* NEVER: none is to come */
		uint64_t offset;
		size_t size;
	} rot;
	uint64_t header_disk_size; /* detached: the bytes below this are a disk of their own */
	struct fault faults[3];    /* by disk_op */
	uint64_t requests[3];
	/* what is durable right before event "durable_at", built as medium_crash() walks on */
	uint8_t *first, *durable;
	unsigned durable_at;
};

/* The array with room for one more than its @n elements. */
void *medium_grow(void *array, unsigned n, size_t element);
unsigned medium_add_event(struct medium *m, enum event_kind kind, unsigned index);
/* The index of the write in @m. */
unsigned medium_submit_write(struct medium *m, uint64_t offset, const void *data, size_t size);
void medium_complete_write(struct medium *m, unsigned index);

/* -EIO where a part of it is rotten and that is an error. */
int medium_check_rot(const struct medium *m, uint64_t offset, size_t size);
/* Lets rot what is to rot by now. */
void medium_let_rot(struct medium *m);

static inline unsigned disk_of(const struct medium *m, const struct write *w)
{
	return w->offset < m->header_disk_size ? HEADER_DISK : DATA_DISK;
}
