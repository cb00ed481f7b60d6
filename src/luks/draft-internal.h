/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A draft, between draft.c, which makes it, and draft-put.c, which puts it on the disk. */
#pragma once

#include "luks/draft.h"
#include "luks/lock.h"

#define DRAFT_STEP (UINT64_C(1) << 20)

struct luks_draft {
	struct luks_place place; /* its header is the memfd */
	struct found_file disk;  /* where the header really is */
	uint8_t *was;            /* both copies of the header as they were read */
	size_t was_size;
	struct luks_header *first;  /* of luks_draft_stage(), or NULL */
	struct luks_header *header; /* of luks_draft_read(), or NULL */
	struct meta_io *io;         /* over the memfd */
	uint8_t *buffer;            /* DRAFT_STEP bytes */
};

/* The header on the disk, under the metadata lock. */
struct on_disk {
	struct luks_lock *lock;
	struct meta_io *io;
	struct luks_header *header;
};

/* Fills @o, which is empty. Logs failures. */
int on_disk_open(const struct found_file *f, enum luks_lock_mode mode, struct on_disk *o);
void on_disk_close(struct on_disk *o);

/* Both copies of the header are good; logs -EUCLEAN. */
int on_disk_check_copies(const struct luks_draft *d, const struct on_disk *o);

/* The first @size bytes: both copies of the header, the JSON areas included. */
int draft_read_copies(struct meta_io *io, size_t size, uint8_t **ret);

/* Where header copies and keyslot areas end, bytes. */
int draft_end_of_areas(const struct luks_header *h, uint64_t *ret);
