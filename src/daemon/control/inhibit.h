/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sleep and shutdown wait for the end of the hotzone in work: while a volume is at work we hold a
 * delay lock of logind (INHIBITOR_LOCKS). When it announces sleep all work stops and the lock goes;
 * afterwards all goes on.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon/control/manager.h"
#include "util/cleanup.h"

struct inhibit;

/* @bus is the system bus, in the manager's loop; it may not be connected yet. Without logind there
 * is nothing to wait for, and nothing happens. */
int inhibit_new(struct manager *m, sd_bus *bus, struct inhibit **ret);
struct inhibit *inhibit_free(struct inhibit *i);
DEFINE_CLEANUP(struct inhibit, inhibit_free)

/* Volumes have gone to work or come to rest: takes the lock, or lets it go. */
void inhibit_work_changed(struct inhibit *i);
