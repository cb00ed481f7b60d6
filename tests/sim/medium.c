/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "util/checked.h"

void *medium_grow(void *array, unsigned n, size_t element)
{
	void *p = (n & (n - 1)) ? array : realloc(array, (n ? (size_t)n * 2 : 1) * element);

	assert(p);
	return p;
}

unsigned medium_add_event(struct medium *m, enum event_kind kind, unsigned index)
{
	m->events = medium_grow(m->events, m->n_events, sizeof(*m->events));
	m->events[m->n_events] = (struct event){kind, index};
	return m->n_events++;
}

unsigned medium_submit_write(struct medium *m, uint64_t offset, const void *data, size_t size)
{
	struct write w = {
		.offset = offset,
		.size = size,
		.data = malloc(size),
		.completed = NEVER,
		.lost = NEVER,
	};

	assert(w.data && range_inside(offset, size, m->size));
	memcpy(w.data, data, size);
	m->drop_before_write = false;
	w.submitted = medium_add_event(m, EVENT_SUBMIT_WRITE, m->n_writes);
	m->writes = medium_grow(m->writes, m->n_writes, sizeof(*m->writes));
	m->writes[m->n_writes] = w;
	return m->n_writes++;
}

void medium_complete_write(struct medium *m, unsigned index)
{
	struct write *w = &m->writes[index];

	memcpy(m->content + w->offset, w->data, w->size);
	w->completed = medium_add_event(m, EVENT_COMPLETE_WRITE, index);
}

/* What a flush through the engine's disk, or else through the metadata, is for. */
static unsigned flushed_disks(const struct medium *m, bool through_meta)
{
	if (m->header_disk_size == 0)
		return DATA_DISK | HEADER_DISK;
	return through_meta ? HEADER_DISK : DATA_DISK;
}

/* What a failed flush was to save stays readable, but no later flush saves it. */
static void lose_unflushed(struct medium *m, unsigned disks)
{
	for (unsigned i = 0; i < m->n_writes; i++) {
		struct write *w = &m->writes[i];

		if (w->completed != NEVER && w->lost == NEVER && (disk_of(m, w) & disks))
			w->lost = m->n_events;
	}
}

static int injected(struct medium *m, enum disk_op op, uint64_t offset, size_t size)
{
	const struct fault *f = &m->faults[op];
	const uint64_t n = m->requests[op]++;
	const int error = f->error ? f->error : -EIO;

	if (!f->armed)
		return 0;
	if (f->size > 0)
		return offset < f->offset + f->size && f->offset < offset + size ? error : 0;
	return n >= f->first && n <= f->last ? error : 0;
}

static struct medium *of_disk(struct disk *d)
{
	return (struct medium *)((char *)d - offsetof(struct medium, disk));
}

static int disk_submit(struct disk *d, struct disk_request *rq)
{
	struct medium *m = of_disk(d);
	struct in_flight f = {.rq = rq};

	if (m->n_in_flight == DEPTH)
		return -EBUSY;
	if (rq->op != DISK_FLUSH) {
		assert(rq->size > 0 && is_aligned(rq->size, d->block_size));
		assert(is_aligned(rq->offset, d->block_size));
		assert(range_inside(rq->offset, rq->size, d->size));
	}
	medium_let_rot(m);
	f.result = injected(m, rq->op, rq->offset, rq->size);
	if (f.result == 0 && rq->op == DISK_READ)
		f.result = medium_check_rot(m, rq->offset, rq->size);
	if (f.result == 0 && rq->op == DISK_WRITE) {
		const uint64_t n = m->data_writes++;

		f.write = medium_submit_write(m, rq->offset, rq->buf, rq->size);
		if (m->lies && n >= m->lies_first && n <= m->lies_last)
			m->writes[f.write].data[rq->size / 2] ^= 0x10;
	}
	if (f.result == 0 && rq->op == DISK_FLUSH && !m->drop_data_flushes)
		f.write = medium_add_event(m, EVENT_SUBMIT_FLUSH, flushed_disks(m, false));
	if (f.result < 0 && rq->op == DISK_FLUSH)
		lose_unflushed(m, flushed_disks(m, false));
	m->in_flight[m->n_in_flight++] = f;
	return 0;
}

