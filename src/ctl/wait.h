/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waiting until the work on volumes is over, with its result: one of the rows of util/exit-code.c.
 * Where only a person can help, one line says what is awaited.
 */
#pragma once

#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"
#include "ctl/client.h"

/* Prints progress, when it changes; @volume are the properties. */
typedef void (*watch_fn)(json_object *volume, void *userdata);

struct wait_for {
	const char *job;  /* whose result counts, or NULL: that of the volumes */
	char **paths;     /* of the volumes, NULL-terminated; NULL: those of the job */
	bool attention;   /* do not wait where a person is needed */
	unsigned timeout; /* seconds, 0: none */
	watch_fn watch;   /* of the first volume */
	void *userdata;
	const volatile sig_atomic_t *stop;
};

/*
 * Over restarts of the daemon, too. What is not a success is logged: -ERROR_WAIT_*, or the error of
 * a rotation that could not begin, of which nothing was written. With several volumes the first
 * that failed. -EINTR: @stop was set by a signal.
 */
int wait_until_over(struct client *c, const struct wait_for *w);

/* As --wait and --timeout of the command line say. */
struct wait_for wait_of(const struct options *o);

/* The line that says what a volume in this state waits for; NULL: for nobody. The caller's to free.
 */
char *wait_text(json_object *volume);
