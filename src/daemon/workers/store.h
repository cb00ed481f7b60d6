/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What systemd keeps for us and what we tell it: the fd store, the state of the service, the
 * watchdog (sd_notify(3), FILE_DESCRIPTOR_STORE). Without systemd all of it does nothing.
 *
 *   worker-UUID              control socket of a worker; systemd drops it when the worker dies
 *   old-key-UUID, new-key-UUID   memfds with volume keys, never mapped here
 *   locked-UUID              an empty memfd: that the volume is locked has been told
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

/* Takes over what is inherited. The descriptors are close-on-exec from here on. */
int store_open(void);
void store_close(void);

/*
 * The next stored descriptor whose name begins with @prefix, once each: *ret_fd becomes the
 * caller's,
 * @uuid is the rest of the name. False when there is none left. It stays stored.
 */
bool store_next(const char *prefix, char uuid[static 37], int *ret_fd);

/* The same for one name. -1: there is none. */
int store_take(const char *prefix, const char *uuid);

/* Stores a copy in place of what has this name. False where there is no store. */
bool store_put(const char *prefix, const char *uuid, int fd);
void store_drop(const char *prefix, const char *uuid);

#define STORE_WORKER  "worker-"
#define STORE_OLD_KEY "old-key-"
#define STORE_NEW_KEY "new-key-"
#define STORE_LOCKED  "locked-"

void store_notify_ready(void);
void store_notify_reloading(void);
void store_notify_stopping(void);
void store_notify_status(const char *text);
