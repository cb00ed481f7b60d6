/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing the header: a copy is laid out in memory whole and goes to the disk in one write. What
 * keeps one whole copy on the disk is the order of the flushes:
 *
 *   (flush, where the last secondary may still be in a cache)
 *   primary -> flush -> secondary
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/json-text.h"
#include "luks/validate.h"
#include "util/checked.h"
#include "util/error.h"

/* Lays out @copy in h->buffer, with the JSON that is there already. */
static int build_copy(struct luks_header *h, enum luks_copy copy, uint64_t seqid)
{
	struct luks_header_disk *d = (struct luks_header_disk *)h->buffer;

	assert(seqid >= h->seqid); /* they only grow */
	memset(d, 0, sizeof(*d));
	memcpy(d->magic, luks_magic[copy], sizeof(d->magic));
	d->version = htobe16(2);
	d->size = htobe64(h->size);
	d->seqid = htobe64(seqid);
	memcpy(d->label, h->label, sizeof(d->label));
	memcpy(d->checksum_alg, "sha256", sizeof("sha256"));
	memcpy(d->salt, h->salt[copy], sizeof(d->salt));
	memcpy(d->uuid, h->uuid, sizeof(d->uuid));
	memcpy(d->subsystem, h->subsystem, sizeof(d->subsystem));
	d->offset = htobe64(copy == LUKS_PRIMARY ? 0 : h->size);
	return luks_header_checksum("sha256", h->buffer, h->size, d->checksum);
}

static int build_json(struct luks_header *h)
{
	const size_t area = (size_t)(h->size - LUKS_HEADER_BINARY_SIZE);
	uint8_t *to = h->buffer + LUKS_HEADER_BINARY_SIZE;
	size_t length;
	int r;

	assert(h->size > LUKS_HEADER_BINARY_SIZE);
	assert(!h->copy_due); /* luks_header_copy() needs what is in the buffer */
	h->buffered = false;
	/* A NUL must follow, and the rest of the area is zero. */
	r = json_text_write(h->json, (char *)to, area - 1, &length);
	if (r < 0)
		return r;
	memset(to + length, 0, area - length);
	return 0;
}

static int write_copy(struct luks_header *h, struct meta_io *io, enum luks_copy copy,
		      uint64_t seqid)
{
	int r;

	/* The other one is what is left if this write breaks off. */
	assert(!h->bad[copy == LUKS_PRIMARY ? LUKS_SECONDARY : LUKS_PRIMARY]);
	r = build_copy(h, copy, seqid);
	if (r < 0)
		return r;
	return meta_io_write(io, copy == LUKS_PRIMARY ? 0 : h->size, h->buffer, h->size);
}

/* Is @copy on the disk what h->buffer has? A disk may take a write and keep the old content. */
static int check_copy(const struct luks_header *h, struct meta_io *io, enum luks_copy copy)
{
	_cleanup_free_ uint8_t *found = aligned_alloc(4096, h->size);
	int r;

	if (!found)
		return -ENOMEM;
	r = meta_io_read(io, copy == LUKS_PRIMARY ? 0 : h->size, found, h->size);
	if (r < 0)
		return r;
	return memcmp(found, h->buffer, h->size) == 0 ? 0 : -EIO;
}

int luks_header_repair(struct luks_header *h, struct meta_io *io)
{
	enum luks_copy copy;
	int r;

	if (!luks_header_needs_repair(h))
		return 0;
	assert(!h->bad[LUKS_PRIMARY] || !h->bad[LUKS_SECONDARY]);
	copy = h->bad[LUKS_PRIMARY] ? LUKS_PRIMARY : LUKS_SECONDARY;
	if (copy == LUKS_PRIMARY && h->primary_foreign)
		return -EEXIST;

	r = build_json(h);
	if (r < 0)
		return r;
	/* The winner may be in a cache only: durable before the other is touched. */
	r = meta_io_flush(io);
	if (r < 0)
		return r;
	r = write_copy(h, io, copy, h->seqid);
	if (r < 0)
		return r;
	r = meta_io_flush(io);
	if (r < 0)
		return r;
	r = check_copy(h, io, copy);
	if (r < 0)
		return r;
	h->bad[copy] = false;
	h->secondary_pending = false;
	return 0;
}

static int write_primary(struct luks_header *h, struct meta_io *io, uint64_t seqid)
{
	int r = write_copy(h, io, LUKS_PRIMARY, seqid);

	return r < 0 ? r : meta_io_flush(io);
}

