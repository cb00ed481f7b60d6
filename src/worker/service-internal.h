/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control thread of a service, between service.c, service-methods.c, service-signals.c and
 * service-fill.c.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "worker/control.h"

/* Calls that are answered later, at most; more get Busy. */
#define SERVICE_CALLS_MAX 64

struct service_call {
	sd_bus_message *message;
	uint64_t record_serial; /* SetRecord(); 0: Inspect() */
};

struct service {
	struct control *control;
	sd_event *event;
	int control_fd;
	bool foreground; /* recryptctl waits for the one job, and answers questions */
	sd_bus *bus;     /* NULL: nobody is connected */
	/* A call has come over it. Before that the manager may still read the handshake, and takes
	 * a descriptor that comes together with it for an attack. */
	bool greeted;
	struct service_call call[SERVICE_CALLS_MAX];
	unsigned n_calls;
	sd_event_source *progress_timer;
	struct report *kept_keys; /* until somebody is connected, and has greeted */
	/* What the last Progress said. */
	uint64_t last_usec, last_converted;
	struct position last_position;
	uint64_t rate; /* bytes per second between the last two */
};

extern const sd_bus_vtable service_vtable[];

/* From now to the end of the job. */
int service_start_progress(struct service *s);

/* Keeps @m for later. -ENOBUFS: too many. */
int service_keep_call(struct service *s, sd_bus_message *m, uint64_t record_serial);
void service_drop_calls(struct service *s);

/* The messages' structs, from what the working thread has found. Clear a look and an end: -ENOMEM.
 */
int service_fill_look(const struct look *l, const struct control_state *state,
		      struct worker_look *ret);
int service_fill_end(const struct report *p, const struct control_state *state,
		     struct worker_end *ret);
void service_fill_progress(const struct service *s, const struct control_state *state,
			   struct worker_progress *ret);
void service_fill_status(const struct service *s, const struct control_state *state,
			 struct worker_status *ret);

/* Answers a call with a dictionary. */
int service_reply(sd_bus_message *call, enum message_kind kind, const void *value);
int service_reply_look(sd_bus_message *call, const struct look *l,
		       const struct control_state *state);

/* Keys that nobody could be given so far. */
void service_send_kept_keys(struct service *s);

/* Sends what the working thread has reported: replies and signals. */
void service_send_reports(struct service *s);
/* Progress, when something changed, or @always. */
void service_send_progress(struct service *s, bool always);
