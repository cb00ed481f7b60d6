/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a power cut leaves of a medium, and what the death of a program does. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "medium-internal.h"
#include "util/checked.h"

/* Is the write on the medium for sure right before @event? */
static bool is_durable(const struct medium *m, const struct write *w, unsigned event)
{
	const unsigned end = MIN(event, w->lost);

	if (w->rot)
		return w->completed < event;
	for (unsigned i = w->completed == NEVER ? end : w->completed; i < end; i++) {
		const struct event *e = &m->events[i];

		if (e->kind == EVENT_COMPLETE_FLUSH && e->index > w->completed &&
		    (m->events[e->index].index & disk_of(m, w)))
			return true;
	}
	return false;
}

unsigned medium_pending(const struct medium *m, unsigned event)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_writes && m->writes[i].submitted < event; i++)
		n += !m->writes[i].durable && !is_durable(m, &m->writes[i], event);
	return n;
}

static void advance_durable(struct medium *m, unsigned event)
{
	if (event < m->durable_at) {
		memcpy(m->durable, m->first, m->size);
		for (unsigned i = 0; i < m->n_writes; i++)
			m->writes[i].durable = false;
	}
	for (unsigned i = 0; i < m->n_writes && m->writes[i].submitted < event; i++) {
		struct write *w = &m->writes[i];

		if (w->durable || !is_durable(m, w, event))
			continue;
		memcpy(m->durable + w->offset, w->data, w->size);
		w->durable = true;
	}
	m->durable_at = event;
}

/* A lost write that made it did so before anything that is durable since. */
static void cover(const struct medium *m, unsigned lost, uint8_t *image)
{
	const struct write *w = &m->writes[lost];

	for (unsigned i = lost + 1; i < m->n_writes; i++) {
		const struct write *newer = &m->writes[i];

		if (newer->durable && newer->offset < w->offset + w->size &&
		    w->offset < newer->offset + newer->size)
			memcpy(image + newer->offset, newer->data, newer->size);
	}
}

static void tear(const struct write *w, struct random *rnd, uint32_t unit, uint8_t *image)
{
	for (size_t at = 0; at < w->size; at += unit)
		if (random_below(rnd, 2))
			memcpy(image + w->offset + at, w->data + at,
			       MIN((size_t)unit, w->size - at));
}

/* What a disk keeps of its pending writes. */
enum fate { KEEP_NONE, KEEP_ALL, KEEP_SOME, FATES };

static bool is_kept(enum crash_mode mode, uint64_t choice, unsigned pending, enum fate fate,
		    struct random *rnd)
{
	if (mode == CRASH_SUBSET)
		return choice >> pending % 64 & 1;
	return fate == KEEP_ALL || (fate == KEEP_SOME && random_below(rnd, 2));
}

void medium_crash(struct medium *m, unsigned event, enum crash_mode mode, uint64_t choice,
		  uint64_t data_offset, uint32_t block_size, uint8_t *image)
{
	struct random rnd = {.state = choice};
	const enum fate data_disk = random_below(&rnd, FATES),
			header_disk = random_below(&rnd, FATES);
	unsigned pending = 0;

	advance_durable(m, event);
	memcpy(image, m->durable, m->size);
	for (unsigned i = 0; i < m->n_writes && m->writes[i].submitted < event; i++) {
		const struct write *w = &m->writes[i];
		const enum fate fate = disk_of(m, w) == DATA_DISK ? data_disk : header_disk;

		if (w->durable)
			continue;
		if (mode == CRASH_TORN)
			tear(w, &rnd, w->offset >= data_offset ? block_size : 512, image);
		else if (is_kept(mode, choice, pending, fate, &rnd))
			memcpy(image + w->offset, w->data, w->size);
		if (w->lost != NEVER)
			cover(m, i, image);
		pending++;
	}
}

static bool is_in_flight(const struct write *w, unsigned event)
{
	return w->completed == NEVER || w->completed >= event;
}

/*
 * @event of @m happens to @to, too, whose writes have other numbers: @ours is by those of @m. What
 * never reached the disk (@dropped) leaves a flush of nothing, so that events keep their numbers.
 */
static void repeat_event(struct medium *to, const struct medium *m, unsigned event,
			 const bool *dropped, unsigned *ours)
{
	const struct event *e = &m->events[event];
	const struct write *w = &m->writes[e->index];

	switch (e->kind) {
	case EVENT_SUBMIT_WRITE:
		if (dropped[e->index])
			(void)medium_add_event(to, EVENT_SUBMIT_FLUSH, 0);
		else
			ours[e->index] = medium_submit_write(to, w->offset, w->data, w->size);
		break;
	case EVENT_COMPLETE_WRITE:
		medium_complete_write(to, ours[e->index]);
		break;
	case EVENT_SUBMIT_FLUSH:
	case EVENT_COMPLETE_FLUSH:
		(void)medium_add_event(to, e->kind, e->index);
		break;
	}
}

struct medium *medium_kill(const struct medium *m, unsigned event, uint64_t choice)
{
	struct medium *to = medium_new(m->first, m->size, m->disk.block_size, choice);
	unsigned *ours = calloc(m->n_writes + 1, sizeof(*ours));
	bool *dropped = calloc(m->n_writes + 1, sizeof(*dropped));
	struct random rnd = {.state = choice};

	assert(ours && dropped);
	medium_detach_header(to, m->header_disk_size);
	for (unsigned i = 0; i < m->n_writes; i++)
		dropped[i] = is_in_flight(&m->writes[i], event) && random_below(&rnd, 2);
	for (unsigned i = 0; i < event; i++)
		repeat_event(to, m, i, dropped, ours);
	for (unsigned i = 0; i < m->n_writes && m->writes[i].submitted < event; i++) {
		const struct write *w = &m->writes[i];

		if (dropped[i])
			continue;
		to->writes[ours[i]].rot = w->rot;
		to->writes[ours[i]].lost = w->lost < event ? w->lost : NEVER;
		if (is_in_flight(w, event))
			medium_complete_write(to, ours[i]);
	}
	free(ours);
	free(dropped);
	return to;
}
