/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/mark.h"

#include <assert.h>

#include "util/log.h"

int turn_new(sd_event *event, sd_event_handler_t handler, void *userdata, struct turn *t)
{
	int r;

	assert(!t->source);
	r = sd_event_add_defer(event, &t->source, handler, userdata);
	return r < 0 ? r : 0;
}

void turn_free(struct turn *t)
{
	t->source = sd_event_source_disable_unref(t->source);
}

void turn_mark(struct turn *t, uint64_t what)
{
	t->changed |= what;
	if (sd_event_source_set_enabled(t->source, SD_EVENT_ONESHOT) < 0)
		log_error("the event loop does not work any more");
}

uint64_t turn_take_changes(struct turn *t)
{
	const uint64_t what = t->changed;

	t->changed = 0;
	return what;
}

void mark_init(struct volume_mark *k, struct turn *t)
{
	*k = (struct volume_mark){.turn = t};
}

void mark_set(struct volume_mark *k, uint64_t what)
{
	k->due = true;
	k->changed |= what;
	turn_mark(k->turn, 0);
}

void mark_tell(struct volume_mark *k, uint64_t what)
{
	k->changed |= what;
}

bool mark_take_due(struct volume_mark *k)
{
	const bool due = k->due;

	k->due = false;
	return due;
}

uint64_t mark_take_changes(struct volume_mark *k)
{
	const uint64_t what = k->changed;

	k->changed = 0;
	return what;
}
