/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * OnEvent=: what has happened to a volume starts a unit, or a program in a unit of its own. The
 * daemon asks the service manager over the bus to start both. The daemon executes nothing and waits
 * for nothing. The unit does not inherit the daemon's descriptors or sandbox.
 *
 *   event -> queue (EVENTS_WAITING at most) -> one call at a time -> started
 *                       ^                            |
 *                       '-- later, where EVENTS_AT_ONCE programs run, or there is no bus
 */
#pragma once

#include "daemon/control/manager.h"

#define EVENTS_AT_ONCE 4  /* programs; units say by themselves how often they run */
#define EVENTS_WAITING 64 /* more are dropped, and that is logged */

struct bus;
struct event_queue;

/* -ENOMEM and errors of the loop. */
int event_queue_new(struct bus *b, struct event_queue **ret);
struct event_queue *event_queue_free(struct event_queue *q);

void event_queue_add(struct event_queue *q, const struct volume *v, const struct volume_event *e);

/* The connection goes: what was asked for is asked again over the next one. */
void event_queue_disconnect(struct event_queue *q);