static void finish_request(struct medium *m, const struct in_flight *f)
{
	struct disk_request *rq = f->rq;

	rq->result = f->result;
	if (f->result < 0)
		return;
	switch (rq->op) {
	case DISK_READ:
		memcpy(rq->buf, m->content + rq->offset, rq->size);
		break;
	case DISK_WRITE:
		medium_complete_write(m, f->write);
		break;
	case DISK_FLUSH:
		if (!m->drop_data_flushes)
			medium_add_event(m, EVENT_COMPLETE_FLUSH, f->write);
		break;
	}
}

static int disk_wait(struct disk *d, struct disk_request **ret)
{
	struct medium *m = of_disk(d);
	unsigned i;

	*ret = NULL;
	if (m->woken) {
		m->woken = false;
		return 0;
	}
	/* Nothing could ever end this wait. */
	assert(m->n_in_flight > 0);
	i = (unsigned)random_below(&m->random, m->n_in_flight);
	finish_request(m, &m->in_flight[i]);
	*ret = m->in_flight[i].rq;
	m->in_flight[i] = m->in_flight[--m->n_in_flight];
	return 0;
}

static void disk_wake(struct disk *d)
{
	of_disk(d)->woken = true;
}

static bool is_zero(const struct medium *m, uint64_t offset, uint64_t size)
{
	for (uint64_t i = offset; i < offset + size; i++)
		if (m->content[i] != 0)
			return false;
	return true;
}

static bool disk_is_hole(struct disk *d, uint64_t offset, uint64_t size)
{
	const struct medium *m = of_disk(d);

	assert(size > 0 && range_inside(offset, size, m->size));
	assert(is_aligned(offset | size, SECTOR_SIZE));
	if (m->holes == HOLES_SEEN)
		return is_zero(m, offset, size);
	for (uint64_t i = offset / SECTOR_SIZE; i < (offset + size) / SECTOR_SIZE; i++)
		if (!m->seen_zero[i])
			return false;
	return true;
}

static bool disk_look(struct disk *d, uint64_t offset, uint64_t size)
{
	struct medium *m = of_disk(d);

	assert(size > 0 && range_inside(offset, size, m->size));
	assert(is_aligned(offset | size, SECTOR_SIZE));
	if (m->looks++ == m->look_fails)
		return false;
	for (uint64_t at = offset; at < offset + size; at += SECTOR_SIZE)
		m->seen_zero[at / SECTOR_SIZE] = is_zero(m, at, SECTOR_SIZE);
	return true;
}

void medium_corrupt(struct medium *m, uint64_t first, uint64_t last)
{
	m->lies = true;
	m->lies_first = first;
	m->lies_last = last;
}

static struct medium *of_meta(struct meta_io *io)
{
	return (struct medium *)((char *)io - offsetof(struct medium, meta));
}

static int meta_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	struct medium *m = of_meta(io);

	medium_let_rot(m);
	if (!range_inside(offset, size, m->size))
		return -ENODATA;
	memcpy(buf, m->content + offset, size);
	return medium_check_rot(m, offset, size);
}

static int meta_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	struct medium *m = of_meta(io);
	int r = injected(m, DISK_WRITE, offset, size);

	medium_let_rot(m);
	if (r < 0)
		return r;
	medium_complete_write(m, medium_submit_write(m, offset, buf, size));
	return 0;
}

static void flush(struct medium *m, unsigned disks)
{
	const unsigned submitted = medium_add_event(m, EVENT_SUBMIT_FLUSH, disks);

	medium_add_event(m, EVENT_COMPLETE_FLUSH, submitted);
}

static int meta_flush(struct meta_io *io)
{
	struct medium *m = of_meta(io);
	int r = injected(m, DISK_FLUSH, 0, 0);

	if (r < 0) {
		lose_unflushed(m, flushed_disks(m, true));
		return r;
	}
	if (!m->drop_meta_flushes && !m->drop_before_write)
		flush(m, flushed_disks(m, true));
	return 0;
}

#define COMMON_OPS .submit = disk_submit, .wait = disk_wait, .wake = disk_wake

static const struct disk_ops disk_ops[] = {
	[HOLES_HIDDEN] = {COMMON_OPS},
	[HOLES_SEEN] = {COMMON_OPS, .is_hole = disk_is_hole},
	[HOLES_LOOKED_FOR] = {COMMON_OPS, .is_hole = disk_is_hole, .look = disk_look},
};

