/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waiting until the daemon tells that something has changed, without missing it. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/client.h"

struct volume_watch {
	struct client *client;
	sd_bus_slot *signals, *owner;
	bool changed; /* something was told that was not looked at */
	FILE *out;    /* whose reader may go, or NULL */
};

/* From here on nothing is missed; what is read after it is complemented by what is told. */
int watch_start(struct client *c, struct volume_watch *ret);
void watch_close(struct volume_watch *w);

/*
 * Until something changed, or @usec are over (UINT64_MAX: for ever). -EINTR: a signal came and set
 * @stop (may be NULL). -EPIPE: nobody reads @w->out any more.
 */
int watch_wait(struct volume_watch *w, uint64_t usec, const volatile sig_atomic_t *stop);

/* For a moment nothing new is looked at; what is told meanwhile is kept. */
void watch_pause(uint64_t usec);
