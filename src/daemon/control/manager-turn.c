/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happens once in a turn of the loop after anything has changed: volumes that are marked take
 * a step, turns are given, the rate is shared, the observer and the service manager are told.
 * Without a mark nothing wakes up.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/workers/probe.h"
#include "daemon/workers/store.h"
#include "util/log.h"
#include "util/text.h"

static void take_steps(struct manager *m)
{
	for (struct volume *v = m->volumes; v; v = v->next) {
		if (mark_take_due(&v->mark))
			volume_step(v);
	}
}

static void give_turns(struct schedule *s)
{
	struct schedule_entry *e;

	while ((e = schedule_next(s)))
		mark_set(&((struct volume *)e->owner)->mark, 0);
}

static void tell_observer(struct manager *m)
{
	const struct manager_observer *o = &m->core->observer;
	const uint64_t what = turn_take_changes(&m->core->turn);

	if (what && o->manager_changed)
		o->manager_changed(m, what, o->userdata);
	for (struct volume *v = m->volumes; v; v = v->next) {
		const uint64_t changed = mark_take_changes(&v->mark);

		if (changed && o->volume_changed)
			o->volume_changed(v, changed, o->userdata);
	}
}

static bool at_work(const struct volume *v)
{
	return v->status.state == VOLUME_RUNNING || v->status.state == VOLUME_REVERSING ||
	       v->status.state == VOLUME_FINISHING;
}

/* Whole per cents only, so that the service manager is not kept busy. */
static void tell_status(struct manager *m)
{
	const struct volume *first = NULL;
	char text[sizeof(m->core->status)];
	unsigned n = 0;

	for (const struct volume *v = m->volumes; v; v = v->next)
		if (at_work(v)) {
			first = first ? first : v;
			n++;
		}
	if (!first)
		(void)snprintf(text, sizeof(text), "%zu volumes known, none at work", m->n_volumes);
	else
		(void)text_format(
			text, sizeof(text), "%u of %zu volumes at work; %.150s: %s %u%%", n,
			m->n_volumes, *first->place.name ? first->place.name : first->place.device,
			volume_state_name(first->status.state),
			(unsigned)(first->progress.bytes_total > 0
					   ? first->progress.bytes_done /
						     (first->progress.bytes_total / 100 + 1)
					   : 0));
	text_mask(text); /* a new line would be another assignment */
	if (strcmp(text, m->core->status) == 0)
		return;
	(void)text_copy(m->core->status, sizeof(m->core->status), text);
	store_notify_status(text);
}

/* When all is found that is there, or when that takes too long. */
static void tell_ready(struct manager *m)
{
	struct manager_core *c = m->core;

	if (c->ready || (c->probes.first && !c->probes.hurried))
		return;
	if (c->probes.first)
		log_warning("a device does not answer; not all volumes are known yet");
	c->ready = true;
	c->ready_limit = sd_event_source_disable_unref(c->ready_limit);
	if (c->observer.ready)
		c->observer.ready(m, c->observer.userdata);
	store_notify_ready();
}

static int on_turn(sd_event_source *s, void *userdata)
{
	struct manager *m = userdata;

	(void)s;
	absent_seek(m);
	take_steps(m);
	give_turns(&m->core->prepare);
	give_turns(&m->core->convert);
	manager_share_rate(m);
	manager_set_clock(m);
	saved_state_flush(&m->core->saved, m->config);
	tell_observer(m);
	tell_status(m);
	tell_ready(m);
	manager_tell_rest(m);
	return 0;
}

int manager_turn_new(struct manager *m)
{
	return turn_new(m->event, on_turn, m, &m->core->turn);
}