void medium_show_holes(struct medium *m, enum medium_holes how)
{
	m->holes = how;
	m->disk.ops = &disk_ops[how];
}

void medium_fail_look(struct medium *m, unsigned n)
{
	m->look_fails = n;
}

unsigned medium_looks(const struct medium *m)
{
	return m->looks;
}

struct medium *medium_new(const void *image, size_t size, uint32_t block_size, uint64_t seed)
{
	static const struct meta_io_ops meta_ops = {
		.read = meta_read,
		.write = meta_write,
		.flush = meta_flush,
	};
	struct medium *m = calloc(1, sizeof(*m));

	assert(m);
	m->size = size;
	m->random.state = seed;
	m->content = malloc(size);
	m->first = malloc(size);
	m->durable = malloc(size);
	m->seen_zero = calloc(size / SECTOR_SIZE, sizeof(*m->seen_zero));
	m->look_fails = m->rot.event = NEVER;
	assert(m->content && m->first && m->durable && m->seen_zero);
	memcpy(m->first, image, size);
	memcpy(m->content, image, size);
	memcpy(m->durable, image, size);
	m->disk = (struct disk){
		.ops = &disk_ops[HOLES_HIDDEN],
		.name = "simulated disk",
		.size = size,
		.block_size = block_size,
		.transfer_size = 4096,
		.depth = DEPTH,
	};
	m->meta = (struct meta_io){.ops = &meta_ops, .size = size, .name = "simulated disk"};
	return m;
}

struct medium *medium_free(struct medium *m)
{
	if (!m)
		return NULL;
	for (unsigned i = 0; i < m->n_writes; i++)
		free(m->writes[i].data);
	free(m->writes);
	free(m->events);
	free(m->seen_zero);
	free(m->content);
	free(m->first);
	free(m->durable);
	free(m);
	return NULL;
}

struct disk *medium_disk(struct medium *m)
{
	return &m->disk;
}

struct meta_io *medium_meta_io(struct medium *m)
{
	return &m->meta;
}

const uint8_t *medium_content(const struct medium *m)
{
	return m->content;
}

void medium_write(struct medium *m, uint64_t offset, const void *data, size_t size)
{
	medium_complete_write(m, medium_submit_write(m, offset, data, size));
}

void medium_flush(struct medium *m)
{
	flush(m, flushed_disks(m, false));
}

void medium_flush_header(struct medium *m)
{
	flush(m, flushed_disks(m, true));
}

void medium_detach_header(struct medium *m, uint64_t size)
{
	m->header_disk_size = size;
}

uint64_t medium_event_offset(const struct medium *m, unsigned event)
{
	const struct event *e = &m->events[event];
	const bool is_write = e->kind == EVENT_SUBMIT_WRITE || e->kind == EVENT_COMPLETE_WRITE;

	return is_write ? m->writes[e->index].offset : UINT64_MAX;
}

unsigned medium_first_loss(const struct medium *m)
{
	unsigned first = m->n_events;

	for (unsigned i = 0; i < m->n_writes; i++)
		first = MIN(first, m->writes[i].lost);
	return first;
}

bool medium_is_idle(const struct medium *m)
{
	return m->n_in_flight == 0;
}

void medium_drop_flushes(struct medium *m, bool data, bool metadata)
{
	m->drop_data_flushes = data;
	m->drop_meta_flushes = metadata;
}

void medium_drop_flushes_before_write(struct medium *m)
{
	m->drop_before_write = true;
}

void medium_fail(struct medium *m, enum disk_op op, uint64_t first, uint64_t last)
{
	m->faults[op] = (struct fault){.armed = true, .first = first, .last = last};
	m->requests[op] = 0;
}

void medium_fail_range(struct medium *m, enum disk_op op, uint64_t offset, uint64_t size)
{
	m->faults[op] = (struct fault){.armed = size > 0, .offset = offset, .size = size};
}

void medium_fail_once(struct medium *m, enum disk_op op, uint64_t number, int error)
{
	medium_fail(m, op, number, number);
	m->faults[op].error = error;
}

uint64_t medium_requests(const struct medium *m, enum disk_op op)
{
	return m->requests[op];
}

unsigned medium_events(const struct medium *m)
{
	return m->n_events;
}

enum event_kind medium_event(const struct medium *m, unsigned event)
{
	return m->events[event].kind;
}
