/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may convert now, and how fast. Pure: entries come in, decisions go out.
 *
 * The volumes that want to run stand in a line, in the order in which they came. The first whose
 * disks all have room goes; one that waits for its disk does not hold up those behind it that use
 * another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule_entry {
	struct schedule_entry *next;
	bool queued;  /* in the line, running or not */
	bool running; /* has been let go */
	size_t n_disks;
	const char *const *disks; /* sysfs names of the physical disks; the owner's */
	void *owner;
};

struct schedule {
	unsigned max_concurrent;          /* 0: no limit */
	unsigned max_concurrent_per_disk; /* likewise */
	struct schedule_entry *first;
};

/* NULL-terminated, or NULL; they stay the caller's. */
void schedule_set_disks(struct schedule_entry *e, const char *const *disks);

/* To the end of the line, unless it is there already. */
void schedule_add(struct schedule *s, struct schedule_entry *e);

/* Running straight away, whatever the limits: what was found at work. */
void schedule_add_running(struct schedule *s, struct schedule_entry *e);

void schedule_remove(struct schedule *s, struct schedule_entry *e);

/* The next that may run, marked as running; NULL when there is none now. */
struct schedule_entry *schedule_next(struct schedule *s);

/*
 * One that runs and keeps @e, which does not, from its turn; NULL: nobody does. *@ret_on_disk: it
 * is on a disk of @e that has no room, and otherwise there is no room for anybody.
 */
const struct schedule_entry *schedule_ahead(const struct schedule *s,
					    const struct schedule_entry *e, bool *ret_on_disk);

/*
 * Shares @total (bytes/s, 0: no limit) among @n runners, of whom each has a limit of its own in
 * @limits (0: none). The shares never add up to more than @total (while that is at least @n); who
 * cannot use an equal share leaves the rest to the others. A share of 0 means no limit.
 */
void schedule_share(uint64_t total, const uint64_t *limits, uint64_t *shares, size_t n);
