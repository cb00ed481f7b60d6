/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All volumes come to rest, at a hotzone boundary each: while the host sleeps, or for good. */
#include <errno.h>

#include "daemon/control/core.h"
#include "daemon/workers/store.h"
#include "util/error.h"

static void mark_all(struct manager *m)
{
	for (struct volume *v = m->volumes; v; v = v->next)
		mark_set(&v->mark, 0);
	turn_mark(&m->core->turn, 0);
}

void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata)
{
	if (m->stopping)
		return;
	store_notify_stopping();
	m->stopping = true;
	probe_close(&m->core->probes);
	m->core->rest.stopped = done;
	m->core->rest.stopped_userdata = userdata;
	mark_all(m);
}

void manager_pause(struct manager *m, void (*calm)(void *userdata), void *userdata)
{
	m->core->rest.paused = true;
	m->core->rest.calm = calm;
	m->core->rest.calm_userdata = userdata;
	mark_all(m);
}

void manager_unpause(struct manager *m)
{
	m->core->rest.paused = false;
	m->core->rest.calm = NULL;
	mark_all(m);
}

static bool is_calm(const struct manager *m)
{
	for (const struct volume *v = m->volumes; v; v = v->next)
		if (!volume_is_calm(v))
			return false;
	return true;
}

/* True once every record that was promised to a caller is in its header, or can no longer be. */
static bool records_are_written(const struct manager *m)
{
	for (const struct volume *v = m->volumes; v; v = v->next)
		if (v->worker.link && !writing_is_durable(&v->writing))
			return false;
	return true;
}

/* Those who still wait are told while there is a bus. */
static void end_requests(struct manager *m)
{
	struct failure f;

	(void)failure_set(&f, -ERROR_SHUTTING_DOWN, "the daemon is being stopped");
	for (struct volume *v = m->volumes; v; v = v->next)
		request_end_all(v, -ERROR_SHUTTING_DOWN, &f);
	probe_end_all(&m->core->probes, -ERROR_SHUTTING_DOWN, &f);
}

void manager_tell_rest(struct manager *m)
{
	struct manager_rest *rest = &m->core->rest;

	if ((!rest->calm && !rest->stopped) || !is_calm(m))
		return;
	if (rest->calm) {
		void (*calm)(void *userdata) = rest->calm;

		rest->calm = NULL;
		calm(rest->calm_userdata);
	}
	if (rest->stopped && records_are_written(m)) {
		void (*stopped)(void *userdata) = rest->stopped;

		rest->stopped = NULL;
		end_requests(m);
		stopped(rest->stopped_userdata);
	}
}