int luks_header_commit_primary(struct luks_header *h, struct meta_io *io, struct luks_reason *why)
{
	uint64_t seqid;
	int r;

	assert(!h->copy_due);
	if (h->bad[LUKS_SECONDARY] || h->primary_foreign)
		return luks_refuse(why, -EUCLEAN, "only one copy of the header is good");
	r = luks_validate(h->json, h->size, why);
	if (r < 0)
		return r;
	r = add_u64(h->seqid, 1, &seqid);
	if (r < 0)
		return luks_refuse(why, r, "the sequence number cannot grow");
	/* First of all: a failed flush needs the JSON of the last commit. */
	if (h->secondary_pending) {
		r = luks_header_flush(h, io);
		if (r < 0)
			return luks_refuse(why, r, "the device cannot be flushed");
	}
	r = build_json(h);
	if (r < 0)
		return luks_refuse(why, r, "the metadata does not fit into its area");

	h->bad[LUKS_PRIMARY] = true;
	r = write_primary(h, io, seqid);
	if (r < 0)
		return luks_refuse(why, r, "the primary header cannot be written");
	h->bad[LUKS_PRIMARY] = false;
	h->seqid = seqid;
	h->bad[LUKS_SECONDARY] = h->copy_due = true;
	return 0;
}

int luks_header_copy(struct luks_header *h, struct meta_io *io)
{
	int r;

	if (!h->copy_due)
		return 0;
	assert(h->bad[LUKS_SECONDARY] && !h->secondary_pending);
	h->copy_due = false;
	r = write_copy(h, io, LUKS_SECONDARY, h->seqid);
	if (r < 0)
		return r;
	h->bad[LUKS_SECONDARY] = false;
	h->secondary_pending = h->buffered = true;
	return 0;
}

int luks_header_commit(struct luks_header *h, struct meta_io *io, struct luks_reason *why)
{
	int r = luks_header_commit_primary(h, io, why);

	if (r < 0)
		return r;
	r = luks_header_copy(h, io);
	return r < 0 ? luks_refuse(why, r, "the secondary header cannot be written") : 0;
}

int luks_header_flush_failed(struct luks_header *h, struct meta_io *io)
{
	int r;

	if (!h->secondary_pending)
		return 0;
	/* What is read there may be the one before by now. */
	h->bad[LUKS_SECONDARY] = true;
	if (!h->buffered)
		return -EUCLEAN;
	r = luks_header_check_unmoved(h, io);
	if (r < 0)
		return r;
	r = write_copy(h, io, LUKS_SECONDARY, h->seqid);
	if (r < 0)
		return r;
	h->bad[LUKS_SECONDARY] = false;
	return 0;
}

int luks_header_flush(struct luks_header *h, struct meta_io *io)
{
	int r;

	r = meta_io_flush(io);
	if (r < 0 && luks_header_flush_failed(h, io) == 0 && h->secondary_pending)
		r = meta_io_flush(io);
	if (r < 0) {
		if (h->secondary_pending)
			h->bad[LUKS_SECONDARY] = true;
		return r;
	}
	luks_header_flushed(h);
	return 0;
}

void luks_header_flushed(struct luks_header *h)
{
	h->secondary_pending = false;
}

static int check_copy_unmoved(const struct luks_header *h, const struct luks_header_disk *d,
			      enum luks_copy copy)
{
	return memcmp(d->magic, luks_magic[copy], sizeof(d->magic)) == 0 &&
			       be64toh(d->seqid) == h->seqid &&
			       strncmp(d->uuid, h->uuid, sizeof(d->uuid)) == 0
		       ? 0
		       : -ERROR_HEADER_CHANGED;
}

/* The rest of the primary does not matter: where it cannot be read, the next commit heals it. */
static bool can_look_at_once(struct luks_header *h, struct meta_io *io)
{
	return h->look && !luks_header_needs_repair(h) &&
	       meta_io_read(io, 0, h->look, h->size + LUKS_HEADER_BINARY_SIZE) == 0;
}

int luks_header_check_unmoved(struct luks_header *h, struct meta_io *io)
{
	const bool at_once = can_look_at_once(h, io);

	assert(!h->copy_due); /* its JSON is in the buffer */
	for (int i = LUKS_PRIMARY; i <= LUKS_SECONDARY; i++) {
		const uint64_t offset = i == LUKS_PRIMARY ? 0 : h->size;
		uint8_t *to = at_once ? h->look + offset : h->buffer;
		int r;

		if (h->bad[i])
			continue;
		if (!at_once) {
			r = meta_io_read(io, offset, to, LUKS_HEADER_BINARY_SIZE);
			if (r < 0)
				return r;
		}
		r = check_copy_unmoved(h, (const struct luks_header_disk *)to, (enum luks_copy)i);
		if (r < 0)
			return r;
	}
	return 0;
}
