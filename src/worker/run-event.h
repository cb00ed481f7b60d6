/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The process that becomes the program of OnEvent=, started by the service manager in a unit of its
 * own: it has nothing of the daemon's but the environment that describes the event. It looks at the
 * program's file, which the daemon must not do, and refuses one that others could have written.
 */
#pragma once

/* recrypt-worker RUN_EVENT_VERB, with the path in the environment, where nobody expands it. */
#define RUN_EVENT_VERB    "run-event"
#define RUN_EVENT_PROGRAM "RECRYPTD_PROGRAM"

int run_event_main(int argc, char **argv);
