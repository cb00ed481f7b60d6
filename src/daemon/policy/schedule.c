/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/schedule.h"

#include <assert.h>
#include <string.h>

#include "util/checked.h"

static void append(struct schedule *s, struct schedule_entry *e)
{
	struct schedule_entry **end = &s->first;

	assert(!e->queued);
	while (*end)
		end = &(*end)->next;
	e->next = NULL;
	e->queued = true;
	*end = e;
}

void schedule_set_disks(struct schedule_entry *e, const char *const *disks)
{
	size_t n = 0;

	while (disks && disks[n])
		n++;
	e->disks = disks;
	e->n_disks = n;
}

void schedule_add(struct schedule *s, struct schedule_entry *e)
{
	if (e->queued)
		return;
	e->running = false;
	append(s, e);
}

void schedule_add_running(struct schedule *s, struct schedule_entry *e)
{
	if (!e->queued)
		append(s, e);
	e->running = true;
}

void schedule_remove(struct schedule *s, struct schedule_entry *e)
{
	for (struct schedule_entry **p = &s->first; *p; p = &(*p)->next)
		if (*p == e) {
			*p = e->next;
			break;
		}
	e->next = NULL;
	e->queued = e->running = false;
}

static unsigned running_on(const struct schedule *s, const char *disk)
{
	unsigned n = 0;

	for (const struct schedule_entry *e = s->first; e; e = e->next)
		for (size_t i = 0; e->running && i < e->n_disks; i++)
			n += strcmp(e->disks[i], disk) == 0;
	return n;
}

static bool disks_have_room(const struct schedule *s, const struct schedule_entry *e)
{
	for (size_t i = 0; s->max_concurrent_per_disk > 0 && i < e->n_disks; i++)
		if (running_on(s, e->disks[i]) >= s->max_concurrent_per_disk)
			return false;
	return true;
}

struct schedule_entry *schedule_next(struct schedule *s)
{
	unsigned running = 0;

	for (const struct schedule_entry *e = s->first; e; e = e->next)
		running += e->running;
	if (s->max_concurrent > 0 && running >= s->max_concurrent)
		return NULL;
	for (struct schedule_entry *e = s->first; e; e = e->next)
		if (!e->running && disks_have_room(s, e)) {
			e->running = true;
			return e;
		}
	return NULL;
}

static bool is_on(const struct schedule_entry *e, const char *disk)
{
	for (size_t i = 0; i < e->n_disks; i++)
		if (strcmp(e->disks[i], disk) == 0)
			return true;
	return false;
}

static const struct schedule_entry *runs_on(const struct schedule *s, const char *disk)
{
	for (const struct schedule_entry *e = s->first; e; e = e->next)
		if (e->running && is_on(e, disk))
			return e;
	return NULL;
}

const struct schedule_entry *schedule_ahead(const struct schedule *s,
					    const struct schedule_entry *e, bool *ret_on_disk)
{
	const struct schedule_entry *first = NULL;
	unsigned running = 0;

	*ret_on_disk = true;
	for (size_t i = 0; s->max_concurrent_per_disk > 0 && i < e->n_disks; i++)
		if (running_on(s, e->disks[i]) >= s->max_concurrent_per_disk)
			return runs_on(s, e->disks[i]);
	*ret_on_disk = false;
	for (const struct schedule_entry *other = s->first; other; other = other->next) {
		if (!other->running)
			continue;
		first = first ? first : other;
		running++;
	}
	return s->max_concurrent > 0 && running >= s->max_concurrent ? first : NULL;
}

void schedule_share(uint64_t total, const uint64_t *limits, uint64_t *shares, size_t n)
{
	size_t left = n;
	bool changed = true;

	memcpy(shares, limits, n * sizeof(*shares));
	if (total == 0)
		return;
	memset(shares, 0, n * sizeof(*shares));
	/* Those whose own limit is below an equal share get it; that makes the others' greater. */
	while (changed && left > 0) {
		const uint64_t equal = total / left;

		changed = false;
		for (size_t i = 0; i < n; i++)
			if (shares[i] == 0 && limits[i] > 0 && limits[i] <= equal) {
				shares[i] = limits[i];
				total -= limits[i];
				left--;
				changed = true;
			}
	}
	for (size_t i = 0; i < n; i++)
		if (shares[i] == 0) {
			assert(left > 0);
			shares[i] = MAX(total / left, UINT64_C(1));
		}
}
