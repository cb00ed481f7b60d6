/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A slot of the volume: its worker, one at most, and what that was told.
 *
 *                    start             the header was read
 *      wanted/paused ----> looking -------------------------> ready
 *         ^  ^               |  died                            |  dropped
 *         |  `---------------'  (looks failed: absent)          v
 *         `--------------------------- died ---------------- absent, the header is known
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/control/mark.h"
#include "daemon/workers/worker-link.h"

enum worker_presence {
	WORKER_ABSENT,  /* and not needed to know the header */
	WORKER_WANTED,  /* there is none, and one has to read the header */
	WORKER_PAUSED,  /* the same, but not before the pause after a death */
	WORKER_LOOKING, /* has not said yet what is in the header */
	WORKER_READY,
};

/* Another process has the volume: tries in a row, and the wait for the next one. */
struct worker_retry {
	unsigned tries;
	sd_event_source *timer;
	bool due; /* not before the timer */
};

/* What the worker was told, so that nothing is told twice. */
struct worker_told {
	bool limits_sent;
	struct worker_limits limits;
	bool governor_sent;
	struct governor_config governor;
	struct run_options run; /* of convert, while it is at work */
};

struct worker_slot {
	sd_event *event;
	struct volume_mark *mark;
	const char *uuid; /* the volume's */
	enum worker_presence presence;
	struct worker_link *link;     /* looking, ready */
	bool stored;                  /* its control socket is in the fd store */
	enum worker_job job;          /* that it is at */
	bool stop_sent, reverse_sent; /* for that */
	unsigned deaths;              /* in a row, without progress between them */
	sd_event_source *restart, *look_limit;
	struct worker_retry retry;
	struct worker_told told;
};

/* @adopted: its worker is one of an earlier manager, and its socket in the fd store. */
void worker_slot_init(struct worker_slot *w, sd_event *event, struct volume_mark *mark,
		      const char *uuid, bool adopted);
/* Without a word; the worker goes on if its socket is in the fd store. */
void worker_slot_free(struct worker_slot *w);

/* Takes @link, which has looked; one that is adopted says later what it is doing. */
void worker_slot_take(struct worker_slot *w, struct worker_link *link,
		      const struct worker_handler *handler, void *userdata);
/*
 * Starts one, which looks first. @on_limit is called if it has not answered after @limit_usec.
 * Negative errno: it is as if it had died.
 */
int worker_slot_start(struct worker_slot *w, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata, uint64_t limit_usec,
		      sd_event_time_handler_t on_limit);
/* May one be started now? */
bool worker_slot_may_start(const struct worker_slot *w);

bool worker_slot_knows_header(const struct worker_slot *w);
/* The header is known, or it is given up to read it until somebody asks. */
void worker_slot_looked(struct worker_slot *w);
/* What was known of the header holds no longer. There is no worker. */
void worker_slot_look_again(struct worker_slot *w);

/* The job has been sent; one at a time. */
void worker_slot_begin(struct worker_slot *w, enum worker_job job);
/* It was found at this job, and ready. */
void worker_slot_found(struct worker_slot *w, const struct worker_status *s);
void worker_slot_ended(struct worker_slot *w, enum worker_job job);
/* Tells it to end its job, once. */
int worker_slot_stop(struct worker_slot *w);
/* It was told to reverse while it converts: it does so next. */
void worker_slot_reverse_next(struct worker_slot *w);
/* The conversion has ended; what it does next, if anything, has begun. */
void worker_slot_converted(struct worker_slot *w);

/* It is worth finding again by the next manager; it no longer is. */
void worker_slot_keep(struct worker_slot *w);
void worker_slot_abandon(struct worker_slot *w);
/* Tells it to end, and hears it no more. False: there was none. */
bool worker_slot_drop(struct worker_slot *w);
/* It has died, or cannot be reached. True: it is given up. */
bool worker_slot_died(struct worker_slot *w);
/* Things go on, or a person says that they should: deaths and tries before do not count. */
void worker_slot_forgive(struct worker_slot *w);

/* With -EBUSY another process has the volume. True: it is tried again, when this no longer waits.
 */
bool worker_slot_retry_later(struct worker_slot *w, int error);
void worker_slot_got_through(struct worker_slot *w);

/* Where a worker is there that does not know it yet. Negative errno: it cannot be told. */
int worker_slot_tell_limits(struct worker_slot *w, const struct worker_limits *limits);
int worker_slot_tell_governor(struct worker_slot *w, const struct governor_config *g);
/* What it was told for the run that begins. */
void worker_slot_note_run(struct worker_slot *w, const struct run_options *run);
