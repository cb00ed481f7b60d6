/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The daemon as recryptctl sees it: calls that wait for their answer, objects as JSON with the
 * names of org.recryptd1(5). Failures are logged with the daemon's own text; what is returned is
 * for exit_code().
 */
#pragma once

#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "daemon/bus/bus.h"
#include "util/cleanup.h"
#include "cli/options.h"

struct client {
	sd_bus *bus;
	const char *remote;                /* NULL: this host */
	bool may_ask;                      /* for a password, in this terminal */
	pid_t agent;                       /* that asks, or 0 */
	bool log_off;                      /* a failure is nobody's business */
	bool reached;                      /* somebody answered */
	bool may_start;                    /* calls start the daemon */
	bool unlocked;                     /* the volume was given a key */
	bool had_keys;                     /* and had one before */
	bool interrupted;                  /* a call, by @stop */
	const volatile sig_atomic_t *stop; /* ends a call, with -EINTR; NULL: nothing does */
	char last_error[128];              /* name of the last error, as on the bus */
};

/*
 * To the bus of this host, or of --remote over ssh. Only a verb that changes something starts the
 * service, and not a second time: a service that an operator has stopped stays stopped while others
 * watch.
 */
int client_open(const struct options *o, struct client *ret);
void client_close(struct client *c);

/* Is there a daemon? It is not started for that. */
bool client_has_daemon(struct client *c);

/*
 * What exit_code() makes the right number of, for the name of an error of the bus or of a job; -EIO
 * for names that have no number.
 */
int client_errno_of(const char *error);

/* Says that the connection has ended in the middle; returns @error. */
int client_log_lost(const struct client *c, int error);

/* Was the last failure that of a passphrase or key? */
bool client_has_refused_key(const struct client *c);

/*
 * Calls a method; @types and what follows as of sd_bus_message_append(). @ret_reply may be NULL.
 */
int client_call(struct client *c, const char *path, const char *interface, const char *member,
		sd_bus_message **ret_reply, const char *types, ...);

/* A message to be filled, for client_send(), which frees it. */
int client_new_call(struct client *c, const char *path, const char *interface, const char *member,
		    sd_bus_message **ret);
int client_send(struct client *c, sd_bus_message *call, sd_bus_message **ret_reply);

/* From here on no call starts the daemon, where it is stopped. */
void client_never_start(struct client *c);

/* NULL-terminated, of paths that strdup() made; may be NULL. */
void client_free_paths(char **paths);

/* The object path in @reply; the caller frees it. Logs nothing. */
int client_read_path(sd_bus_message *reply, char **ret);

/* The object of the volume; the caller's to free. */
int client_find_volume(struct client *c, const char *which, char **ret_path);

/* All properties of one interface; the caller's to put. */
int client_properties(struct client *c, const char *path, const char *interface, json_object **ret);

/*
 * All volumes, sorted by name and device, each with a member "Path" besides its properties.
 */
int client_volumes(struct client *c, json_object **ret);

/* Prints as --json wants it. */
int print_json(json_object *o, enum json_format format, FILE *out);

/* Members of an object; "" and 0 where they are not there. */
const char *json_text(json_object *o, const char *key);
uint64_t json_number(json_object *o, const char *key);
