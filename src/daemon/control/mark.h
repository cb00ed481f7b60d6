/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How what is below says upward that something has changed. Who is told is given once, at creation:
 *
 *     a slot of the volume -> its mark (step due, bits) -> the turn (bits) -> manager-turn.c
 *
 * The turn runs once in the next round of the event loop, however much is marked before it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* One for the manager. */
struct turn {
	sd_event_source *source;
	uint64_t changed; /* MANAGER_CHANGED_*, not told yet */
};

/* One for each volume. */
struct volume_mark {
	struct turn *turn;
	bool due;         /* it has to be looked at */
	uint64_t changed; /* VOLUME_CHANGED_*, not told yet */
};

/* @handler runs in the loop after each turn_mark(), once for all of them. */
int turn_new(sd_event *event, sd_event_handler_t handler, void *userdata, struct turn *t);
void turn_free(struct turn *t);
void turn_mark(struct turn *t, uint64_t what);
/* What has changed since this was last asked. */
uint64_t turn_take_changes(struct turn *t);

void mark_init(struct volume_mark *k, struct turn *t);
/* Something about the volume has changed: it is looked at in the next turn, and @what is told. */
void mark_set(struct volume_mark *k, uint64_t what);
/* In a turn: what is told at its end. */
void mark_tell(struct volume_mark *k, uint64_t what);
/* Does it have to be looked at? Once for each mark_set(). */
bool mark_take_due(struct volume_mark *k);
uint64_t mark_take_changes(struct volume_mark *k);
