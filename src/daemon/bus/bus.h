/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.recryptd1 on the system bus (doc/org.recryptd1.xml): objects that show the manager's volumes
 * and jobs, and verbs that call it. It keeps no state of its own but calls that are not answered.
 */
#pragma once

#include <stdio.h>

#include "proto/recryptd-errors.h"
#include "util/cleanup.h"

#define BUS_NAME              "org.recryptd1"
#define BUS_PATH              "/org/recryptd1"
#define BUS_VOLUME_PREFIX     "/org/recryptd1/volume"
#define BUS_JOB_PREFIX        "/org/recryptd1/job"
#define BUS_MANAGER_INTERFACE "org.recryptd1.Manager"
#define BUS_VOLUME_INTERFACE  "org.recryptd1.Volume"
#define BUS_JOB_INTERFACE     "org.recryptd1.Job"
#define BUS_ERROR_PREFIX      RECRYPTD_ERROR_PREFIX
/* What only the bus layer refuses with; the others are those of error_name(). */
#define BUS_ERROR_NOT_AUTHORIZED  "NotAuthorized"
#define BUS_ERROR_LIMITS_EXCEEDED "LimitsExceeded"

/* Written on the bus as anybody else's message. */
#define POLKIT_NAME "org.freedesktop.PolicyKit1"

struct bus;
struct manager;

/* Makes itself the observer of @m, before manager_start(). Nothing is on the bus yet. */
int bus_new(struct manager *m, struct bus **ret);

/*
 * Connects to the system bus (or $DBUS_SYSTEM_BUS_ADDRESS) and takes the name, without waiting for
 * either. Without a bus it tries again from time to time. A name that another process has ends the
 * event loop with an error.
 */
int bus_start(struct bus *b);

/* After the last turn of the loop: calls that are not answered yet are dropped. */
struct bus *bus_free(struct bus *b);
DEFINE_CLEANUP(struct bus, bus_free)

/* Prints what the daemon would answer to Introspect() of @path, without a bus. -ENOENT. */
int bus_introspect(const char *path, FILE *out);
